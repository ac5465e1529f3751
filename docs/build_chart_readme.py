"""Makes the chart's README.md from the comments of its values.yaml.

`python docs/build_chart_readme.py` writes it; a test compares. To correct the table, edit the
comment above the value in values.yaml.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

CHART = Path(__file__).parent.parent / "charts" / "dbmigrate-operator"
PAGE = CHART / "README.md"
HEAD = """\
# dbmigrate-operator

The operator migrates PostgreSQL databases to the state that `DatabaseMigration` resources declare.

```sh
helm install dbmigrate charts/dbmigrate-operator \\
  --namespace dbmigrate-system --create-namespace --wait
```

[docs/helm.md](../../docs/helm.md) describes how to use, upgrade and share it.

## Values

`docs/build_chart_readme.py` generates this table from `values.yaml`. Values that are not in the
table are refused.

| value | default | meaning |
| --- | --- | --- |
"""
LINE = re.compile(r"^(?P<indent> *)(?P<name>[\w-]+):(?P<rest>.*)$")
WHOLE = frozenset(
    {
        "health.liveness",
        "health.readiness",
        "health.startup",
        "metrics.dashboard.labels",
        "nodeSelector",
        "podSecurityContext",
        "resources",
        "securityContext",
        "test.resources",
        "updateStrategy",
    }
)
"""Maps that are one value: what is in them is Kubernetes' own."""


def build() -> str:
    """The whole page."""
    rows = [
        f"| `{path}` | `{_show(default)}` | {_escape(comment)} |"
        for path, default, comment in read_values((CHART / "values.yaml").read_text())
    ]
    return HEAD + "\n".join(rows) + "\n"


def read_values(text: str) -> Iterator[tuple[str, object, str]]:
    """Each value's dotted path, its default and the comment above it, in order."""
    defaults = yaml.safe_load(text)
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            comment.append(stripped.removeprefix("#").strip())
            continue
        found = LINE.match(line)
        if found is not None:
            depth = len(found["indent"]) // 2
            if not any(".".join(path[:n]) in WHOLE for n in range(1, depth + 1)):
                path = [*path[:depth], found["name"]]
                name = ".".join(path)
                default = _look_up(defaults, path)
                if name in WHOLE or not isinstance(default, dict) or not default:
                    yield name, default, " ".join(comment)
        comment = []


def _look_up(values: object, path: list[str]) -> object:
    for name in path:
        values = values[name] if isinstance(values, dict) else None
    return values


def _show(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(build())
