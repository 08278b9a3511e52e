"""Responses of bulk calls, matched with the items sent: each item gets a segment or a failure.

Criteo responds 200 although items fail, and reports these in `warnings` or `errors`. It documents no way to
tell which item an entry is about. So returned items are matched by name or ID, and count only if they match
the request. A missing item is explained by an entry that mentions it, or by the only type of entry. If an
entry reports a failure of Criteo itself, the outcome of missing items is unknown.
"""

from collections.abc import Mapping, Sequence

from reconciler.core.remote import (
    BulkResult,
    DeleteResult,
    ItemFailure,
    NewSegment,
    Segment,
    SegmentPatch,
    Unconfirmed,
    name_key,
)
from reconciler.core.state.ownership_tag import tag_of
from reconciler.criteo.errors import Problem, problems
from reconciler.criteo.json_values import items, mapping
from reconciler.criteo.wire_format import read_segment

SILENCE = Unconfirmed("it is missing from Criteo's response")
CONFUSED = Unconfirmed("Criteo answered with several segments for one item, or with one for several")


def created(sent: Sequence[NewSegment], body: object, account_id: str) -> BulkResult:
    """Return the results of a create.

    Items are matched by name, and confirmed if all requested values came back.

    Of two items with one name, only the first can have been created.
    """
    returned = _returned(body, account_id)
    first = {name_key(item.name): at for at, item in reversed(list(enumerate(sent)))}
    found = [
        _made(item, account_id, returned) if first[name_key(item.name)] == at else None
        for at, item in enumerate(sent)
    ]
    return _answer(found, body, [item.name for item in sent])


def updated(sent: Sequence[SegmentPatch], body: object, account_id: str) -> BulkResult:
    """Return the results of an update.

    Items are matched by ID, and confirmed if the requested name came back.
    """
    returned = _returned(body, account_id)
    found = [_changed(item, account_id, returned) for item in sent]
    return _answer(found, body, [f"{item.id}\n{item.name or ''}" for item in sent])


def deleted(ids: Sequence[str], body: object) -> DeleteResult:
    """Return the results of a delete. Items are matched by ID."""
    returned = {str(mapping(item).get("id", "")) for item in items(mapping(body).get("data"))}
    missing = {at: one for at, one in enumerate(ids) if one not in returned}
    reported = [problem for problem in problems(body) if problem.counts]
    reasons = _reasons(missing, reported)
    unsure = any(problem.type == "availability" for problem in reported)
    return DeleteResult(tuple(reasons.get(at) for at in range(len(ids))), unsure and bool(missing))


def refused(count: int, body: object) -> BulkResult:
    """The whole call was refused, so nothing was done."""
    return _answer([None] * count, body, [""] * count)


def _made(item: NewSegment, account_id: str, returned: Sequence[Segment]) -> Segment | Unconfirmed | None:
    named = [one for one in returned if one.name_key == name_key(item.name)]
    if not named:
        return None
    segment, ids = named[0], {one.id for one in named}
    if len(ids) > 1 or any(one.id in ids and one.name_key != segment.name_key for one in returned):
        return CONFUSED
    sent_tag, reported_tag = tag_of(item.description), tag_of(segment.description)
    return _believed(
        segment,
        {
            "account": segment.account_id == account_id,
            "retailer": segment.retailer_id == item.retailer_id,
            "identifier type": segment.identifier_type == item.identifier_type,
            "description": not segment.description or reported_tag == sent_tag,
        },
    )


def _changed(
    item: SegmentPatch, account_id: str, returned: Sequence[Segment]
) -> Segment | Unconfirmed | None:
    """A name that the answer leaves out is no other name."""
    of_id = [one for one in returned if one.id == item.id]
    if not of_id:
        return None
    segment, names = of_id[0], {one.name_key for one in of_id}
    if len(names) > 1:
        return CONFUSED
    same_name = item.name is None or not segment.name or segment.name_key == name_key(item.name)
    return _believed(segment, {"account": segment.account_id == account_id, "name": same_name})


def _believed(segment: Segment, fits: Mapping[str, bool]) -> Segment | Unconfirmed:
    wrong = [field for field, fit in fits.items() if not fit]
    if not wrong:
        return segment
    return Unconfirmed(f"Criteo answered with a segment of another {' and another '.join(wrong)}")


def _returned(body: object, account_id: str) -> list[Segment]:
    found = (read_segment(item, account_id) for item in items(mapping(body).get("data")))
    return [segment for segment in found if segment]


def _answer(
    found: Sequence[Segment | Unconfirmed | None],
    body: object,
    mentions: Sequence[str],
) -> BulkResult:
    reported = [problem for problem in problems(body) if problem.counts]
    missing = [at for at, item in enumerate(found) if item is None]
    reasons = _reasons({at: mentions[at] for at in missing}, reported)
    unsure = any(problem.type == "availability" for problem in reported)
    return BulkResult(
        items=tuple(item or reasons[at] for at, item in enumerate(found)),
        earlier_unconfirmed=unsure and bool(missing),
    )


def _reasons(missing: dict[int, str], reported: Sequence[Problem]) -> dict[int, ItemFailure]:
    """Return the reasons by item. An entry is about the item with the longest name that it quotes."""
    reasons: dict[int, ItemFailure] = {}
    unclaimed = []
    for problem in reported:
        quoted = {at: _quoted(problem, mention) for at, mention in missing.items() if at not in reasons}
        about = max(quoted, key=lambda at: quoted[at], default=-1)
        if quoted.get(about, 0) > 0:
            reasons[about] = _failure(problem)
        else:
            unclaimed.append(problem)
    rest = _common(unclaimed)
    return {at: reasons.get(at, rest) for at in missing}


def _quoted(problem: Problem, mention: str) -> int:
    """Length of the longest line of `mention` that the entry quotes."""
    text = problem.text.casefold()
    return max(len(line) if line and line in text else 0 for line in map(name_key, mention.split("\n")))


def _common(reported: Sequence[Problem]) -> ItemFailure:
    """Return what entries of one code say; among several codes, the cause is unknown."""
    codes = sorted({problem.code for problem in reported})
    if not codes:
        return SILENCE
    if len(codes) == 1:
        return _failure(reported[0])
    return ItemFailure(f"one of these, Criteo doesn't say which: {', '.join(filter(None, codes))}")


def _failure(problem: Problem) -> ItemFailure:
    return ItemFailure(problem.title or problem.code or "Criteo gave no reason", problem.code)
