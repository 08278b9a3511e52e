"""Members on lists, whatever sources these are matched with."""

from collections.abc import Iterator, Mapping, Sequence

import duckdb

from reconciler.core.errors import ConfigurationError
from reconciler.core.members import Kind, ListMatches, ReadList, SnapshotRef
from reconciler.core.model import Exclusion
from reconciler.members.database import READ_ERRORS, is_ours
from reconciler.members.file_sets import FileSets
from reconciler.members.lists import Lists, read_list
from reconciler.members.prepare import prepare_list
from reconciler.members.sources import moved


def listed(
    cursor: duckdb.DuckDBPyConnection,
    files: FileSets,
    lists: Lists,
    declared: Sequence[Exclusion],
    kinds: Sequence[Kind],
) -> Mapping[Kind, tuple[tuple[ReadList, SnapshotRef], ...]]:
    """Each list that can be read, with its members in the hashing of each kind that it has a column for."""
    found: dict[Kind, list[tuple[ReadList, SnapshotRef]]] = {kind: [] for kind in kinds}
    for one_list in declared:
        try:
            for kind, members in _members(cursor, files, lists, one_list, kinds):
                found[kind].append(members)
        except ConfigurationError:
            continue  # nothing is removed through a list that can't be read
        except READ_ERRORS as error:
            if is_ours(error):
                raise
    return {kind: tuple(one) for kind, one in found.items()}


def _members(
    cursor: duckdb.DuckDBPyConnection,
    files: FileSets,
    lists: Lists,
    declared: Exclusion,
    kinds: Sequence[Kind],
) -> Iterator[tuple[Kind, tuple[ReadList, SnapshotRef]]]:
    known = prepare_list(cursor, files, declared)
    sets = []
    for identifier_type, hashing in kinds:
        if name := known.columns.get(identifier_type):
            column = lists.column(cursor, known, identifier_type, name)
            read = read_list(known, identifier_type, column, ListMatches(identifier_type, hashing))
            members = lists.members(cursor, (column,), hashing)
            sets.append(((identifier_type, hashing), (read, members)))
    if not moved(known.table):
        yield from sets
