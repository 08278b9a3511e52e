"""One query over files for all audiences that share them: who wants a row, and what its identifiers are.

Each row says in a few numbers which audiences' `where` keeps it (`bit_sets`). Identifiers of rows that
nobody keeps are not looked at.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.source_groups import IdentifierColumn
from reconciler.members import column_types
from reconciler.members import identifier_sql as sql
from reconciler.members.bit_sets import BitSets
from reconciler.members.column_types import TEXT, ColumnType
from reconciler.members.database import name
from reconciler.members.sources import Table
from reconciler.members.where_clause import WhereClause


class RowTrouble(StrEnum):
    """What a row may be to an audience so that its sources can't be used as they were read.

    BROKEN: a line break is in an identifier. UNFIT: the reading of a column is wrong for its value. ODD: an
    identifier of a row that is kept is no text.
    """

    BROKEN = "broken"
    UNFIT = "unfit"
    ODD = "odd"


BROKEN, UNFIT, ODD = RowTrouble
BAD = name("row bad")
"""Beside the columns of a condition, which may have any name that a person would give."""


@dataclass(frozen=True, slots=True)
class Chooser:
    """What one audience asks of each row. `identifiers` are numbers of the columns of the scan."""

    condition: WhereClause
    meanings: Mapping[str, ColumnType]
    identifiers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SharedScan:
    """`people` are the identifier columns that tell who a row is of, for each way to see it.

    `listed`: exclusion lists are to be compared with the rows.
    """

    table: Table
    identifiers: tuple[IdentifierColumn, ...]
    choosers: tuple[Chooser, ...]
    people: tuple[tuple[int, ...], ...] = ()
    listed: bool = False

    @property
    def sets(self) -> BitSets:
        return BitSets(len(self.choosers))

    @property
    def counts_apart(self) -> bool:
        """Whether it is enough to know the distinct values of a row's audiences, and to count rows apart."""
        return len(self.choosers) > 1 and len(self.identifiers) == 1 and not self.people and not self.listed

    def rows(self, *, trusted: bool) -> str:
        """A query: sets of audiences `k0`…, `bad`, and for each identifier column `c0`, its class, and `v0`.

        Of one column equal rows are one and `n` is their number. Where rows are counted apart, a value stands
        once, with all audiences that have a row with it and with no number; numbers have no value.

        `bad` are rows that stop some audience: conditions see nothing of them. Once it is known that they
        stop none of these audiences, the scan is `trusted` and there are none.
        """
        sets, count = self.sets, len(self.identifiers)
        rows = self._kept("false" if trusted else self._bad())
        keep = ", ".join(["bad", *sets.columns("k")])
        wanted = ", ".join(
            f"CASE WHEN {sets.any('k')} THEN {_identifier(index)} END AS x{index}" for index in range(count)
        )
        kinds = {f"x{index}": one.identifier_type for index, one in enumerate(self.identifiers)}
        countries = {f"x{index}": one.country for index, one in enumerate(self.identifiers)}
        classified = sql.classified(f"(SELECT {keep}, {wanted} FROM {rows})", kinds, keep, countries)
        found = ", ".join(f"x{index}_class AS c{index}, x{index}_value AS v{index}" for index in range(count))
        people = "".join(f", {_person(one)} AS p{index}" for index, one in enumerate(self.people))
        if count > 1:
            return f"SELECT {keep}, {found}{people}, 1 AS n FROM {classified}"
        if not self.counts_apart:
            return f"SELECT {keep}, {found}{people}, count(*) AS n FROM {classified} GROUP BY ALL"
        number = "CASE WHEN GROUPING(x0_value) = 1 THEN count(*) ELSE 0 END"
        return (
            f"SELECT bad, {sets.united('k')}, any_value(x0_class) AS c0, x0_value AS v0, {number} AS n "
            f"FROM {classified} GROUP BY GROUPING SETS ((x0_value), ({keep}, x0_class))"
        )

    def diagnosis(self) -> str:
        """A query of one row: for each audience, whether any row is broken, unfit or odd to it."""
        flags = [
            *(
                f"{self.table.broken(one.column)} AS {_flag(BROKEN, at)}"
                for at, one in enumerate(self.identifiers)
            ),
            *(
                f"{self.table.untextual(one.column)} AS {_flag(ODD, at)}"
                for at, one in enumerate(self.identifiers)
            ),
            *(
                f"NOT {column_types.fits(self.table, column, one)} AS {_flag(UNFIT, column)}"
                for column, one in self._meanings().items()
            ),
        ]
        found = ", ".join(f"{_status(one)} AS s{index}" for index, one in enumerate(self.choosers))
        any_ = ", ".join(
            f"coalesce(bool_or(s{index} = '{status}'), false)"
            for index in range(len(self.choosers))
            for status in RowTrouble
        )
        return f"SELECT {any_} FROM (SELECT {found} FROM {self._seen(flags)})"

    def _kept(self, bad: str) -> str:
        """Rows with the sets of audiences that keep them. Each condition is computed once, as a value.

        In a filter DuckDB would try the parts of a condition in an order of its own.
        """
        texts = ", ".join(_identifier(index) for index in range(len(self.identifiers)))
        rows = self._seen([f"({bad}) AS {BAD}"])
        columns = {_folded(one): name(one) for chooser in self.choosers for one in chooser.condition.columns}
        if bad != "false" and columns:
            shown = ", ".join(
                f"CASE WHEN {BAD} THEN NULL ELSE {one} END AS {one}" for one in columns.values()
            )
            rows = f"(SELECT {BAD}, {texts}, {shown} FROM {rows})"
        conditions = list(dict.fromkeys(one.condition.sql for one in self.choosers))
        chosen = ", ".join(f"{one} AS {_flag('kept', index)}" for index, one in enumerate(conditions))
        known = {one: _flag("kept", index) for index, one in enumerate(conditions)}
        kept = self.sets.where([known[one.condition.sql] for one in self.choosers])
        words = ", ".join(f"{bits} AS k{at}" for at, bits in enumerate(kept))
        return f"(SELECT {BAD} AS bad, {texts}, {words} FROM (SELECT {BAD}, {texts}, {chosen} FROM {rows}))"

    def _bad(self) -> str:
        tests = {
            *(self.table.broken(one.column) for one in self.identifiers),
            *(self.table.untextual(one.column) for one in self.identifiers),
            *(
                f"NOT {column_types.fits(self.table, column, one)}"
                for column, one in self._meanings().items()
            ),
        } - {"false"}
        return " OR ".join(sorted(tests)) or "false"

    def _meanings(self) -> dict[str, ColumnType]:
        """The readings that may be wrong, each once."""
        read = {
            _folded(column): (column, one)
            for chooser in self.choosers
            for column, one in chooser.meanings.items()
        }
        return {column: one for column, one in read.values() if one is not TEXT}

    def _seen(self, more: Sequence[str]) -> str:
        conditions = [(one.condition.columns, one.meanings) for one in self.choosers]
        texts = [
            f"{self.table.text(one.column)} AS {_identifier(at)}" for at, one in enumerate(self.identifiers)
        ]
        return seen(self.table, conditions, [one.column for one in self.identifiers], [*texts, *more])


