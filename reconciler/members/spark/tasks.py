"""What executors do with one share of the rows: the statements of the engine here, on some of the files."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from reconciler.members.exclusions import Exclusions, ListUse
from reconciler.members.group_rows import RowsHere
from reconciler.members.identifier_sql import Class
from reconciler.members.lists import ListColumn
from reconciler.members.shared_scan import SharedScan
from reconciler.members.snapshots import DIGEST, SUMS, TEXT, reader
from reconciler.members.spark.cluster import Answer
from reconciler.members.spark.workplace import Workplace
from reconciler.members.staged_rows import Counts, StagedRows
from reconciler.members.time_limit import READING, time_limit

if TYPE_CHECKING:
    import pyarrow

Files = Mapping[str, tuple[str, ...]]
"""Files by the name of the table whose rows they hold."""


@dataclass(frozen=True, slots=True)
class ReadShare:
    """Reads the rows of some files into one file."""

    place: Workplace
    scan: SharedScan
    trusted: bool

    def run(self) -> Answer:
        with self.place.cursor() as cursor:
            with time_limit(cursor, READING):
                file, _ = self.place.written(cursor, "staged", self.scan.rows(trusted=self.trusted))
            with self.place.cursor({"staged": (file,)}) as reading:
                found = reading.execute("SELECT sum(n)::BIGINT, bool_or(bad) FROM staged").fetchone()
        rows, stops = found or (0, False)
        return {"staged": file, "rows": int(rows or 0), "stops": bool(stops)}


@dataclass(frozen=True, slots=True)
class DiagnoseShare:
    """Looks for what rows are to each audience."""

    place: Workplace
    scan: SharedScan

    def run(self) -> Answer:
        with self.place.cursor() as cursor, time_limit(cursor, READING):
            return {"troubles": [sorted(one) for one in StagedRows(cursor, self.scan).troubles()]}


@dataclass(frozen=True, slots=True)
class BesideShare:
    """Looks for the identifiers of rows with an erased identifier."""

    place: Workplace
    scan: SharedScan
    staged: str

    def run(self) -> Answer:
        with self.place.cursor() as cursor:
            secrets = self.place.secrets()
            rows = _loaded(cursor, self.place, self.scan, self.staged)
            return {str(kind): sorted(values) for kind, values in rows.beside(secrets.erased).items()}


@dataclass(frozen=True, slots=True)
class MatchShare:
    """Drops erased rows, and looks for values on lists. Writes a file for each table."""

    place: Workplace
    scan: SharedScan
    staged: str
    uses: tuple[ListUse, ...]

    def run(self) -> Answer:
        with self.place.cursor() as cursor:
            rows = _loaded(cursor, self.place, self.scan, self.staged)
            matched = rows.matched(self.place.secrets().erased, self.uses, None)
            columns = matched.exclusions.columns
            tables = {"staged": "FROM staged"} | {f"values_{one}": f"FROM values_{one}" for one in columns}
            if self.uses:
                tables["outs"] = "FROM outs"
                tables |= {f"out_{one}": matched.exclusions.out(one) for one in columns}
            files = {name: self.place.written(cursor, name, query)[0] for name, query in tables.items()}
        return {
            "files": files,
            "erased": list(matched.erased.items()),
            "kept": [listed(one) for one in matched.kept],
            "lost": matched.lost,
        }


@dataclass(frozen=True, slots=True)
class LoseShare:
    """Looks for values that some row of any share lost. `outs` are files of the lost values of all shares."""

    place: Workplace
    scan: SharedScan
    files: Files
    uses: tuple[ListUse, ...]
    outs: Mapping[int, tuple[str, ...]]
    classes: tuple[frozenset[int], ...]

    def run(self) -> Answer:
        mine = {name: files for name, files in self.files.items() if not name.startswith("out_")}
        every = {f"every_{index}": files for index, files in self.outs.items()}
        with self.place.cursor({**mine, **every}) as cursor:
            exclusions = Exclusions(cursor, StagedRows(cursor, self.scan), self.uses)
            sets, files = exclusions.sets, {}
            for index in exclusions.columns:
                cursor.execute(
                    f"CREATE TEMP TABLE out_{index} AS SELECT class, value, {sets.united('o')}, "
                    f"{sets.united('s')} FROM every_{index} GROUP BY 1, 2"
                )
                exclusions.lose(index, self.classes[index])
                name = f"lost_{index}"
                files[name] = self.place.written(cursor, name, f"FROM {name}")[0]
            return {
                "files": files,
                "rows": [listed(exclusions.counts(one)) for one in exclusions.columns],
                "suppressed": [listed(exclusions.suppressed(one)) for one in exclusions.columns],
            }


@dataclass(frozen=True, slots=True)
class FindInShare:
    """Looks for a value of a class that an audience keeps on a list."""

    place: Workplace
    scan: SharedScan
    files: Files
    wanted: tuple[int, int, Class]
    column: ListColumn

    def run(self) -> Answer:
        index, audience, found = self.wanted
        with self.place.cursor(self.files) as cursor:
            staged = StagedRows(cursor, self.scan)
            return {"found": staged.finds(index, audience, found, self.column.keys)}


@dataclass(frozen=True, slots=True)
class MemberQuery:
    """A query for `member` and the words of a set. `text`: a member is text, and no digest."""

    query: str
    text: bool


@dataclass(frozen=True, slots=True)
class SendMembers:
    """Sends the members that queries select from the files of a share. Members travel as bytes."""

    place: Workplace
    files: Files
    queries: tuple[MemberQuery, ...]
    words: int

    def batches(self) -> Iterator["pyarrow.RecordBatch"]:
        named = ", ".join(columns(self.words))
        with self.place.cursor(self.files) as cursor:
            for at, one in enumerate(self.queries):
                member = "encode(member)" if one.text else "member"
                query = f"SELECT {at}::INTEGER AS query, {member} AS member, {named} FROM ({one.query})"
                yield from sent(cursor, query, self.words)


@dataclass(frozen=True, slots=True)
class UniteMembers:
    """Writes each member once, with the union of its sets, to a file, and computes the sums of each set.

    `texts` states of each query whether its members are text.
    """

    place: Workplace
    words: int
    texts: tuple[bool, ...]

    def run(self, batches: Iterator["pyarrow.RecordBatch"]) -> Answer:
        sets = ", ".join(f"bit_or({one}) AS {one}" for one in columns(self.words))
        with self.place.cursor() as cursor:
            arriving(cursor, batches, self.words)
            cursor.execute(
                f"CREATE TEMP TABLE united AS SELECT query, member, {sets} FROM {ARRIVING} GROUP BY 1, 2"
            )
            return {"sets": [self._written(cursor, at, text) for at, text in enumerate(self.texts)]}

    def _written(self, cursor: duckdb.DuckDBPyConnection, query: int, text: bool) -> Answer:
        named, member = ", ".join(columns(self.words)), "decode(member)" if text else "member"
        mine = f"SELECT {member} AS member, {named} FROM united WHERE query = {query}"
        file, rows = self.place.written(cursor, "members", mine)
        if not rows:
            return {"sums": []}
        lanes = self.place.snapshots().lanes(Path(file), TEXT if text else DIGEST)
        sums = cursor.execute(f"SELECT {named}, {SUMS} FROM ({lanes}) GROUP BY ALL").fetchall()
        return {"file": file, "sums": [list(map(int, one)) for one in sums]}


BATCH = 100_000
"""Members that travel together."""
ARRIVING = "arriving"


def columns(words: int) -> list[str]:
    return [f"k{word}" for word in range(words)]


def listed(counts: Counts) -> list[tuple[int, int, int]]:
    """Counts as JSON can hold them."""
    return [(audience, found, n) for audience, some in counts.items() for found, n in some.items()]


def arrow_schema(word: "pyarrow.DataType", words: int) -> "pyarrow.Schema":
    import pyarrow

    named = [("query", pyarrow.int32()), ("member", pyarrow.binary())]
    return pyarrow.schema([*named, *((one, word) for one in columns(words))])


def _cast(batch: "pyarrow.RecordBatch", schema: "pyarrow.Schema") -> "pyarrow.RecordBatch":
    """The same bits in other types: Spark has no unsigned numbers."""
    import pyarrow

    query, member, *words = batch.columns
    changed = [word.view(schema.field(at).type) for at, word in enumerate(words, 2)]
    return pyarrow.RecordBatch.from_arrays([query, member, *changed], schema=schema)


def sent(cursor: duckdb.DuckDBPyConnection, query: str, words: int) -> Iterator["pyarrow.RecordBatch"]:
    """Return the rows of a query as they travel."""
    import pyarrow

    schema = arrow_schema(pyarrow.int64(), words)
    for batch in cursor.sql(query).to_arrow_reader(BATCH):
        yield _cast(batch, schema)


def arriving(cursor: duckdb.DuckDBPyConnection, batches: Iterable["pyarrow.RecordBatch"], words: int) -> None:
    """Make members that arrive a relation, which can be read once."""
    import pyarrow

    schema = arrow_schema(pyarrow.uint64(), words)
    read = pyarrow.RecordBatchReader.from_batches(schema, (_cast(one, schema) for one in batches))
    cursor.register(ARRIVING, read)


def _loaded(cursor: duckdb.DuckDBPyConnection, place: Workplace, scan: SharedScan, staged: str) -> RowsHere:
    """Rows of a share in a table: rows of a file have no numbers to name them by."""
    cursor.execute(f"CREATE TEMP TABLE staged AS SELECT * FROM {reader(Path(staged))}")
    return RowsHere(cursor, place.snapshots(), scan)
