"""Reads one script from its file, and refuses what PostgreSQL could not take.

A UTF-8 byte order mark is dropped: Windows editors write it, and PostgreSQL
calls it a syntax error. It is no part of the script, nor of its checksum. Line
ends stay as they are. A NUL byte would silently end the SQL, and bytes that are
not UTF-8 would fail only on the server, without a line: both are errors here.
"""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path

from dbmigrate.errors import Location, MigrationError, cause_of
from dbmigrate.report import Reason
from dbmigrate.sources.confinement import open_inside

_CHUNK = 1 << 20
"""Bytes decoded at a time: the text itself is not kept, and a file may be large."""


def read_script(path: Path, name: str) -> bytes:
    """The SQL in a file, as UTF-8 without a byte order mark.

    Raises MigrationError (SourceInvalid) with the place for what is no such file.
    """
    return check_script(read_file(path, name), name)


def read_encoded(path: Path, name: str, encoding: str) -> bytes:
    """The same as UTF-8, of a file in another encoding."""
    content = read_file(path, name)
    try:
        text = content.decode(encoding)
    except (ValueError, LookupError):
        raise _invalid(name, f"{path} is not written in {encoding}") from None
    return check_script(text.encode(), name)


def read_file(path: Path, name: str) -> bytes:
    """The bytes of a file as they are. Raises MigrationError (SourceInvalid)."""
    try:
        with open(path, "rb", opener=open_inside) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _invalid(name, f"{path} is not a regular file")
            return file.read()
    except IsADirectoryError:
        raise _invalid(name, f"{path} is not a regular file") from None
    except PermissionError:
        raise _invalid(name, f"{path} can't be read: let user {os.getuid()} read it") from None
    except OSError as error:
        raise _invalid(name, f"{path} can't be read: {cause_of(error)}") from None


def check_script(content: bytes, name: str) -> bytes:
    """The content without a byte order mark, known to be UTF-8 without a NUL.

    Raises MigrationError (SourceInvalid) with the line of the first byte at fault.
    """
    content = content.removeprefix(codecs.BOM_UTF8)
    nul = content.find(0)
    if nul >= 0:
        raise _refused(content, nul, name, "a NUL byte; is this SQL, saved as UTF-8?")
    bad = _find_invalid(content)
    if bad is not None:
        raise _refused(
            content, bad, name, f"byte 0x{content[bad]:02x} is not UTF-8; save the file as UTF-8"
        )
    return content


def _find_invalid(content: bytes) -> int | None:
    """The offset of the first byte that is not UTF-8."""
    if content.isascii():
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(content)
    for start in range(0, len(content), _CHUNK):
        held = len(decoder.getstate()[0])
        end = start + _CHUNK
        try:
            decoder.decode(view[start:end], end >= len(content))
        except UnicodeDecodeError as error:
            return start - held + error.start
    return None


def _refused(content: bytes, offset: int, name: str, problem: str) -> MigrationError:
    line_start = content.rfind(b"\n", 0, offset) + 1
    line = content.count(b"\n", 0, offset) + 1
    column = len(content[line_start:offset].decode("utf-8", "replace")) + 1
    return _invalid(name, f"{name}: line {line}: {problem}", line, column)


def _invalid(
    name: str, message: str, line: int | None = None, column: int | None = None
) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message, location=Location(name, line, column))
