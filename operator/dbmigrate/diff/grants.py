"""From present privileges to desired ones: GRANT and REVOKE."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from dbmigrate.diff.objects import Grant, Grants


def change_grants(
    before: Grants, after: Grants, target: str, *, column: str | None = None
) -> Iterator[str]:
    """The statements. `target` is what follows ON: `TABLE public.users`."""
    old = {(each.grantee, each.privilege): each.is_grantable for each in before}
    new = {(each.grantee, each.privilege): each.is_grantable for each in after}
    gone = [key for key in old if key not in new]
    for grantee, privileges in _by_grantee(gone, column):
        yield f"REVOKE {privileges} ON {target} FROM {grantee}"
    kept_back = [key for key in old if old[key] and new.get(key) is False]
    for grantee, privileges in _by_grantee(kept_back, column):
        yield f"REVOKE GRANT OPTION FOR {privileges} ON {target} FROM {grantee}"
    for is_grantable in (False, True):
        added = [
            key for key in new if new[key] is is_grantable and old.get(key) not in (True, new[key])
        ]
        option = " WITH GRANT OPTION" if is_grantable else ""
        for grantee, privileges in _by_grantee(added, column):
            yield f"GRANT {privileges} ON {target} TO {grantee}{option}"


def with_owner(grants: Grants, before: str | None, after: str | None) -> Grants:
    """As ALTER ... OWNER TO leaves them: the old owner's privileges are the new one's."""
    if before == after or after is None:
        return grants
    return frozenset(
        Grant(after, each.privilege, each.is_grantable) if each.grantee == before else each
        for each in grants
    )


def _by_grantee(keys: Iterable[tuple[str, str]], column: str | None) -> list[tuple[str, str]]:
    """Each grantee with the list of privileges; of a column each has its name behind it."""
    found: dict[str, list[str]] = defaultdict(list)
    for grantee, privilege in keys:
        found[grantee].append(privilege if column is None else f"{privilege} ({column})")
    return sorted((grantee, ", ".join(sorted(words))) for grantee, words in found.items())
