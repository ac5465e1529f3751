"""The report keeps its promises whatever is put into it."""

import json
import operator
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dbmigrate.printable import lines
from dbmigrate.report import TERMINATION_MESSAGE_LIMIT, Outcome, Reason, Report, ReportError, Step
from dbmigrate.report import document as document_module
from dbmigrate.report import drift as drift_module
from dbmigrate.report import fleet as fleet_module
from dbmigrate.report import preparation as preparation_module
from dbmigrate.report.bounds import DIFFERENCES_LIMIT
from dbmigrate.report.drift import ReportedDifference, ReportedDrift
from dbmigrate.report.fleet import FleetCounts, FleetFailure, FleetReport
from dbmigrate.report.preparation import Backup, LintFinding, RehearsalSummary

REPORT = Report(
    command="goto latest",
    outcome=Outcome.APPLIED,
    version="2",
    dirty=False,
    tool_version="0.1.0",
    started_at="2026-11-24T03:00:00Z",
    milliseconds=12,
    from_version="1",
    target="2",
    pending=0,
    steps=(Step("2", "add_user_phone", "up", 3),),
    steps_total=1,
)

CHARACTERS = st.characters(exclude_categories=["Cs"])


def reports_of(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[Report]:
    """Reports whose texts have these characters."""
    texts = st.text(alphabet, max_size=4000)
    errors = st.builds(
        ReportError,
        reason=st.sampled_from(Reason),
        message=texts,
        retryable=st.booleans(),
        sqlstate=st.none() | st.just("42601"),
        file=st.none() | texts,
        line=st.none() | st.integers(1, 10**9),
        column=st.none() | st.integers(1, 10**9),
        excerpt=st.none() | texts,
        detail=st.none() | texts,
        hint=st.none() | texts,
    )
    steps = st.builds(
        Step,
        version=st.integers(0, 2**63 - 1).map(str),
        name=st.text(alphabet, max_size=200),
        direction=st.sampled_from(["up", "down"]),
        milliseconds=st.integers(0, 10**9),
    )
    names = st.text(alphabet, min_size=1, max_size=60)
    findings = st.builds(
        LintFinding,
        rule=names,
        severity=st.sampled_from(["error", "warning"]),
        file=names,
        line=st.integers(1, 10**6),
        message=st.text(alphabet, max_size=160),
    )
    counts = st.integers(0, 10**6)
    fleets = st.builds(
        FleetReport,
        counts=st.builds(FleetCounts, **{each.name: counts for each in fields(FleetCounts)}),
        wave=st.none() | names,
        shard=st.none() | st.just("3/200"),
        failures=st.lists(
            st.builds(
                FleetFailure,
                name=names,
                outcome=st.sampled_from(["failed", "dirty", "unreachable"]),
                reason=st.sampled_from(Reason),
                message=st.text(alphabet, max_size=500),
                file=st.none() | names,
                line=st.none() | st.integers(1, 10**6),
            ),
            max_size=8,
        ).map(tuple),
    )
    differences = st.builds(
        ReportedDifference,
        change=st.sampled_from(["added", "changed", "dropped"]),
        kind=names,
        name=names,
        details=st.none() | st.text(alphabet, min_size=1, max_size=1000),
        undo=st.none() | st.text(alphabet, min_size=1, max_size=1000),
    )
    drift = st.builds(
        ReportedDrift,
        differences_total=counts,
        checksum=st.just("0f" * 32),
        differences=st.lists(differences, max_size=DIFFERENCES_LIMIT).map(tuple),
    )
    return st.builds(
        Report,
        command=texts,
        outcome=st.sampled_from(Outcome),
        version=st.none() | st.integers(0, 2**63 - 1).map(str),
        dirty=st.none() | st.booleans(),
        tool_version=st.just("0.1.0"),
        started_at=st.just("2026-11-24T03:00:00Z"),
        milliseconds=st.integers(0, 10**9),
        from_version=st.none() | st.integers(0, 2**63 - 1).map(str),
        target=st.none() | st.just("latest"),
        pending=st.none() | st.integers(0, 10**6),
        steps=st.lists(steps, max_size=60).map(tuple),
        steps_total=st.integers(0, 10**6),
        error=st.none() | errors,
        backup=st.none()
        | st.builds(Backup, name=names, size=st.integers(0, 2**63 - 1), sha256=st.just("0f" * 32)),
        plan_checksum=st.none() | st.just("0f" * 32),
        changed=st.lists(names, max_size=5).map(tuple),
        server_version=st.none() | st.just("17.10"),
        findings=st.lists(findings, max_size=12).map(tuple),
        findings_total=counts,
        rehearsal=st.none()
        | st.builds(RehearsalSummary, steps=counts, without_down=counts, milliseconds=counts),
        fleet=st.none() | fleets,
        drift=st.none() | drift,
    )


@settings(derandomize=True, deadline=None)
@given(reports_of(CHARACTERS.filter(lambda character: lines(character) == character)))
def test_a_report_reads_back_as_it_was_written(report: Report) -> None:
    assert Report.from_json(report.to_json()) == report


def repeated(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts of a few characters over and over, so that reports are far too large."""
    return st.builds(operator.mul, st.text(alphabet, min_size=1, max_size=3), st.integers(1, 2000))


def large_reports() -> st.SearchStrategy[Report]:
    texts = repeated(CHARACTERS)
    return st.builds(
        replace,
        reports_of(CHARACTERS),
        command=texts,
        error=st.none()
        | st.builds(
            ReportError,
            reason=st.sampled_from(Reason),
            message=texts,
            retryable=st.booleans(),
            file=st.none() | texts,
            line=st.none() | st.integers(1, 10**9),
            detail=st.none() | texts,
            hint=st.none() | texts,
            excerpt=st.none() | texts,
        ),
    )


@settings(derandomize=True, deadline=None, max_examples=100)
@given(large_reports())
def test_a_cut_report_fits_and_keeps_what_decides(report: Report) -> None:
    assume(len(report.to_json().encode()) > TERMINATION_MESSAGE_LIMIT)
    text = report.to_json(limit=TERMINATION_MESSAGE_LIMIT)
    assert len(text.encode()) <= TERMINATION_MESSAGE_LIMIT
    read = Report.from_json(text)
    assert (read.version, read.dirty, read.outcome) == (
        report.version,
        report.dirty,
        report.outcome,
    )
    assert read.steps_total == report.steps_total
    assert (read.drift is None) == (report.drift is None)
    if read.drift is not None and report.drift is not None:
        assert read.drift.differences_total == report.drift.differences_total
        assert read.drift.checksum == report.drift.checksum
    assert (read.error is None) == (report.error is None)
    if read.error is not None and report.error is not None:
        assert read.error.reason is report.error.reason
        assert read.error.retryable is report.error.retryable
        assert read.error.line == report.error.line


def test_a_report_is_cut_only_where_it_does_not_fit() -> None:
    many = tuple(Step(str(n), "create_table", "up", n) for n in range(61))
    report = replace(REPORT, steps=many, steps_total=61)
    finding = LintFinding("rule", "warning", "1.sql", 1, "says")
    for each in (report, replace(report, findings=(finding,) * 5)):
        size = len(each.to_json().encode())
        for enough in (size, size + 1):
            assert Report.from_json(each.to_json(limit=enough)) == each
    size = len(report.to_json().encode())
    assert Report.from_json(report.to_json(limit=size - 1)).steps == many[31:]


def test_of_a_drift_the_statements_go_first_then_the_details_then_the_last_objects() -> None:
    def drift(size: int, *, details: int, undo: int) -> Report:
        each = ReportedDifference("added", "table", "t" * size, "d" * details, "u" * undo)
        shown = (each,) * DIFFERENCES_LIMIT
        return replace(REPORT, drift=ReportedDrift(100, "0f" * 32, shown))

    def kept(report: Report) -> tuple[int, ReportedDifference]:
        read = Report.from_json(report.to_json(TERMINATION_MESSAGE_LIMIT)).drift
        assert read is not None
        assert (read.differences_total, read.checksum) == (100, "0f" * 32)
        return len(read.differences), read.differences[0]

    assert kept(drift(10, details=50, undo=500)) == (
        DIFFERENCES_LIMIT,
        ReportedDifference("added", "table", "t" * 10, "d" * 50),
    )
    assert kept(drift(10, details=500, undo=500)) == (
        DIFFERENCES_LIMIT,
        ReportedDifference("added", "table", "t" * 10, shortened("d", 64)),
    )
    assert kept(drift(100, details=500, undo=500)) == (
        DIFFERENCES_LIMIT,
        ReportedDifference("added", "table", "t" * 100),
    )
    count, first = kept(drift(1000, details=500, undo=500))
    assert first == ReportedDifference("added", "table", "t" * 1000)
    assert count == 3


def test_of_a_fleets_failures_as_many_are_kept_as_fit() -> None:
    failures = tuple(FleetFailure(f"t-{n}", "failed", Reason.STATEMENT_FAILED) for n in range(50))
    fleet = FleetReport(FleetCounts(total=60, failed=60), failures=failures)
    for kept in (50, 49, 48, 1, 0):
        fits = replace(REPORT, fleet=replace(fleet, failures=failures[:kept]))
        limit = len(fits.to_json().encode())
        assert Report.from_json(replace(REPORT, fleet=fleet).to_json(limit)) == fits


def test_of_a_drifts_differences_as_many_are_kept_as_fit() -> None:
    shown = tuple(ReportedDifference("added", "table", f"t{n}") for n in range(DIFFERENCES_LIMIT))
    drift = ReportedDrift(100, "0f" * 32, shown)
    for kept in (20, 19, 2, 1, 0):
        fits = replace(REPORT, drift=replace(drift, differences=shown[:kept]))
        limit = len(fits.to_json().encode())
        assert Report.from_json(replace(REPORT, drift=drift).to_json(limit)) == fits


def test_a_secret_is_hidden_in_every_text_of_the_error() -> None:
    def error(*texts: str) -> ReportError:
        message, excerpt, detail, hint = texts
        return ReportError(
            Reason.DIRTY, message, file="1.sql", excerpt=excerpt, detail=detail, hint=hint
        )

    hidden = replace(REPORT, error=error(*"mxdh")).hiding(lambda text: f"<{text}>")
    assert hidden == replace(REPORT, error=error("<m>", "<x>", "<d>", "<h>"))
    assert REPORT.hiding(lambda text: f"<{text}>") == REPORT
    bare = replace(REPORT, error=ReportError(Reason.DIRTY, "m"))
    assert bare.hiding(str.upper).error == ReportError(Reason.DIRTY, "M")


def test_what_a_report_leaves_out_says_nothing() -> None:
    modules = (document_module, drift_module, fleet_module, preparation_module)
    kinds = {each for module in modules for each in vars(module).values() if is_dataclass(each)}
    assert {Report, ReportError, ReportedDrift, FleetCounts, Backup, Step} <= kinds
    for kind in kinds:
        for each in fields(kind):
            if each.name != "schema_version" and each.default is not MISSING:
                assert each.default in (None, False, 0, "", ()), (kind, each.name)


def test_what_is_dropped_is_dropped_in_this_order() -> None:
    """Each smaller limit drops the next part, and only that one."""
    failure = FleetFailure("t", "failed", Reason.STATEMENT_FAILED)
    finding = LintFinding("rule", "warning", "1.sql", 1, "says")
    difference = ReportedDifference("added", "table", "t", "details", "undo")
    fleet = FleetReport(FleetCounts(total=1), failures=(failure,))
    drift = ReportedDrift(1, "0f" * 32, (difference,))
    whole = replace(REPORT, command="c" * 257, changed=("1.sql",), steps=REPORT.steps * 3)
    whole = replace(whole, fleet=fleet, drift=drift, findings=(finding,) * 4)
    without_undo = replace(difference, undo=None)
    sizes = [whole]
    changes: list[dict[str, Any]] = [
        {"fleet": replace(fleet, failures=())},
        {"drift": replace(drift, differences=(without_undo,))},
        {"drift": replace(drift, differences=(replace(without_undo, details=None),))},
        {"drift": replace(drift, differences=())},
        {"findings": (finding,) * 3},
        {"steps": REPORT.steps},
        {"steps": ()},
        {"changed": (), "findings": ()},
        {"command": "c" * 256},
    ]
    for each in changes:
        sizes.append(replace(sizes[-1], **each))
    for smaller in sizes:
        assert Report.from_json(whole.to_json(len(smaller.to_json().encode()))) == smaller
    assert whole.to_json(limit=1) == sizes[-1].to_json()


def test_of_each_text_and_list_so_much_is_read() -> None:
    finding = LintFinding("rule", "warning", "1.sql", 1, "says")
    failure = FleetFailure("t", "failed", Reason.STATEMENT_FAILED, "m" * 5000, "f" * 5000)
    counts = FleetCounts(total=1)
    report = Report.from_json(
        replace(
            REPORT,
            command="c" * 5000,
            version="1" * 500,
            tool_version="v" * 500,
            steps=REPORT.steps * 500,
            findings=(finding,) * 500,
            changed=("1.sql",) * 500,
            fleet=FleetReport(counts, wave="w" * 500, shard="s" * 500, failures=(failure,) * 500),
        ).to_json()
    )
    assert (len(report.command), len(report.version or "")) == (4096, 200)
    assert (len(report.steps), len(report.findings), len(report.changed)) == (200, 20, 100)
    assert report.fleet is not None
    assert len(report.fleet.failures) == 50
    first = report.fleet.failures[0]
    assert (len(first.message), len(first.file or "")) == (1024, 1024)
    assert (len(report.fleet.wave or ""), len(report.fleet.shard or "")) == (255, 64)


def error_of(character: str, size: int) -> ReportError:
    text = character * size
    return ReportError(
        Reason.STATEMENT_FAILED, text, False, file=text, excerpt=text, detail=text, hint=text
    )


def cut_error(character: str, size: int, *, limit: int = TERMINATION_MESSAGE_LIMIT) -> ReportError:
    """What is kept of an error whose texts have so many characters."""
    given = replace(REPORT, outcome=Outcome.FAILED, error=error_of(character, size))
    error = Report.from_json(given.to_json(limit)).error
    assert error is not None
    return error


def shortened(character: str, size: int) -> str:
    return character * (size - 3) + "..."


@pytest.mark.parametrize(
    ("character", "limit", "kept"),
    [
        ("m", 4096, 1024),
        ("\u00fc", 4096, 512),
        ("m", 1200, 128),
        ("\u20ac", 2000, 64),
        ("m", 1, 16),
    ],
)
def test_texts_of_an_error_are_halved_until_they_fit(character: str, limit: int, kept: int) -> None:
    error = cut_error(character, 3000, limit=limit)
    assert error.message == shortened(character, kept)
    half = shortened(character, kept // 2)
    assert (error.detail, error.hint, error.excerpt) == (half, half, half)
    assert error.file == shortened(character, 256)


def test_a_text_that_is_short_enough_stays_whole() -> None:
    assert replace(cut_error("m", 1024), file=None) == ReportError(
        Reason.STATEMENT_FAILED,
        "m" * 1024,
        False,
        excerpt=shortened("m", 512),
        detail=shortened("m", 512),
        hint=shortened("m", 512),
    )


def test_steps_go_before_texts_do() -> None:
    many = tuple(Step(str(n), "create_table" * 9, "up", n) for n in range(60))
    error = replace(error_of("m", 200), file="1.sql")
    cut = Report.from_json(replace(REPORT, steps=many, error=error).to_json(4096))
    assert cut.error == error
    assert cut.steps == many[-len(cut.steps) :]
    huge = replace(REPORT, steps=many, changed=("1.sql",), error=error_of("m", 3000))
    cut = Report.from_json(huge.to_json(4096))
    assert (cut.steps, cut.changed) == ((), ())


def test_a_command_is_cut_last() -> None:
    cut = Report.from_json(replace(REPORT, command="c" * 9000).to_json(4096))
    assert cut == replace(REPORT, command="c" * 256, steps=())


def test_a_step_loses_no_data_unless_it_is_said() -> None:
    (step,) = Report.from_json(REPORT.to_json()).steps
    assert step.destructive is False
    losing = replace(REPORT, steps=(replace(step, destructive=True),))
    document = json.loads(losing.to_json())
    assert document["steps"][0]["destructive"] is True
    assert Report.from_json(losing.to_json()) == losing


def test_an_error_is_not_retried_unless_it_is_said() -> None:
    said = replace(REPORT, error=ReportError(Reason.DIRTY, "m", retryable=True))
    document = json.loads(said.to_json())
    assert document["error"].pop("retryable") is True
    read = Report.from_json(json.dumps(document)).error
    assert read is not None
    assert read.retryable is False


def test_the_newest_steps_are_the_ones_that_are_kept() -> None:
    many = tuple(Step(str(n), f"create_table_{n}" * 4, "up", n) for n in range(500))
    cut = Report.from_json(replace(REPORT, steps=many, steps_total=500).to_json(limit=4096))
    assert cut.steps
    assert cut.steps == many[-len(cut.steps) :]
    assert cut.steps_total == 500


def test_versions_are_strings_and_names_are_those_of_the_contract() -> None:
    document = json.loads(REPORT.to_json())
    assert document["schemaVersion"] == 1
    assert document["version"] == "2"
    assert document["from"] == "1"
    assert document["stepsTotal"] == 1
    assert document["steps"][0] == {
        "version": "2",
        "name": "add_user_phone",
        "direction": "up",
        "milliseconds": 3,
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "{}",
        "null",
        '"text"',
        "[" * 4000,
        '{"schemaVersion": 2}',
        '{"schemaVersion": 1}',
        '{"schemaVersion": 1, "command": "up", "outcome": "Applied", "milliseconds": Infinity}',
        '{"schemaVersion": 1, "command": "up", "outcome": "Applied", "steps": [1]}',
        '{"schemaVersion": 1, "command": "up", "outcome": "Applied", "error": "text"}',
    ],
)
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a report"):
        Report.from_json(text)


def test_a_reason_of_a_newer_runner_is_read_as_internal_and_unknown_fields_are_passed_over() -> (
    None
):
    error = ReportError(Reason.DIRTY, "m", retryable=False)
    document = json.loads(replace(REPORT, error=error).to_json())
    document["error"]["reason"] = "SomethingNew"
    document["later"] = {"more": 1}
    read = Report.from_json(json.dumps(document))
    assert read.error == replace(error, reason=Reason.INTERNAL)


def test_a_long_plan_keeps_the_worst_findings_beside_its_steps() -> None:
    found = [
        LintFinding("index-blocks-writes", "error", f"{n}.sql", n, "x" * 150) for n in range(8)
    ]
    many = tuple(Step(str(n), "add_index", "up", 1, excerpt="CREATE INDEX") for n in range(60))
    report = replace(REPORT, steps=many, steps_total=60, findings=tuple(found), findings_total=8)
    text = report.to_json(TERMINATION_MESSAGE_LIMIT)
    assert len(text.encode()) <= TERMINATION_MESSAGE_LIMIT
    back = Report.from_json(text)
    assert [each.file for each in back.findings] == ["0.sql", "1.sql", "2.sql"]
    assert len(back.steps) > 10
    assert (back.findings_total, back.steps_total) == (8, 60)
