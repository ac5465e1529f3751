"""Other sessions of the server that are in our way, as people want them named."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OtherSession:
    """Who holds what we wait for. A role without pg_read_all_stats sees only the pid."""

    pid: int
    application_name: str | None = None
    user: str | None = None
    client: str | None = None
    """The client's address; None: a local socket, or not visible to our role."""
    seconds: float | None = None
    """How long its transaction or its statement has lasted."""
    state: str | None = None
    """`active`, `idle in transaction`, ..."""
    statement: str | None = None
    """Its newest statement, shortened to one line."""

    def __str__(self) -> str:
        parts = [f"pid {self.pid}"]
        if self.application_name:
            parts.append(self.application_name)
        if self.user:
            parts.append(f"role {self.user}")
        if self.client:
            parts.append(f"from {self.client}")
        if self.state:
            parts.append(self.state)
        if self.seconds is not None:
            parts.append(f"for {self.seconds:.0f} s")
        text = ", ".join(parts)
        return f"{text}: {self.statement}" if self.statement else text
