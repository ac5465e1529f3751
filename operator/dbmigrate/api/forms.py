"""The patterns and lengths of a resource's texts, as in the CRD's schema.

They are checked here as well, for an object that an older schema let in: names become
parts of URLs, labels and command lines. A test compares them with the schema.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """A pattern for the whole text, and a limit of its length in characters."""

    limit: int
    pattern: str = r"(?s:.*)"
    least: int = 0

    def find_fault(self, text: str) -> str | None:
        """What is wrong with a text, as the end of a sentence about it; None: nothing."""
        if len(text) > self.limit:
            return f"must have at most {self.limit} characters"
        if len(text) < self.least:
            return "must not be empty"
        if not re.fullmatch(self.pattern, text, re.ASCII):
            return f"must match {self.pattern}"
        return None


OBJECT_NAME = Form(253, r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", least=1)
PART_NAME = Form(63, r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", least=1)
"""A container, or a volume, of a Pod."""
DATA_KEY = Form(253, r"[-._a-zA-Z0-9]+", least=1)
IMAGE = Form(1024, r"[^\s]+", least=1)
_LABEL = r"[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?"
_HOST = (
    rf"({_LABEL}(\.{_LABEL})*\.?|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(%[a-zA-Z0-9_.-]+)?"
    r"|[/@][a-zA-Z0-9_./:-]*)"
)
HOST = Form(1024, rf"{_HOST}(,{_HOST})*", least=1)
"""Names, addresses or directories of sockets, with commas between."""
HOST_NAME_LENGTH = 253
CNPG_NAME = Form(50, r"[a-z]([-a-z0-9]*[a-z0-9])?", least=1)
"""The name of a cluster, as CloudNativePG allows it, or a role that is part of a Secret's name."""
REGION = Form(32, r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}", least=1)
"""Of AWS."""
ENDPOINT = Form(253, r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", least=1)
"""One host's name."""
CLIENT_ID = Form(64, r"[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?", least=1)
"""Of a managed identity or an application of Azure."""
IDENTIFIER = Form(63, r"[^\x00-\x1f\x7f]+", least=1)
"""A database or a role; PostgreSQL cuts what is longer."""
TABLE = Form(127, r"[a-zA-Z_][a-zA-Z0-9_]{0,62}(\.[a-zA-Z_][a-zA-Z0-9_]{0,62})?", least=1)
PATH = Form(1024, r"[^\x00-\x1f\x7f]*")
FILE_PATH = Form(1024, r"/[^\x00-\x1f\x7f]+", least=2)
"""A file, from the root."""
VERSION = Form(127, r"(-1|[0-9A-Za-z][0-9A-Za-z.+~-]*)", least=1)
OWNER = Form(700, r"[!-~]+", least=1)
"""The owner of a database: CLUSTER/NAMESPACE/NAME, or any other word."""
VARIABLE = Form(256, r"[ -<>-~]+", least=1)
"""The name of an environment variable, as Kubernetes has it."""
DRIFT_PATTERN = Form(256, r"[^\x00-\x1f\x7f]+", least=1)
"""Names with `*` for any characters, perhaps a kind and a colon before them."""
PLAN_HASH = Form(128, least=1)
SENTENCE = Form(1024)
LABEL_VALUE = Form(63)
LABEL_KEY = Form(317, least=1)
"""A prefix of at most 253 characters, a slash and a name of at most 63."""
ANNOTATION = Form(65536)
FILE_NAME = Form(253, least=1)
FILE = Form(131072)
