"""Sets of members without loading them: references to snapshots, counts and drops."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, NoReturn, overload

from reconciler.core.errors import ConfigurationError
from reconciler.core.model import Audience, Hashing, IdentifierType, ListKind, SourceLocation

Kind = tuple[IdentifierType, Hashing]
"""The identifier type of a segment, and its hashing."""


@dataclass(frozen=True, slots=True)
class SnapshotRef:
    """An immutable set of members, named by an order-free keyed digest (hex) and its size."""

    digest: str
    count: int

    def __bool__(self) -> bool:
        return self.count > 0


EMPTY_SNAPSHOT = SnapshotRef(digest="", count=0)


@dataclass(frozen=True, slots=True)
class ListMatches:
    """What one column of a list found in a source, for one segment.

    `found` are the members of the list that a row has, as SHA-256 digests. `excluded` are the members of the
    segment that were left out because of them, of this type and hashing. `rows` are those that `where`
    keeps: in `empty` of them the column that the list is matched with is empty, in `malformed` unusable.
    `incomparable`: list and column are hashed in different ways, so that the list finds no row.
    """

    identifier_type: IdentifierType
    hashing: Hashing
    found: SnapshotRef = EMPTY_SNAPSHOT
    excluded: SnapshotRef = EMPTY_SNAPSHOT
    rows: int = 0
    empty: int = 0
    malformed: int = 0
    incomparable: bool = False

    def is_comparable(self, other: "ListMatches") -> bool:
        """Their excluded members are written in the same way."""
        return (self.identifier_type, self.hashing) == (other.identifier_type, other.hashing)


@dataclass(frozen=True, slots=True)
class AppliedList:
    """One column of a list as it was when it was last applied; `members` are SHA-256 digests.

    `name` is that of a suppression list, and "" for exclusion lists.
    """

    files: tuple[str, ...]
    identifier_type: IdentifierType
    members: SnapshotRef
    matches: ListMatches
    applied_at: datetime
    kind: ListKind = ListKind.EXCLUSION
    name: str = ""

    @property
    def references(self) -> tuple[SnapshotRef, ...]:
        """Its snapshots that are not empty."""
        return tuple(ref for ref in (self.members, self.matches.found, self.matches.excluded) if ref)


@dataclass(frozen=True, slots=True)
class ReadList:
    """One column of a list as it is now; `name` as of `AppliedList`.

    `present` counts its values that are not empty, `invalid` those of them that can't be used. The share
    of its members that may be missing is `max_shrink`; `place` is where the list is declared.
    """

    files: tuple[str, ...]
    identifier_type: IdentifierType
    members: SnapshotRef
    present: int
    invalid: int
    max_shrink: float
    place: SourceLocation
    matches: ListMatches
    kind: ListKind = ListKind.EXCLUSION
    name: str = ""

    @property
    def is_erased(self) -> bool:
        """Return whether all of its usable values are erased: a list stores no erased member."""
        return not self.members and self.present > self.invalid

    def applied(self, now: datetime) -> AppliedList:
        return AppliedList(
            self.files, self.identifier_type, self.members, self.matches, now, self.kind, self.name
        )


class DropReason(StrEnum):
    """Why a row or its identifier is not a member."""

    FILTERED = "filtered"
    ERASED = "erased"
    SUPPRESSED = "suppressed"
    EXCLUDED = "excluded"
    NOT_SAMPLED = "not_sampled"
    EMPTY = "empty"
    MALFORMED = "malformed"
    OTHER_HASHING = "other_hashing"
    DUPLICATE = "duplicate"


INVALID = frozenset({DropReason.MALFORMED, DropReason.OTHER_HASHING})


@dataclass(frozen=True, slots=True)
class FileCounts:
    """How many files of a source were read, and how many `where` left out by their partitions."""

    read: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class TargetMembers:
    """The members that one segment should hold.

    `rows` is the number of rows read; `rows` minus all `drops` equals `members.count`. `malformed` splits the
    malformed values by defect. `hashed` counts values that were already hashed. `suppressed` are the members
    on suppression and exclusion lists, hashed as this segment needs. `lists` are those lists, as far as they
    can exclude a row of this audience.
    """

    members: SnapshotRef
    suppressed: SnapshotRef
    rows: int
    drops: tuple[tuple[DropReason, int], ...]
    malformed: tuple[tuple[str, int], ...] = ()
    hashed: int = 0
    newest: datetime | None = None
    lists: tuple[ReadList, ...] = ()
    files: FileCounts = FileCounts()

    def applied_lists(self, now: datetime) -> tuple[AppliedList, ...]:
        return tuple(one.applied(now) for one in self.lists)

    def dropped(self, reason: DropReason) -> int:
        return dict(self.drops).get(reason, 0)

    @property
    def invalid(self) -> int:
        """Values that were there and wanted but can't be sent."""
        return sum(self.dropped(reason) for reason in INVALID)

    @property
    def present(self) -> int:
        """Values that were there and wanted."""
        return self.members.count + self.dropped(DropReason.DUPLICATE) + self.invalid

    @property
    def mixed(self) -> bool:
        """The column holds hashed and plain values side by side."""
        return 0 < self.hashed < self.members.count + self.dropped(DropReason.DUPLICATE)


