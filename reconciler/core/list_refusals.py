"""What blocks an address because of its lists.

Suppressed and excluded members would be sent again, without another sign, if a list is emptied, cut short or
unusable, or if the source column that it is matched with is.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from reconciler.core.errors import Finding
from reconciler.core.lists import ListChange
from reconciler.core.members import AppliedList, ReadList
from reconciler.core.model import Exclusion, ListKind, SegmentSpec, SourceLocation
from reconciler.core.override import advice
from reconciler.core.pii import redacted_path
from reconciler.core.rounding import (
    certainly_enough,
    enough,
    format_limit,
    format_share,
    is_past,
    share_beyond,
)


def untrusted(spec: SegmentSpec, changes: Sequence[ListChange], today: date) -> frozenset[SourceLocation]:
    """Return the locations of lists that are empty, not usable, or shrank too much."""
    return frozenset(
        change.now.place
        for change in changes
        if change.now and (not change.now.members or next(_of_list(spec, change, change.now, today), None))
    )


def list_refusals(spec: SegmentSpec, changes: Sequence[ListChange], today: date) -> Iterator[Finding]:
    """Yield what blocks the address, with numbers and limits. Removing a list changes the definition.

    `today` is the day from which an advised override counts.
    """
    lists = [change.now for change in changes if change.now]
    yield from _empty(spec, lists)
    for change, now in _usable(changes):
        yield from _of_list(spec, change, now, today)
        yield from _of_source(spec, change, now, today)
    if not spec.exempt:
        yield from _unmatched(spec, lists)


def refusals_of_lists(spec: SegmentSpec, changes: Sequence[ListChange], today: date) -> Iterator[Finding]:
    """Yield what is wrong with the lists of an address whose source can't be read: they remove nobody."""
    yield from _empty(spec, [change.now for change in changes if change.now])
    for change, now in _usable(changes):
        yield from _of_list(spec, change, now, today)


def _empty(spec: SegmentSpec, lists: Sequence[ReadList]) -> Iterator[Finding]:
    usable = {one.place for one in lists if one.members}
    for place in dict.fromkeys(one.place for one in lists if one.place not in usable):
        yield _without_members(str(spec.address), [one for one in lists if one.place == place])


def _usable(changes: Sequence[ListChange]) -> Iterator[tuple[ListChange, ReadList]]:
    usable = {change.now.place for change in changes if change.now and change.now.members}
    for change in changes:
        if change.now and change.now.place in usable:
            yield change, change.now


def shrink_limit(spec: SegmentSpec, one: ReadList) -> float:
    """Return the share of a list that may be missing: of its entry, or of a guard for suppression lists."""
    if one.kind is ListKind.SUPPRESSION:
        return spec.guards.max_suppression_shrink
    return one.max_shrink


def shrink_key(one: ReadList) -> str:
    """Return the name of that limit in the manifests."""
    return "maxSuppressionShrink" if one.kind is ListKind.SUPPRESSION else "maxShrink"


def called(one: ReadList | Exclusion) -> str:
    """Return the name of a list in messages."""
    if one.kind is ListKind.SUPPRESSION:
        return f"the suppression list {one.name}"
    return f"the exclusion list {', '.join(map(redacted_path, one.files))}"


def _unmatched(spec: SegmentSpec, lists: Sequence[ReadList]) -> Iterator[Finding]:
    """Yield the suppression lists that can't be matched with the source at all."""
    where = str(spec.address)
    for one in spec.audience.suppression_lists:
        exempt = f"name {where} under `suppress.exempt` in {one.place.file}"
        if not one.is_matched(spec.audience.columns):
            types = " or ".join(kind for kind, _ in one.columns)
            yield Finding(
                where,
                f"{called(one)} can't be matched: it shares no identifier type with the audience",
                f"add {types} to `columns` of the audience, or a type of it to the list ({one.place}); "
                f"if its members may be sent here, {exempt}",
            )
    for read in lists:
        if read.matches.incomparable:
            yield Finding(
                where,
                f"{called(read)} can't be matched: its {read.identifier_type} values and those of the source "
                "are hashed in different ways",
                f"export the list or the source without hashing ({read.place}); if its members may be sent "
                f"here, name {where} under `suppress.exempt` in {read.place.file}",
            )


def _without_members(where: str, columns: Sequence[ReadList]) -> Finding:
    """Return why a list blocks of which no column has a member."""
    one = columns[0]
    if any(column.is_erased for column in columns):
        return Finding(
            where,
            f"all identifiers of {called(one)} are erased",
            f"deliver the whole list; if it names erased persons only, remove its entry ({one.place}): "
            "no plan sends them",
        )
    return Finding(where, f"{called(one)} holds no usable identifier", _deliver(one))


