"""Which audiences are built from one reading of their files, by what each needs of them."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.core.model import IdentifierType

MOST = 256
"""Audiences of one reading: each row states in one bit for each whether the audience wants it."""


@dataclass(frozen=True, slots=True)
class IdentifierColumn:
    """A column of identifiers, and the country of phone numbers in it that state none."""

    identifier_type: IdentifierType
    column: str
    country: str


@dataclass(frozen=True, slots=True)
class ConditionSize:
    """How much text the values of a `where` may be: so many times those of its columns, and so many bytes."""

    growth: float = 0
    fixed: float = 0

    def plus(self, other: "ConditionSize") -> "ConditionSize":
        return ConditionSize(self.growth + other.growth, self.fixed + other.fixed)

    def fits(self, limit: "ConditionSize") -> bool:
        return self.growth <= limit.growth and self.fixed <= limit.fixed


@dataclass(frozen=True, slots=True)
class SourceNeeds:
    """What one audience needs of its files.

    `files` identifies the files and their content. `meanings` are the columns that its `where` names, with
    what the values of each are read as: two audiences may read one column differently.
    """

    audience: str
    files: Hashable
    identifiers: tuple[IdentifierColumn, ...]
    meanings: Mapping[str, str]
    size: ConditionSize = ConditionSize()

    def has_same_columns(self, other: "SourceNeeds") -> bool:
        return self.identifiers == other.identifiers and self.meanings == other.meanings


Group = tuple[SourceNeeds, ...]


def grouped(needs: Sequence[SourceNeeds], limit: ConditionSize) -> tuple[Group, ...]:
    """Return groups of audiences, each of which one reading of the same files serves, in order.

    The conditions of a group are computed side by side, so that together they keep to the limit of one.
    """
    groups: list[_Growing] = []
    over: dict[Hashable, list[_Growing]] = {}
    for one in needs:
        same_files = over.setdefault(one.files, [])
        home = next((group for group in same_files if group.has_room(one, limit)), None)
        if home is None:
            home = _Growing()
            groups.append(home)
            same_files.append(home)
        home.add(one)
    return tuple(tuple(group.members) for group in groups)


@dataclass(slots=True)
class _Growing:
    """A group of one set of files while it is put together."""

    members: list[SourceNeeds] = field(default_factory=list)
    meanings: dict[str, str] = field(default_factory=dict)
    size: ConditionSize = ConditionSize()

    def has_room(self, one: SourceNeeds, limit: ConditionSize) -> bool:
        return (
            len(self.members) < MOST
            and self.size.plus(one.size).fits(limit)
            and all(self.meanings.get(column, words) == words for column, words in one.meanings.items())
        )

    def add(self, one: SourceNeeds) -> None:
        self.members.append(one)
        self.meanings |= one.meanings
        self.size = self.size.plus(one.size)


def parted(group: Group) -> tuple[Group, ...]:
    """Return smaller groups, to find out which audiences make the reading of all fail.

    Audiences that read the same columns stay together as long as others are among them.
    """
    alike: list[list[SourceNeeds]] = []
    for one in group:
        home = next((others for others in alike if others[0].has_same_columns(one)), None)
        if home is None:
            alike.append([one])
        else:
            home.append(one)
    if len(alike) > 1:
        return tuple(map(tuple, alike))
    middle = len(group) // 2
    return group[:middle], group[middle:]
