"""Go templates without a database: what is understood, and what is refused by its name."""

from __future__ import annotations

import pytest

from dbmigrate.cli.arguments.flags import UsageError
from dbmigrate.cli.atlas.documents import Document, Duration
from dbmigrate.cli.atlas.template import Template

pytestmark = pytest.mark.quick

DOCUMENT = Document(
    {"Name": "x", "Empty": "", "Files": [Document({"Name": "a"}), Document({"Name": "b"})]},
    methods={"Took": Duration(1_500_000), "Left": 3},
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{ .Name }}", "x"),
        ("a {{- /* why */ -}} b", "ab"),
        ("{{ range $f := .Files }}{{ $f.Name }}{{ end }}", "ab"),
        ("{{ range .Files }}{{ $.Name }}{{ .Name }} {{ end }}", "xa xb "),
        ("{{ with .Empty }}no{{ else with .Name }}{{ . }}{{ end }}", "x"),
        ("{{ if not (eq .Left 1 2 3) }}no{{ else if lt .Left 4 }}yes{{ end }}", "yes"),
        ("{{ (index .Files 1).Name | printf `%q` }}", '"b"'),
        ("{{ .Took }} {{ true }} {{ nil }}", "1.5ms true <nil>"),
        ("{{ json .Files }}", '[{"Name":"a"},{"Name":"b"}]'),
        ("{{ json . }}", '{"Name":"x","Files":[{"Name":"a"},{"Name":"b"}]}'),
    ],
)
def test_a_template_is_filled_in(text: str, told: str) -> None:
    assert Template(text).render(DOCUMENT) == told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ if .Name }}", "{{ if }} has no {{ end }}"),
        ("{{ end }}", "{{ end }} ends nothing"),
        ("{{ .Name", "a {{ has no }}"),
        ("{{ table . }}", "the function table is not known"),
        ("{{ template `x` }}", "the function template is not known"),
        ("{{ (.Name }}", "is not understood"),
        ("{{ .Name ? }}", "is not understood"),
        ("{{ }}", "is not understood"),
    ],
)
def test_what_is_not_understood_is_refused_before_anything_is_run(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Template(text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ .Nothing }}", "there is no field Nothing"),
        ("{{ .Name.More }}", "there is no field More"),
        ("{{ index .Files 5 }}", "index can't be called with these values"),
        ("{{ $x }}", "there is no variable $x"),
        ("{{ . }}", "json alone"),
        ("{{ lt .Name 3 }}", "lt can't be called"),
    ],
)
def test_what_the_document_does_not_have_is_an_error(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Template(text).render(DOCUMENT)
    assert said in str(refused.value)