def _of_list(spec: SegmentSpec, change: ListChange, now: ReadList, today: date) -> Iterator[Finding]:
    """Yield the problems of the list itself."""
    where, limit = str(spec.address), spec.guards.max_invalid
    if _is_unusable(now, limit):
        yield Finding(
            where,
            f"{share_beyond(now.invalid, now.present, limit)} of the values of {called(now)} can't be used "
            f"as {now.identifier_type} (limit {format_limit(limit)}, maxInvalid)",
            f"{_deliver(now)}; {_invalid(spec, now.invalid, now.present, today)}",
        )
    other, most = change.elsewhere, shrink_limit(spec, now)
    if change.before and _shrinks(change.missing, change.before.members.count, most):
        count = change.before.members.count
        yield _shrunk(spec, change.missing, count, now, "it was last applied", today)
    elif other and _shrinks(other.missing, other.list.members.count, most):
        since = f"{other.address} last applied it"
        yield _shrunk(spec, other.missing, other.list.members.count, now, since, today)


def _of_source(spec: SegmentSpec, change: ListChange, now: ReadList, today: date) -> Iterator[Finding]:
    """Yield why a usable list cannot exclude the rows that it names."""
    where, limit, found = str(spec.address), spec.guards.max_invalid, now.matches
    most, key = shrink_limit(spec, now), shrink_key(now)
    column = f"the source's {now.identifier_type} column, which {called(now)} is matched with"
    present = found.rows - found.empty
    if now.identifier_type != spec.key.identifier_type and _is_unmatchable(now, limit):
        yield Finding(
            where,
            f"{share_beyond(found.malformed, present, limit)} of the values of {column}, can't be used "
            f"(limit {format_limit(limit)}, maxInvalid)",
            "correct the export of the source; `reconciler explain` counts the values; "
            + _invalid(spec, found.malformed, present, today),
        )
    if change.before and _releases(change, change.before, most):
        before = change.before.matches.excluded.count
        yield Finding(
            where,
            f"{share_beyond(change.released, before, most)} of the members that {called(now)} "
            "excluded when it was last applied would be sent, although the list still names them "
            f"(limit {format_limit(most)}, {key})",
            f"check {column}; {_intended(spec, now, change.released, before, today)}",
        )
    elif change.before and _empties(change.before, now, most):
        was = change.before.matches
        yield Finding(
            where,
            f"{column}, is empty in {format_share(found.empty, found.rows) or 'more'} of the rows, up from "
            f"{format_share(was.empty, was.rows) or 'fewer'} when it was last applied "
            f"(limit {format_limit(most)} of the rows, {key})",
            f"correct the export of the source; {_intended(spec, now, 1, 1, today)}",
        )


def _is_unusable(now: ReadList, limit: float) -> bool:
    return is_past(now.invalid, limit, now.present)


def _shrinks(missing: int, before: int, limit: float) -> bool:
    return is_past(missing, limit, before)


def _is_unmatchable(now: ReadList, limit: float) -> bool:
    return is_past(now.matches.malformed, limit, now.matches.rows - now.matches.empty)


def _releases(change: ListChange, before: AppliedList, limit: float) -> bool:
    return is_past(change.released, limit, before.matches.excluded.count)


def _empties(before: AppliedList, now: ReadList, limit: float) -> bool:
    """The share of empty values has grown by more than the limit."""
    was, found = before.matches, now.matches
    if not was.rows or not found.rows or not now.members:
        return False
    return found.empty / found.rows - was.empty / was.rows > limit + 1e-9


def _shrunk(spec: SegmentSpec, missing: int, before: int, now: ReadList, since: str, today: date) -> Finding:
    limit = shrink_limit(spec, now)
    return Finding(
        str(spec.address),
        f"{share_beyond(min(missing, before), before, limit)} of the {now.identifier_type} members of "
        f"{called(now)} are missing since {since} "
        f"(limit {format_limit(limit)}, {shrink_key(now)})",
        f"{_deliver(now)}; {_intended(spec, now, missing, before, today)}",
    )


def _intended(spec: SegmentSpec, now: ReadList, part: int, whole: int, today: date) -> str:
    """The limit of an exclusion list is in its entry; no guard of it can be overridden."""
    if now.kind is ListKind.SUPPRESSION:
        limits = {shrink_key(now): certainly_enough(part, whole, up_to=1.0)}
        return advice(spec.address.audience, limits, today, now.place.file)
    larger = enough(part, whole, up_to=1.0)
    setting = f"`maxShrink: {larger}`" if larger else "a larger maxShrink"
    return f"if intended, set {setting} in this entry of `exclude`"


def _invalid(spec: SegmentSpec, part: int, whole: int, today: date) -> str:
    limits = {"maxInvalid": certainly_enough(part, whole, up_to=1.0)}
    return advice(spec.address.audience, limits, today, spec.audience.place.file)


def _deliver(now: ReadList) -> str:
    return f"deliver the whole list, or correct its entry ({now.place})"
