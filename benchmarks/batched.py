"""A data migration: one UPDATE, a loop that somebody writes for psql, and batches of ours."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from benchmarks.measure import measure
from tests.database.server import Server

SIZES = (1000, 10_000)
_NEXT = "SELECT id FROM rows_to_fill WHERE id > {after} ORDER BY id LIMIT {size}"
_FILL = f"UPDATE rows_to_fill SET lower = lower(name) WHERE id IN ({_NEXT})"
WHOLE = "UPDATE rows_to_fill SET lower = lower(name)"
LOOP = """DO $$ DECLARE last bigint := 0; BEGIN LOOP
  WITH done AS ({fill} RETURNING id) SELECT max(id) INTO last FROM done;
  COMMIT; EXIT WHEN last IS NULL;
END LOOP; END $$"""


def bench_batched(server: Server, scratch: Path, rows: int, runs: int) -> None:
    """Fill one column of a table, from a table as new for each run."""
    psql = [str(server.bin_dir / "psql"), "-q", "-v", "ON_ERROR_STOP=1", "-c"]
    ours = str(Path(sys.executable).with_name("dbmigrate"))
    commands: dict[str, list[str]] = {"one UPDATE": [*psql, WHOLE]}
    for size in SIZES:
        loop = LOOP.format(fill=_FILL.format(after="last", size=size))
        commands[f"psql, a loop with COMMIT, {size} rows"] = [*psql, loop]
        directory = _write(scratch / str(size), size)
        commands[f"dbmigrate, batches of {size} rows"] = [ours, "-path", str(directory)]
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            database = server.create_database()
            database.execute(
                "CREATE TABLE rows_to_fill (id bigint PRIMARY KEY, name text, lower text);"
                f"INSERT INTO rows_to_fill SELECT g, 'Name ' || g FROM generate_series(1, {rows}) g"
            )
            database.execute("VACUUM ANALYZE rows_to_fill")
            database.execute("CHECKPOINT")
            is_ours = command[0] == ours
            rest = ["-database", database.url, "up"] if is_ours else [database.url]
            found[name].append(measure([*command, *rest]).seconds)
            filled = database.query("SELECT count(*) FROM rows_to_fill WHERE lower IS NULL")
            if filled != [(0,)]:
                raise RuntimeError(f"{name} has left rows out: {filled}")
            database.drop()
    _show(f"fill a column of {rows} rows", found, rows)


def _write(directory: Path, size: int) -> Path:
    directory.mkdir(parents=True)
    fill = _FILL.format(after=":cursor", size=":batch_size")
    head = f"-- dbmigrate:batched size={size} duration=1h start=0"
    (directory / "000001_fill.up.sql").write_text(f"{head}\n{fill} RETURNING id;\n")
    return directory


def _show(title: str, found: dict[str, list[float]], rows: int) -> None:
    print(f"\n### {title}\n")
    print("| way | seconds | rows a second | ratio to one UPDATE |")
    print("| --- | ---: | ---: | ---: |")
    base = statistics.median_low(found["one UPDATE"])
    for name, all_seconds in found.items():
        seconds = statistics.median_low(all_seconds)
        print(f"| {name} | {seconds:.2f} | {rows / seconds:,.0f} | {seconds / base:.2f} |")