@dataclass(frozen=True, slots=True)
class MemberComparison:
    """The confirmed members of a segment beside its target, and the suppressed members of that target."""

    hashing: Hashing
    held: SnapshotRef
    target: SnapshotRef
    suppressed: SnapshotRef


@dataclass(frozen=True, slots=True)
class AudienceRequest:
    """An audience, and the kinds of segments that its members are wanted for."""

    audience: Audience
    kinds: tuple[Kind, ...]


BuiltAudience = Mapping[Kind, TargetMembers] | ConfigurationError
"""A target for each requested kind, or the findings about the audience's sources."""


@dataclass(frozen=True, slots=True)
class ErasedRows:
    """The identifiers of all rows with an erased identifier, by type.

    The sources of the audiences `unread` could not be read.
    """

    identifiers: Mapping[IdentifierType, "Identifiers"]
    unread: tuple[str, ...] = ()


class SourceStep(StrEnum):
    """The work on source files: CHECK each to its end, READ the rows of files that audiences share."""

    CHECK = "check"
    READ = "read"


@dataclass(frozen=True, slots=True)
class SourceProgress:
    """A step begins for these audiences at once, or has ended once the number of its `rows` is known.

    `number` of `total` counts the audiences that are checked, or the sets of files that are read.
    """

    step: SourceStep
    audiences: tuple[str, ...]
    number: int
    total: int
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """Members to send in each phase: excluded members out, additions in, other members out."""

    priority_removes: int
    adds: int
    removes: int

    @property
    def total(self) -> int:
        return self.priority_removes + self.adds + self.removes

    @property
    def out(self) -> int:
        """Return the number of all removals, with the excluded members."""
        return self.priority_removes + self.removes


NO_DELTA = Delta(0, 0, 0)
Operation = Literal["add", "remove"]


class Identifiers(Sequence[str]):
    """Members on their way out: can be sent, never printed, formatted, compared or pickled."""

    __slots__ = ("_values",)

    def __init__(self, values: Sequence[str]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "Identifiers": ...
    def __getitem__(self, index: int | slice) -> "str | Identifiers":
        if isinstance(index, slice):
            return Identifiers(self._values[index])
        return self._values[index]

    def reveal(self) -> list[str]:
        """The values, for the one caller that writes the request body."""
        return list(self._values)

    def __repr__(self) -> str:
        return f"<{len(self)} identifiers>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("identifiers are never pickled")


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of one operation in the deterministic order: positions `start` to `end`, end excluded."""

    operation: Operation
    start: int
    end: int
    identifiers: Identifiers = field(repr=False)
