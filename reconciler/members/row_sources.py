"""The kinds of sources: each makes a table of a source, and the rest of the engine reads tables only."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import duckdb

from reconciler.core.model import Source
from reconciler.members.file_sets import FileSets
from reconciler.members.queries.tables import QueryTables
from reconciler.members.sources import Table


@dataclass(frozen=True, slots=True)
class RowSources:
    """What one process knows of its sources. Lists, and what columns of text mean, are a matter of files."""

    files: FileSets
    queries: QueryTables

    def looked_up_again(self) -> "RowSources":
        """Return the same, for another look at what sources hold."""
        return RowSources(self.files.looked_up_again(), self.queries.looked_up_again())

    def table(
        self, cursor: duckdb.DuckDBPyConnection, source: Source, columns: Collection[str], today: date
    ) -> Table | None:
        """Return the rows of a source with these identifier columns; None if they are not to be looked at.

        Raises ConfigurationError.
        """
        if source.query is not None:
            return self.queries.table(cursor, source.query, columns, today)
        if source.delta:
            return self.files.delta(cursor, source, columns, today)
        if source.iceberg:
            return self.files.iceberg(cursor, source, columns, today)
        if source.partitions:
            return self.files.partitioned(cursor, source, today)
        return self.files.table(cursor, source.files, source.place)
