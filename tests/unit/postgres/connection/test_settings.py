"""Run-time parameters in libpq's options."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmigrate.postgres.connection.settings import add_setting, find_settings, without_setting

pytestmark = pytest.mark.quick

VALUES = st.text(alphabet="ab \\\t=-c'\"é", max_size=8)
SETTINGS = st.lists(st.tuples(st.sampled_from(("role", "search_path", "roles")), VALUES))


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ("-c role=app", ""),
        ("-crole=app", ""),
        ("--role=app", ""),
        ("-c Role=app", ""),
        (r"-c role=my\ app -c search_path=a", "-c search_path=a"),
        ("-c search_path=role=app", "-c search_path=role=app"),
        ("-c role.x=app", "-c role.x=app"),
        ("-c search_path=a -c role=app -c work_mem=1MB", "-c search_path=a -c work_mem=1MB"),
        ("--search-path=a --role=b", "--search-path=a"),
        ("-c", "-c"),
        ("", ""),
    ],
)
def test_a_parameter_is_taken_out_however_it_is_written(options: str, left: str) -> None:
    assert without_setting(options, "role") == left


@given(SETTINGS, VALUES)
def test_what_is_added_is_found_and_taken_out(settings: list[tuple[str, str]], value: str) -> None:
    conninfo: dict[str, str] = {}
    for name, each in settings:
        conninfo = add_setting(conninfo, {}, name, each)
    added = add_setting(conninfo, {}, "role", value)
    assert find_settings(added, {}, "role")
    left = {"options": without_setting(added["options"], "role")}
    assert not find_settings(left, {}, "role")
    others: dict[str, str] = {}
    for name, each in settings:
        if name != "role":
            others = add_setting(others, {}, name, each)
    assert left["options"] == others.get("options", "")


def test_given_options_replace_the_variable() -> None:
    environ = {"PGOPTIONS": "-c work_mem=1MB"}
    assert add_setting({}, environ, "role", "a")["options"] == "-c work_mem=1MB -c role=a"
    assert add_setting({"options": "-x"}, environ, "role", "a")["options"] == "-x -c role=a"
