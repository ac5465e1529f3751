"""`make bench`: prints tables of ratios, measured in one run on one PostgreSQL.

Seconds depend on the machine; what counts is the ratio to psql, which runs all
statements in one transaction and keeps no history. Every program gets an empty
database for each run; the median of the runs is taken, the programs in turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from benchmarks.batched import bench_batched
from benchmarks.diffs import bench_diff, bench_rehearse
from benchmarks.measure import Figure, measure
from benchmarks.programs import FLOOR, OURS, Program, all_programs
from benchmarks.work import write_dbmate, write_goose, write_large, write_small, write_whole
from tests.database.proxy import Proxy
from tests.database.server import Database, Server

LATENCY = 0.005


def main() -> int:
    """Run all tables."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--large", type=int, default=50, help="megabytes of the large file")
    parser.add_argument("--rows", type=int, default=500_000, help="rows of the data migration")
    parser.add_argument("--tables", type=int, nargs="*", default=[100, 1000, 5000])
    parser.add_argument("--only", choices=("runs", "diffs"), help="one half of the tables")
    options = parser.parse_args()
    # Five thousand tables in one transaction take a lock each, and their indexes, too.
    settings = {"max_locks_per_transaction": "2000"}
    with Server.start(settings=settings) as server, tempfile.TemporaryDirectory() as scratch:
        if options.only != "diffs":
            bench_runs(server, Path(scratch), options)
        if options.only != "runs":
            files = write_all(Path(scratch) / "rehearsed", 200)
            bench_rehearse(server, 200, files / "small")
            bench_diff(server, tuple(options.tables))
    return 0


def bench_runs(server: Server, scratch: Path, options: argparse.Namespace) -> None:
    """The runner beside its peers."""
    programs = all_programs(server)
    for count in (200, 2000):
        files = write_all(scratch / str(count), count)
        bench_small(server, programs, files, count, options.runs)
    files = scratch / "200"
    bench_idle(server, programs, files, options.runs)
    bench_latency(server, programs, files)
    bench_large(server, programs, scratch, options.large)
    bench_batched(server, scratch / "batched", options.rows, options.runs)


def write_all(home: Path, count: int) -> Path:
    """The same migrations in every format."""
    home.mkdir()
    write_small(home / "small", count)
    write_goose(home / "goose", count)
    write_dbmate(home / "dbmate", count)
    write_whole(home / "whole", count)
    return home


def bench_small(
    server: Server, programs: list[Program], files: Path, count: int, runs: int
) -> None:
    """Apply `count` migrations to an empty database."""
    found: dict[str, list[Figure]] = {program.name: [] for program in programs}
    for _ in range(runs):
        for program in programs:
            database = server.create_database()
            found[program.name].append(apply(program, files, database))
            database.drop()
    show(f"apply {count} small migrations", {k: median(v) for k, v in found.items()}, FLOOR)


def bench_idle(server: Server, programs: list[Program], files: Path, runs: int) -> None:
    """Nothing to do: all 200 are applied already."""
    found = {}
    for program in programs:
        if program.name == FLOOR:
            continue
        database = server.create_database()
        apply(program, files, database)
        figures = [apply(program, files, database) for _ in range(runs * 3)]
        with closing(Proxy(server.host, server.port)) as proxy:
            measure(program.command(files / program.files, proxy.divert(database.url)))
            found[program.name] = replace(median(figures), round_trips=proxy.round_trips)
        database.drop()
    show("nothing to do (200 applied)", found, "golang-migrate 4.19.1")


def bench_latency(server: Server, programs: list[Program], files: Path) -> None:
    """Apply 200 with 5 ms added to each round trip."""
    found = {}
    for program in programs:
        database = server.create_database()
        with closing(Proxy(server.host, server.port, latency=LATENCY)) as proxy:
            command = program.command(files / program.files, proxy.divert(database.url))
            figure = measure(command)
            found[program.name] = replace(figure, round_trips=proxy.round_trips)
        database.drop()
    show("apply 200 with 5 ms of latency", found, OURS)


def bench_large(server: Server, programs: list[Program], scratch: Path, megabytes: int) -> None:
    """One file of 50 MB."""
    directory = scratch / "large"
    write_large(directory, megabytes * 1_000_000)
    script = directory / "000001_large.up.sql"
    found = {}
    for program in programs:
        if program.files not in {"small", "whole"}:
            continue
        database = server.create_database()
        path = script if program.files == "whole" else directory
        found[program.name] = measure(program.command(path, database.url))
        database.drop()
    show(f"one file of {script.stat().st_size / 1e6:.0f} MB", found, FLOOR)


def apply(program: Program, files: Path, database: Database) -> Figure:
    """One run of a program on a database."""
    return measure(program.command(files / program.files, database.url))


def median(figures: list[Figure]) -> Figure:
    """The run in the middle by time."""
    middle = statistics.median_low([figure.seconds for figure in figures])
    return next(figure for figure in figures if figure.seconds == middle)


def show(title: str, figures: dict[str, Figure], base: str) -> None:
    """A table in Markdown, so that it can be copied into docs/benchmarks.md."""
    print(f"\n### {title}\n")
    print(f"| program | seconds | ratio to {base} | peak MB | round trips |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, figure in figures.items():
        ratio = figure.seconds / figures[base].seconds
        trips = str(figure.round_trips) if figure.round_trips else "-"
        row = [name, f"{figure.seconds:.3f}", f"{ratio:.2f}", f"{figure.megabytes:.0f}", trips]
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
