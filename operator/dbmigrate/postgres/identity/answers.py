"""What was answered in the name of a provider's service, as far as a person may see it.

A captive portal or a proxy answers with a page of its own. The libraries say of it that there
are no credentials, or quote the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_PAGE = re.compile(r"\s*<(?:!doctype|html|head|body)\b.*", re.IGNORECASE | re.DOTALL)
_OF_PROXIES = frozenset((305, 407, 511))
"""Use a proxy; the proxy asks for a login; the network does."""
_REMEDY = "check HTTP_PROXY and HTTPS_PROXY, and name the service's address in NO_PROXY"
_PATH = re.compile(r"(?:/[\w.~@-]{1,64}){0,8}/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, without its content."""

    place: str
    """Who was asked: the URL without its query."""
    status: int
    content_type: str

    def describe(self) -> str:
        """The answer in words."""
        kind = self.content_type or "no content type"
        return f"{self.place} answered with status {self.status} ({kind})"

    def advise(self, usual: str) -> str:
        """What to check; `usual` is it for an answer that the service itself may have given."""
        is_page = self.content_type in ("text/html", "application/xhtml+xml")
        if (
            self.status in _OF_PROXIES
            or 300 <= self.status < 400
            or (is_page and self.status < 300)
        ):
            what = "a web page" if is_page else "an answer"
            return f"that is {what} of a proxy, or of the network's login: {_REMEDY}"
        return (
            f"{usual}; or a proxy has answered in the place of the service: {_REMEDY}"
            if (is_page)
            else usual
        )


class Answers:
    """Keeps the last answer that a library got."""

    def __init__(self) -> None:
        self.last: Answer | None = None

    def note(self, url: object, status: object, content_type: object) -> None:
        """An answer came."""
        parts = urlsplit(str(url))
        host = parts.netloc.rpartition("@")[2]
        kind = str(content_type or "").partition(";")[0].strip().lower()
        shown = kind if re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind, re.ASCII) else ""
        # A page that was taken for a role's name is a part of the next question's path.
        path = _PATH.match(parts.path)
        place = f"{parts.scheme}://{host}{path[0] if path else ''}"
        self.last = Answer(place, int(str(status)), shown)


def without_page(text: str) -> str:
    """The text up to a page that it quotes."""
    return _PAGE.sub(" (a page, not shown)", text)
