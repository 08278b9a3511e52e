"""An audience of a run whose sources are known and whose exclusion lists are read."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from reconciler.core.members import AudienceRequest
from reconciler.core.model import IdentifierType
from reconciler.core.source_groups import IdentifierColumn, SourceNeeds
from reconciler.members.file_sets import identity
from reconciler.members.lists import ListColumn, Lists
from reconciler.members.prepare import ListedIdentifiers, PreparedAudience
from reconciler.members.shared_scan import Chooser, SharedScan

Listed = tuple[ListedIdentifiers, IdentifierType, ListColumn]
"""A list, the type of one of its columns, and what was read of that."""


@dataclass(frozen=True, slots=True)
class SharedAudience:
    """`kinds` are the types that matter, in a fixed order: wanted ones, and those that drop rows or sample.

    `is_looked_up`: its rows are compared with lists, or with the erasure list.
    """

    request: AudienceRequest
    prepared: PreparedAudience
    lists: tuple[Listed, ...]
    kinds: tuple[IdentifierType, ...]
    is_looked_up: bool

    @property
    def name(self) -> str:
        return self.request.audience.name

    def column(self, kind: IdentifierType) -> IdentifierColumn:
        country = self.prepared.country if kind == IdentifierType.PHONE_NUMBER else ""
        return IdentifierColumn(kind, self.prepared.columns[kind], country)

    def needs(self) -> SourceNeeds:
        """Columns are compared by the names that they have in files, whichever the case."""
        condition, readings = self.prepared.condition, self.prepared.readings
        words = {one.casefold(): readings[one].words if one in readings else "" for one in condition.columns}
        columns = tuple(self.column(kind) for kind in self.kinds)
        return SourceNeeds(self.name, identity(self.prepared.table), columns, words, condition.size)


def types_that_matter(
    request: AudienceRequest, prepared: PreparedAudience, *, sampling: bool, erased: frozenset[IdentifierType]
) -> tuple[IdentifierType, ...]:
    excluding = {kind for one in prepared.lists for kind in one.columns}
    sampled = set(prepared.columns) if sampling else set()
    matters = {kind for kind, _ in request.kinds} | excluding | erased | sampled
    return tuple(kind for kind in IdentifierType if kind in matters and kind in prepared.columns)


def read_lists(
    cursor: duckdb.DuckDBPyConnection, lists: Lists, prepared: PreparedAudience
) -> tuple[Listed, ...]:
    """The columns of the exclusion lists that may exclude a row of an audience. Raises ConfigurationError."""
    return tuple(
        (one, kind, lists.column(cursor, one, kind, one.columns[kind]))
        for one in prepared.lists
        for kind in IdentifierType
        if kind in one.columns and kind in prepared.columns
    )


def shared_scan(audiences: Sequence[SharedAudience], *, sampling: bool) -> SharedScan:
    """One scan for audiences with the same files."""
    columns = tuple(dict.fromkeys(one.column(kind) for one in audiences for kind in one.kinds))
    places = {column: index for index, column in enumerate(columns)}
    mine = [tuple(places[one.column(kind)] for kind in one.kinds) for one in audiences]
    choosers = tuple(
        Chooser(one.prepared.condition, one.prepared.readings, indexes)
        for one, indexes in zip(audiences, mine, strict=True)
    )
    people = tuple(dict.fromkeys(mine)) if sampling else ()
    listed = any(one.is_looked_up for one in audiences)
    return SharedScan(audiences[0].prepared.table, columns, choosers, people, listed)