def seen(
    table: Table,
    conditions: Iterable[tuple[Sequence[str], Mapping[str, ColumnType]]],
    identifiers: Sequence[str] = (),
    more: Sequence[str] = (),
) -> str:
    """The rows as conditions see them: a column that one names is what it means. `more` are other items."""
    items: dict[str, str] = {}
    columns = {_folded(one): one for one in identifiers}
    for named, meanings in conditions:
        for one in named:
            columns.setdefault(_folded(one), one)
            items.setdefault(_folded(one), f"{_meant(table, one, meanings)} AS {name(one)}")
    selected = ", ".join([*items.values(), *more]) or "1 AS one"
    return f"(SELECT {selected} FROM {table.relation(columns.values())} AS stored)"


def _meant(table: Table, column: str, meanings: Mapping[str, ColumnType]) -> str:
    if column in meanings:
        return column_types.read(table, column, meanings[column])
    return name(column) if table.family == "parquet" else table.text(column)


def _folded(column: str) -> str:
    """Names that are one to DuckDB are equal: it folds ASCII only."""
    return "".join(one.lower() if one.isascii() else one for one in column)


def _status(one: Chooser) -> str:
    broken = " OR ".join(_flag(BROKEN, index) for index in one.identifiers)
    odd = " OR ".join(_flag(ODD, index) for index in one.identifiers)
    unfit = " OR ".join(_flag(UNFIT, column) for column, found in one.meanings.items() if found is not TEXT)
    return (
        f"CASE WHEN {broken} THEN '{BROKEN}' WHEN {unfit or 'false'} THEN '{UNFIT}' "
        f"WHEN NOT ({odd}) THEN NULL WHEN coalesce({one.condition.sql}, false) THEN '{ODD}' END"
    )


def _person(identifiers: Sequence[int]) -> str:
    """Who a row is of, as a digest whose order is that of nothing else."""
    first = ", ".join(f"x{index}_value, nullif(x{index}_cut, '')" for index in identifiers)
    return f"md5(coalesce({first}, ''))"


def _identifier(index: int) -> str:
    """A column name with a blank, which no exported column is likely to share."""
    return name(f"identifier {index}")


def _flag(what: str, which: object) -> str:
    return name(f"row {what} {which}")
