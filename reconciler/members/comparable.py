"""Hashes of different kinds can't be compared: a member listed as MD5 is not found as SHA-256."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from reconciler.core.errors import Finding
from reconciler.core.pii import redacted_path
from reconciler.core.rounding import format_limit, is_past
from reconciler.members.identifier_sql import Class
from reconciler.members.lists import ListColumn
from reconciler.members.shared_audience import Listed

_NAMES = {Class.MD5: "MD5", Class.SHA256: "SHA-256"}
_APART = ((Class.SHA256, Class.MD5), (Class.MD5, Class.SHA256))


def incomparable(
    counts: Mapping[int, int],
    finds: Callable[[Class, ListColumn], bool],
    lists: Sequence[Listed],
    limit: float,
) -> Iterator[tuple[Listed, Finding]]:
    """Each list that would let people in because it is hashed otherwise than the rows.

    `counts` are the numbers of the rows that are wanted or excluded, by class; `finds` states whether a list
    has a value of a class of them. `limit` is the share of the rows and of the list that may be hashed
    otherwise. A list that finds one of them compares: SHA-256 may be that of an MD5.
    """
    for one in lists:
        listed, kind, column = one
        entries = dict(column.sizes)
        for mine, theirs in _APART:
            apart = _beyond(counts, mine, limit) and _beyond(entries, theirs, limit)
            if apart and not finds(mine, column):
                files = ", ".join(map(redacted_path, listed.declared.files))
                problem = (
                    f"the {kind} values of the exclusion list {files} came as {_NAMES[theirs]} and those of "
                    f"the source as {_NAMES[mine]}: more than {format_limit(limit)} (maxInvalid) of both "
                    "can't be compared"
                )
                remedy = f"export the list plain, or as {_NAMES[mine]}"
                yield one, Finding(str(listed.declared.place), problem, remedy)
                break


def _beyond(counts: Mapping[int, int], one: Class, limit: float) -> bool:
    usable = sum(counts.get(each, 0) for each in (Class.PLAIN, Class.MD5, Class.SHA256))
    return is_past(counts.get(one, 0), limit, usable)
