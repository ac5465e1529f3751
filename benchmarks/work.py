"""The work that every program is given: directories of migrations, in each one's own format."""

from __future__ import annotations

from pathlib import Path

from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum


def write_small(directory: Path, count: int) -> None:
    """`count` migrations of one table and one index each, for golang-migrate and for us."""
    directory.mkdir()
    for number in range(1, count + 1):
        name = f"{number:06}_create_t{number}"
        (directory / f"{name}.up.sql").write_text(_up(number))
        (directory / f"{name}.down.sql").write_text(_down(number))


def write_goose(directory: Path, count: int) -> None:
    """The same for goose."""
    directory.mkdir()
    for number in range(1, count + 1):
        text = f"-- +goose Up\n{_up(number)}\n-- +goose Down\n{_down(number)}"
        (directory / f"{number:06}_create_t{number}.sql").write_text(text)


def write_dbmate(directory: Path, count: int) -> None:
    """The same for dbmate."""
    directory.mkdir()
    for number in range(1, count + 1):
        text = f"-- migrate:up\n{_up(number)}\n-- migrate:down\n{_down(number)}"
        (directory / f"{number:06}_create_t{number}.sql").write_text(text)


def write_tern(directory: Path, count: int) -> None:
    """The same for tern."""
    directory.mkdir()
    for number in range(1, count + 1):
        text = f"{_up(number)}\n---- create above / drop below ----\n\n{_down(number)}"
        (directory / f"{number:06}_create_t{number}.sql").write_text(text)


def write_atlas(directory: Path, count: int) -> None:
    """The same for Atlas, with its sum; it knows no way down."""
    directory.mkdir()
    for number in range(1, count + 1):
        (directory / f"{number:06}_create_t{number}.sql").write_text(_up(number))
    renew_sum(directory, Format.ATLAS)


def write_flyway(directory: Path, count: int) -> None:
    """The same for Flyway, whose way down is not free."""
    directory.mkdir()
    for number in range(1, count + 1):
        (directory / f"V{number}__create_t{number}.sql").write_text(_up(number))


def write_whole(path: Path, count: int) -> None:
    """The same as one script, for psql."""
    path.write_text("".join(_up(number) for number in range(1, count + 1)))


def write_large(directory: Path, size: int) -> None:
    """One migration of about `size` bytes: a table and INSERTs of 1,000 rows each."""
    directory.mkdir()
    row = "(1, 'a text of some length, as rows of seed data have them, with quotes''s')"
    insert = f"INSERT INTO large VALUES {', '.join([row] * 1000)};\n"
    with (directory / "000001_large.up.sql").open("w") as file:
        file.write("CREATE TABLE large (id int, words text);\n")
        for _ in range(size // len(insert) + 1):
            file.write(insert)
    (directory / "000001_large.down.sql").write_text("DROP TABLE large;\n")


def _up(number: int) -> str:
    return (
        f"CREATE TABLE t{number} (id bigint PRIMARY KEY, name text NOT NULL);\n"
        f"CREATE INDEX t{number}_name ON t{number} (name);\n"
    )


def _down(number: int) -> str:
    return f"DROP TABLE t{number};\n"
