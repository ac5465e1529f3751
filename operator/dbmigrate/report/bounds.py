"""The bounds of what is kept of a report that is read: of texts, numbers and lists."""

from __future__ import annotations

from typing import Annotated

from dbmigrate.codec import Bound
from dbmigrate.policies import OWNER_LIMIT
from dbmigrate.untrusted import INT32

VERSION_LIMIT = 200
NAME_LIMIT = 255
WORD_LIMIT = 64
HASH_LIMIT = 128
FILE_LIMIT = 1024
EXCERPT_LIMIT = 1024
TEXT_LIMIT = 4096
"""Characters that are kept of each text when a report is read."""
STEPS_LIMIT, FINDINGS_LIMIT, CHANGED_LIMIT, FAILURES_LIMIT = 200, 20, 100, 50
WAVES_LIMIT = VERSIONS_LIMIT = DIFFERENCES_LIMIT = 20
"""Items that are kept of each list."""

VersionText = Annotated[str, Bound(VERSION_LIMIT)]
OwnerText = Annotated[str, Bound(OWNER_LIMIT)]
Name = Annotated[str, Bound(NAME_LIMIT)]
Word = Annotated[str, Bound(WORD_LIMIT)]
Hash = Annotated[str, Bound(HASH_LIMIT)]
FileName = Annotated[str, Bound(FILE_LIMIT)]
Excerpt = Annotated[str, Bound(EXCERPT_LIMIT)]
Text = Annotated[str, Bound(TEXT_LIMIT)]
Count = Annotated[int, Bound(INT32)]
