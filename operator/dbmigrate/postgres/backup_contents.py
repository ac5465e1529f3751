"""The tables that a backup has, by the list that pg_restore makes of it."""

from __future__ import annotations

from dataclasses import dataclass

_ENTRY = "TABLE "


@dataclass(frozen=True, slots=True)
class BackupContents:
    """The entries of tables: schema, name and owner, with blanks between them."""

    entries: tuple[str, ...]

    @classmethod
    def parse(cls, listing: str) -> BackupContents:
        """Read the output of `pg_restore --list`: `219; 1259 16385 TABLE public users shop`."""
        described = (
            line.split(" ", 3)[3]
            for line in listing.splitlines()
            if not line.startswith(";") and line.count(" ") > 3
        )
        return cls(
            tuple(
                text.removeprefix(_ENTRY)
                for text in described
                if text.startswith(_ENTRY)
                and not text.startswith((f"{_ENTRY}DATA ", "TABLE ATTACH "))
            )
        )

    def has_table(self, schema: str, table: str) -> bool:
        """Whether it has that table."""
        return self._has(f"{schema} {table} ")

    def has_schema(self, schema: str) -> bool:
        """Whether it has a table of that schema."""
        return self._has(f"{schema} ")

    def _has(self, beginning: str) -> bool:
        # The list has a blank for each character that would end a line.
        wanted = beginning.replace("\n", " ").replace("\r", " ")
        return any(entry.startswith(wanted) for entry in self.entries)
