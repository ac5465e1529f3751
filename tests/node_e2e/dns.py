"""The cluster's DNS: names of Services, answered from the API server.

It stands in for CoreDNS and knows A records of `SERVICE.NAMESPACE.svc.cluster.local` alone.
"""

from __future__ import annotations

import socket
import struct
import threading

from tests.cluster.api import Api, ApiError

ZONE = ("svc", "cluster", "local")
NAME_ERROR = 0x8183
ANSWER = 0x8180


class Resolver:
    """Serves until it is stopped. Start it on a thread that is in the node's network."""

    def __init__(self, api: Api, address: str) -> None:
        self._api = api
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                query, client = self._socket.recvfrom(4096)
                self._socket.sendto(self._answer(query), client)
            except OSError:
                return
            except (IndexError, struct.error):
                continue  # not a query: the port is open to all of the machine

    def _answer(self, query: bytes) -> bytes:
        labels, end = _read_name(query)
        (kind,) = struct.unpack_from("!H", query, end)
        question = query[12 : end + 4]
        address = self._find(labels)
        if address is None:
            return query[:2] + struct.pack("!5H", NAME_ERROR, 1, 0, 0, 0) + question
        record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4) + socket.inet_aton(address)
        count = 1 if kind == 1 else 0
        header = struct.pack("!5H", ANSWER, 1, count, 0, 0)
        return query[:2] + header + question + record * count

    def _find(self, labels: tuple[str, ...]) -> str | None:
        if len(labels) != 5 or labels[2:] != ZONE:
            return None
        path = f"/api/v1/namespaces/{labels[1]}/services/{labels[0]}"
        try:
            address: str = self._api.get(path)["spec"]["clusterIP"]
        except (ApiError, OSError):
            return None
        return address


def _read_name(query: bytes) -> tuple[tuple[str, ...], int]:
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace").lower())
        at += 1 + query[at]
    return tuple(labels), at + 1
