"""How soon each side notices that the other one no longer answers.

A node that loses its power, or a network that drops packets, closes no connection. By
default the kernel notices after two hours that an idle connection is dead, and after a
quarter of an hour if data was sent. The aim is a minute: on the client, so that a run does
not hang; and on the server, so that it releases the locks of a run whose node is lost.
"""

from __future__ import annotations

IDLE_SECONDS = 20
"""The idle time after which keepalives are sent."""
INTERVAL_SECONDS = 10
"""Time between two questions."""
LOST_MILLISECONDS = 60_000
"""Time without an answer after which the connection is given up, whether anything was sent."""

CLIENT = {
    "keepalives": "1",
    "keepalives_idle": str(IDLE_SECONDS),
    "keepalives_interval": str(INTERVAL_SECONDS),
    "keepalives_count": "4",
    "tcp_user_timeout": str(LOST_MILLISECONDS),
}
"""For libpq. With tcp_user_timeout, Linux counts time and not questions."""

KEEPALIVES = (
    f"SET tcp_keepalives_idle = {IDLE_SECONDS};"
    f" SET tcp_keepalives_interval = {INTERVAL_SECONDS};"
    f" SET tcp_user_timeout = {LOST_MILLISECONDS}"
)
"""For the server's side of a session; without effect on a Unix-domain socket. What RESET ALL
undoes. While a statement runs, the server notices a lost client only if it looks
(client_connection_check_interval, since PostgreSQL 14)."""
