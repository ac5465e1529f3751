"""Defaults for all runs: a resource's own word wins, field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dbmigrate.api.fields import Fields, SpecError
from dbmigrate.api.job_defaults import ALLOWED, fill_in, read_job_defaults
from dbmigrate.api.spec import JobOptions, parse_job_options
from dbmigrate.controller.config import read_config

pytestmark = pytest.mark.quick

CRD = Path(__file__).parents[3] / "crds" / "databasemigrations.yaml"
SAMPLES: dict[str, tuple[Any, Any, Any]] = {
    "affinity": ({"a": 1}, {"b": 2}, {"b": 2}),
    "annotations": ({"a": "1", "c": "3"}, {"a": "2"}, {"a": "2", "c": "3"}),
    "env": (
        [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}],
        [{"name": "A", "value": "2"}],
        [{"name": "B", "value": "1"}, {"name": "A", "value": "2"}],
    ),
    "imagePullSecrets": ([{"name": "a"}], [{"name": "b"}], [{"name": "b"}]),
    "labels": ({"a": "1", "c": "3"}, {"a": "2"}, {"a": "2", "c": "3"}),
    "nodeSelector": ({"pool": "a"}, {"zone": "b"}, {"zone": "b"}),
    "podSecurityContext": (
        {"fsGroup": 1, "runAsUser": 2},
        {"fsGroup": 3},
        {"fsGroup": 3, "runAsUser": 2},
    ),
    "priorityClassName": ("low", "high", "high"),
    "resources": ({"limits": {"memory": "1Gi"}}, {"requests": {}}, {"requests": {}}),
    "securityContext": ({"runAsUser": 2}, {"runAsGroup": 3}, {"runAsUser": 2, "runAsGroup": 3}),
    "serviceAccountName": ("a", "b", "b"),
    "initContainers": ([{"name": "a"}], [{"name": "b"}], [{"name": "b"}]),
    "volumes": ([{"name": "a"}], [{"name": "b"}], [{"name": "b"}]),
    "volumeMounts": ([{"name": "a"}], [{"name": "b"}], [{"name": "b"}]),
    "hostAliases": ([{"ip": "10.0.0.1"}], [{"ip": "10.0.0.2"}], [{"ip": "10.0.0.2"}]),
    "dnsConfig": ({"nameservers": ["a"]}, {"searches": ["b"]}, {"searches": ["b"]}),
    "runtimeClassName": ("runc", "gvisor", "gvisor"),
    "tolerations": ([{"key": "a"}], [{"key": "b"}], [{"key": "b"}]),
}
"""Default, the resource's own, and what comes of both."""


def parse(document: dict[str, Any]) -> JobOptions:
    return parse_job_options(Fields(document, "job"))


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_each_field_is_filled_in_and_the_resources_own_wins(name: str) -> None:
    default, own, both = SAMPLES[name]
    defaults = read_job_defaults(json.dumps({name: default}))
    assert fill_in(JobOptions(), defaults) == parse({name: default})
    assert fill_in(parse({name: own}), defaults) == parse({name: both})
    assert fill_in(parse({name: own}), JobOptions()) == parse({name: own})


def test_every_field_of_the_job_has_a_default_or_a_setting_of_its_own() -> None:
    crd = yaml.safe_load(CRD.read_text())
    (version,) = crd["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    # --runner-image and --rehearsal-image are these two.
    assert set(spec["properties"]["job"]["properties"]) - ALLOWED == {"image", "rehearsal"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not valid JSON"),
        ("[]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ('{"image": "x"}', "unknown field 'image'"),
        ('{"nodeSelectors": {}}', "unknown field 'nodeSelectors'"),
        ('{"labels": {"team": 1}}', "labels"),
        ('{"tolerations": {}}', "tolerations"),
        ('{"serviceAccountName": "Not A Name"}', "serviceAccountName"),
    ],
)
def test_wrong_defaults_end_the_operator_with_what_is_wrong(
    text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read_config(["run"], {"DBMIGRATE_JOB_DEFAULTS": text})
    message = capsys.readouterr().err
    assert "argument --job-defaults: " in message
    assert said in message


@given(st.text(max_size=40))
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        read_job_defaults(text)
    except SpecError:
        return
