"""One address of a document, as values. `row_text` writes the words."""

from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.model import Hashing, IdentifierType
from reconciler.core.rounding import RoundedCount
from reconciler.render.document.statements import Statement


class RowKind(StrEnum):
    """What happens to an address, the gravest first. The value is the printed verb."""

    BLOCKED = "blocked"
    DELETE = "delete"
    EMPTY = "empty"
    FORGET = "forget"
    REPLACE = "replace"
    REFILL = "refill"
    DRIFT = "drift"
    CREATE = "create"
    ADOPT = "adopt"
    MOVE = "move"
    UPDATE = "update"
    STATE_ONLY = "state-only"
    """The definition is another one, and nothing is sent for it."""

    PAUSED = "paused"

    @property
    def symbol(self) -> str:
        return _SYMBOLS[self]


_SYMBOLS = {
    RowKind.CREATE: "+",
    RowKind.ADOPT: "←",
    RowKind.UPDATE: "~",
    RowKind.MOVE: "→",
    RowKind.REPLACE: "±",
    RowKind.REFILL: "↺",
    RowKind.FORGET: "−",
    RowKind.EMPTY: "∅",
    RowKind.DELETE: "×",
    RowKind.DRIFT: "≠",
    RowKind.BLOCKED: "!",
    RowKind.STATE_ONLY: "=",
    RowKind.PAUSED: "‖",
}

NOT_APPLIED = frozenset({RowKind.BLOCKED, RowKind.PAUSED})
"""The addresses that a plan leaves as they are. Their rows state the count, not a thing to do."""


class LineKind(StrEnum):
    """The meaning of a line below a row."""

    REASON = "reason"
    WARNING = "warning"
    PROBLEM = "problem"
    REMEDY = "remedy"
    DETAIL = "detail"


@dataclass(frozen=True, slots=True)
class Line:
    """A statement below a row, and its meaning."""

    type: LineKind
    statement: Statement


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that changes; None: not set. `drifted`: it changed outside reconciler."""

    name: str
    before: str | None
    after: str | None
    drifted: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the definition that changed since it was applied; "" where it is not set."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Members:
    """Counts of members, as far as they may be shown. `before` is None where it is unknown."""

    before: RoundedCount | None
    after: RoundedCount | None
    adds: RoundedCount = 0
    removes: RoundedCount = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One address in a document. `title` is the segment's name at Criteo, "" where it is unknown.

    `planned`: what would happen to a blocked or paused address otherwise, as far as that is known.
    """

    kind: RowKind
    address: str
    title: str
    identifier_type: IdentifierType | None
    hashing: Hashing | None
    seat: str
    members: Members | None
    attributes: tuple[Attribute, ...]
    lines: tuple[Line, ...]
    location: str
    definition: tuple[Part, ...] = ()
    planned: RowKind | None = None

    @property
    def destination(self) -> str:
        return self.address.partition("/")[0]

    @property
    def audience(self) -> str:
        return self.address.partition("/")[2]

    @property
    def introduction(self) -> str:
        """Return the name of a new segment; "" for other rows, or if an attribute shows it."""
        stated = self.kind not in _TITLED or any(one.name == "name" for one in self.attributes)
        return "" if stated else self.title

    @property
    def needs_review(self) -> bool:
        """To be looked at first."""
        return self.kind in _RISKY or any(
            line.type in {LineKind.WARNING, LineKind.PROBLEM} for line in self.lines
        )


_TITLED = frozenset({RowKind.CREATE, RowKind.ADOPT, RowKind.REPLACE})
_RISKY = frozenset(
    {
        RowKind.REPLACE,
        RowKind.REFILL,
        RowKind.FORGET,
        RowKind.EMPTY,
        RowKind.DELETE,
        RowKind.DRIFT,
        RowKind.BLOCKED,
    }
)
