"""Answers of bulk calls, reconciled with what was sent: every item gets a segment or a reason.

Criteo answers 200 although items fail, tells of them in `warnings` or in `errors`, and doesn't say
in a documented way which item an entry is about. What comes back is matched by name or by id; what
doesn't is explained by an entry that mentions it, or by the only kind of entry there is. Entries
about Criteo's own trouble leave open what was done: the answer is uncertain.
"""

from collections.abc import Sequence

from reconciler.core.remote import BulkAnswer, ItemFailure, NewSegment, Segment, SegmentPatch, name_key
from reconciler.criteo.problems import Problem, items, mapping, problems
from reconciler.criteo.wire import read_segment

SILENCE = ItemFailure("Criteo said nothing about it")


def created(sent: Sequence[NewSegment], body: object, account_id: str) -> BulkAnswer:
    """Matched by name, as Criteo compares names; one left on each side belong together."""
    returned = _returned(body, account_id)
    by_name = {segment.name_key: segment for segment in reversed(returned)}
    found = [by_name.pop(name_key(item.name), None) for item in sent]
    if len(returned) == len(sent) and found.count(None) == 1 and len(by_name) == 1:
        found[found.index(None)] = by_name.popitem()[1]
    return _answer(found, body, [item.name for item in sent])


def updated(sent: Sequence[SegmentPatch], body: object, account_id: str) -> BulkAnswer:
    """Matched by id."""
    by_id = {segment.id: segment for segment in _returned(body, account_id)}
    found = [by_id.get(item.id) for item in sent]
    return _answer(found, body, [f"{item.id}\n{item.name or ''}" for item in sent])


def refused(count: int, body: object) -> BulkAnswer:
    """The whole call was refused, so nothing was done."""
    return _answer([None] * count, body, [""] * count)


def _returned(body: object, account_id: str) -> list[Segment]:
    found = (read_segment(item, account_id) for item in items(mapping(body).get("data")))
    return [segment for segment in found if segment]


def _answer(
    found: Sequence[Segment | None],
    body: object,
    mentions: Sequence[str],
) -> BulkAnswer:
    told = [problem for problem in problems(body) if problem.counts]
    missing = [at for at, segment in enumerate(found) if segment is None]
    reasons = _reasons({at: mentions[at] for at in missing}, told)
    unsure = any(problem.type == "availability" for problem in told)
    return BulkAnswer(
        items=tuple(segment or reasons[at] for at, segment in enumerate(found)),
        uncertain=unsure and bool(missing),
    )


def _reasons(missing: dict[int, str], told: Sequence[Problem]) -> dict[int, ItemFailure]:
    """By mention first: the longest name that an entry quotes is the one it is about."""
    reasons: dict[int, ItemFailure] = {}
    unclaimed = []
    for problem in told:
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


def _common(told: Sequence[Problem]) -> ItemFailure:
    """What entries of one code say; of several codes nobody knows which is meant."""
    codes = sorted({problem.code for problem in told})
    if not codes:
        return SILENCE
    if len(codes) == 1:
        return _failure(told[0])
    return ItemFailure(f"one of these, Criteo doesn't say which: {', '.join(filter(None, codes))}")


def _failure(problem: Problem) -> ItemFailure:
    return ItemFailure(problem.title or problem.code or "Criteo gave no reason", problem.code)
