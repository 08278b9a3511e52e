"""The words of a row, for all layouts."""

from dataclasses import dataclass

from reconciler.core.model import Hashing
from reconciler.render.document.row import Attribute, Part, Row, RowKind
from reconciler.render.numbers import counted_or_unknown, minus, move, plus

_FREE_TEXT = frozenset({"name", "description"})


@dataclass(frozen=True, slots=True)
class ChangeText:
    """An attribute of the segment, or a part of the definition, that changes."""

    name: str
    before: str
    after: str
    note: str = ""

    def __str__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        return f"{self.name} {self.before} → {self.after}{note}"


def changes(row: Row) -> tuple[ChangeText, ...]:
    """Return the changes besides members: attributes, then parts of the definition."""
    return (*map(_attribute, row.attributes), *map(part_change, row.definition))


def part_change(part: Part) -> ChangeText:
    return ChangeText(part.path, _quoted(part.before or None), _quoted(part.after or None))


def _attribute(one: Attribute) -> ChangeText:
    before, after = (
        _quoted(side) if one.name in _FREE_TEXT else side or "none" for side in (one.before, one.after)
    )
    notes = (
        "drift" if one.drifted else "",
        "differs only in invisible characters" if before == after else "",
    )
    return ChangeText(one.name, before, after, "; ".join(note for note in notes if note))


def _quoted(side: str | None) -> str:
    return "none" if side is None else f"“{side}”"


def segment_type(row: Row) -> str:
    """Return the identifier type and the hashing, such as "Email sha256"."""
    if row.identifier_type is None:
        return ""
    hashed = "" if row.hashing in {None, Hashing.NONE} else f" {row.hashing}"
    return f"{row.identifier_type}{hashed}"


def adds(row: Row) -> str:
    return plus(row.members.adds) if row.members else ""


def removes(row: Row) -> str:
    return minus(row.members.removes) if row.members else ""


def size(row: Row, step: int) -> str:
    """Return how the size changes, as "412,006 → 427,335 (+3.7%)". `step`: what counts are rounded to."""
    members = row.members
    if members is None:
        return ""
    match row.planned or row.kind:
        case RowKind.CREATE:
            return ""
        case RowKind.REPLACE:
            return "in a new segment"
        case RowKind.FORGET:
            stay = "member stays" if members.after == 1 else "members stay"
            return f"{counted_or_unknown(members.after)} {stay} at Criteo"
        case _:
            before = members.before if members.adds or members.removes else members.after
            moved = move(before, members.after, members.adds, members.removes, step)
            return moved if "→" in moved else f"{moved} members"
