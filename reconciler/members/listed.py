"""Members on the exclusion lists of an audience whose source need not be readable."""

from collections.abc import Iterator, Mapping, Sequence

import duckdb

from reconciler.core.errors import ConfigurationError
from reconciler.core.members import SnapshotRef
from reconciler.core.model import Audience, Exclusion, Hashing, IdentifierType
from reconciler.members import identifier_sql as sql
from reconciler.members.database import READ_ERRORS, is_ours
from reconciler.members.intake import Intake
from reconciler.members.lists import Lists
from reconciler.members.prepare import prepare_list
from reconciler.members.snapshots import Snapshots, reader
from reconciler.members.sources import moved

Kind = tuple[IdentifierType, Hashing]


def listed(
    cursor: duckdb.DuckDBPyConnection,
    intake: Intake,
    snapshots: Snapshots,
    lists: Lists,
    audience: Audience,
    kinds: Sequence[Kind],
) -> Mapping[Kind, tuple[SnapshotRef, ...]]:
    """One set for each list that can be read, in the form of each kind that it has a column for."""
    found: dict[Kind, list[SnapshotRef]] = {kind: [] for kind in kinds}
    for exclusion in audience.exclusion_lists:
        try:
            for kind, members in _members(cursor, intake, snapshots, lists, exclusion, audience, kinds):
                found[kind].append(members)
        except ConfigurationError:
            continue  # nothing is removed through a list that can't be read
        except READ_ERRORS as error:
            if is_ours(error):
                raise
    return {kind: tuple(one) for kind, one in found.items()}


def _members(
    cursor: duckdb.DuckDBPyConnection,
    intake: Intake,
    snapshots: Snapshots,
    lists: Lists,
    exclusion: Exclusion,
    audience: Audience,
    kinds: Sequence[Kind],
) -> Iterator[tuple[Kind, SnapshotRef]]:
    known = prepare_list(cursor, intake, exclusion, audience)
    sets = []
    for identifier_type, form in kinds:
        if name := known.columns.get(identifier_type):
            column = lists.column(cursor, known, identifier_type, name)
            classes = ", ".join(str(int(one)) for one in sql.USABLE[form])
            member = sql.member("value", "class", form)
            values = reader(column.values)
            query = f"SELECT DISTINCT {member} AS member FROM {values} AS l WHERE class IN ({classes})"
            sets.append(((identifier_type, form), snapshots.keep(cursor, query, form)))
    if not moved(known.table):
        yield from sets
