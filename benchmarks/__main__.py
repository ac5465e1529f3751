"""`make bench`: prints tables of ranges and ratios, measured in one run on one PostgreSQL.

Seconds depend on the machine and on what else it does; what counts is processor time, of
the program and of the server, as a ratio to psql, which runs all statements in one
transaction and keeps no history. Every program gets an empty database for each run, the
programs in turns.
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
from benchmarks.programs import FLOOR, MIGRATE, OURS, Program, all_programs
from benchmarks.work import (
    write_atlas,
    write_dbmate,
    write_flyway,
    write_goose,
    write_large,
    write_small,
    write_tern,
    write_whole,
)
from tests.database.proxy import Proxy
from tests.database.server import Database, Server

LATENCY = 0.005


def main() -> int:
    """Run all tables."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--counts", type=int, nargs="+", default=[200, 2000], help="of files")
    parser.add_argument("--large", type=int, default=50, help="megabytes of the large file")
    parser.add_argument(
        "--rows", type=int, default=500_000, help="rows of the data migration; 0: none"
    )
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
    for count in options.counts:
        files = write_all(scratch / str(count), count)
        bench_small(server, programs, files, count, options.runs)
    files = scratch / str(options.counts[0])
    bench_idle(server, programs, files, options)
    bench_latency(server, programs, files, options.counts[0])
    bench_large(server, programs, scratch, options)
    if options.rows:
        bench_batched(server, scratch / "batched", options.rows, options.runs)


def write_all(home: Path, count: int) -> Path:
    """The same migrations in every format."""
    home.mkdir()
    write_small(home / "small", count)
    write_goose(home / "goose", count)
    write_dbmate(home / "dbmate", count)
    write_tern(home / "tern", count)
    write_atlas(home / "atlas", count)
    write_flyway(home / "flyway", count)
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
    show(f"apply {count} small migrations", found, FLOOR)


def bench_idle(
    server: Server, programs: list[Program], files: Path, options: argparse.Namespace
) -> None:
    """Nothing to do: all are applied already."""
    found = {}
    for program in programs:
        if program.name == FLOOR:
            continue
        database = server.create_database()
        apply(program, files, database)
        figures = [apply(program, files, database) for _ in range(options.runs * 3)]
        with closing(Proxy(server.host, server.port)) as proxy:
            measure(program.command(files / program.files, proxy.divert(database.url)))
            found[program.name] = [replace(f, round_trips=proxy.round_trips) for f in figures]
        database.drop()
    show(f"nothing to do ({options.counts[0]} applied)", found, MIGRATE)


def bench_latency(server: Server, programs: list[Program], files: Path, count: int) -> None:
    """Apply them with 5 ms added to each round trip."""
    found = {}
    for program in programs:
        database = server.create_database()
        with closing(Proxy(server.host, server.port, latency=LATENCY)) as proxy:
            command = program.command(files / program.files, proxy.divert(database.url))
            figure = measure(command, postmaster=postmaster_of(server))
            found[program.name] = [replace(figure, round_trips=proxy.round_trips)]
        database.drop()
    show(f"apply {count} with 5 ms of latency", found, OURS)


def bench_large(
    server: Server, programs: list[Program], scratch: Path, options: argparse.Namespace
) -> None:
    """One file of 50 MB."""
    directory = scratch / "large"
    write_large(directory, options.large * 1_000_000)
    script = directory / "000001_large.up.sql"
    wanted = [program for program in programs if program.files in {"small", "whole"}]
    found: dict[str, list[Figure]] = {program.name: [] for program in wanted}
    for _ in range(options.runs):
        for program in wanted:
            database = server.create_database()
            path = script if program.files == "whole" else directory
            command = program.command(path, database.url)
            found[program.name].append(measure(command, postmaster=postmaster_of(server)))
            database.drop()
    show(f"one file of {script.stat().st_size / 1e6:.0f} MB", found, FLOOR)


def apply(program: Program, files: Path, database: Database) -> Figure:
    """One run of a program on a database."""
    command = program.command(files / program.files, database.url)
    return measure(command, postmaster=postmaster_of(database.server))


def postmaster_of(server: Server) -> int:
    """The process whose children do the server's work."""
    return int((server.data / "postmaster.pid").read_text().split()[0])


def show(title: str, figures: dict[str, list[Figure]], base: str) -> None:
    """A table in Markdown, so that it can be copied into docs/benchmarks.md.

    Each cell has the range of all runs; ratios are of the medians.
    """
    print(f"\n### {title}\n")
    print(
        "| program | seconds | processor: program | processor: server | both, as ratio"
        f" to {base} | peak MB | round trips |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    basis = statistics.median(f.cpu_seconds + f.server_cpu_seconds for f in figures[base])
    for name, runs in figures.items():
        ratios = [(f.cpu_seconds + f.server_cpu_seconds) / basis if basis else 0.0 for f in runs]
        trips = str(runs[0].round_trips) if runs[0].round_trips else "-"
        row = [
            name,
            spread([f.seconds for f in runs], 2),
            spread([f.cpu_seconds for f in runs], 2),
            spread([f.server_cpu_seconds for f in runs], 2),
            spread(ratios, 2),
            spread([f.megabytes for f in runs], 0),
            trips,
        ]
        print(f"| {' | '.join(row)} |", flush=True)


def spread(values: list[float], digits: int) -> str:
    """From the least to the most; one number where they look the same."""
    ends = [f"{value:.{digits}f}" for value in (min(values), max(values))]
    return ends[0] if ends[0] == ends[1] else " - ".join(ends)


if __name__ == "__main__":
    sys.exit(main())
