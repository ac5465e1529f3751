"""The resource's own volumes never lie over, above or below what dbmigrate mounts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmigrate.api.fields import Fields, SpecError
from dbmigrate.api.mount_paths import OWN
from dbmigrate.api.spec import parse_job_options
from dbmigrate.controller.fleet.command_line import LIST_DIRECTORY
from dbmigrate.controller.jobs import command_line, connection, mounts

pytestmark = pytest.mark.quick


def parse(path: Any) -> None:
    mounted = {"name": "a", "mountPath": path}
    parse_job_options(Fields({"volumeMounts": [mounted]}, "spec.job"))


def spellings(path: str) -> st.SearchStrategy[str]:
    """The same place, with more slashes and dots."""
    between = st.sampled_from(["/", "//", "/./", "///"])
    words = path.split("/")[1:]
    pieces = st.lists(between, min_size=len(words), max_size=len(words))
    ends = st.sampled_from(["", "/", "/.", "//"])
    spelt = pieces.map(lambda given: "".join(map("".join, zip(given, words, strict=True))))
    return st.builds(str.__add__, spelt, ends)


@given(st.data(), st.sampled_from(OWN), st.sampled_from(["", "/below", "/below/it"]))
def test_no_spelling_of_our_places_is_taken(data: st.DataObject, own: str, more: str) -> None:
    with pytest.raises(SpecError, match=r"volumeMounts\[0\]\.mountPath") as caught:
        parse(data.draw(spellings(own + more)))
    assert own in str(caught.value)


@pytest.mark.parametrize("path", ["/", "//", "/etc", "/etc/", "/dev"])
def test_what_holds_one_of_our_places_is_refused(path: str) -> None:
    with pytest.raises(SpecError, match="dbmigrate mounts itself"):
        parse(path)


@pytest.mark.parametrize("path", ["", "migrations", "./a", "/a/../migrations", "/a/..", ".."])
def test_a_path_that_is_not_plain_is_refused(path: str) -> None:
    with pytest.raises(SpecError, match=re.escape("spec.job.volumeMounts[0].mountPath")):
        parse(path)


@pytest.mark.parametrize(
    "path", ["/migrations2", "/etc/ssl", "/tmpfs", "/var/run/postgresql", "/a..b", "/config/"]
)
def test_other_places_are_taken(path: str) -> None:
    parse(path)


def test_each_place_of_ours_is_known() -> None:
    places = (
        command_line.MOUNT_PATH,
        command_line.BACKUP_PATH,
        command_line.REHEARSAL_PATH,
        command_line.TERMINATION_MESSAGE_PATH,
        mounts.TEMPORARY_PATH,
        connection.CLIENT_DIRECTORY,
        connection.CERTIFICATE_DIRECTORY,
        LIST_DIRECTORY,
    )
    for place in places:
        with pytest.raises(SpecError):
            parse(place)
