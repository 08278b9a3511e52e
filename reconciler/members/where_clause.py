"""`where` is one expression over the columns of a row, and can't be made to be anything else.

DuckDB's own parser reads it in the place where it will stand. We accept the tree only if it is
made of columns that exist, constants, operators and a list of functions that look at nothing else.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import duckdb

from reconciler.core.errors import Finding
from reconciler.core.model import Source, SourceLocation
from reconciler.core.source_groups import ConditionSize
from reconciler.core.value_location import place_within
from reconciler.members import expression, expression_size
from reconciler.members.database import name
from reconciler.members.expression import Broken, Node
from reconciler.members.expression_size import Excess
from reconciler.members.sources import RowOrigin, shown, suggestion
from reconciler.members.time_limit import CHECKING, OverdueError, time_limit

_NODES = """
COLUMN_REF CONSTANT COMPARISON CONJUNCTION OPERATOR FUNCTION CASE CAST BETWEEN TYPE COLLATE
"""
_FUNCTIONS = """
+ - * / // % ** ^ || ~~ !~~ ~~* !~~* ~~~ ^@ & | << >> @>
like_escape not_like_escape ilike_escape not_ilike_escape

ascii bit_length char_length character_length concat concat_ws contains ends_with instr lcase left len
length lower lpad ltrim md5 position prefix regexp_extract regexp_full_match regexp_matches regexp_replace
replace reverse right rtrim sha256 split_part starts_with strip_accents strlen strpos substr substring
suffix translate trim ucase unicode upper

abs ceil ceiling exp floor greatest isfinite isinf isnan least ln log log10 log2 mod pow power round sign
sqrt trunc

date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname dayofmonth
dayofweek dayofyear epoch epoch_ms hour isodow isoyear last_day make_date make_timestamp minute month
monthname quarter second strftime strptime time_bucket timezone to_days to_hours to_minutes to_months
to_quarters to_seconds to_timestamp to_weeks to_years try_strptime week weekday weekofyear year yearweek

array_contains array_has array_length json_array_length json_exists json_extract json_extract_string
json_type json_valid list_contains list_element list_extract list_has list_has_all list_has_any
list_position list_value row struct_extract -> ->>

if ifnull nullif
"""
_CLOCKS = """
now today current_date current_timestamp get_current_timestamp get_current_time current_localtimestamp
current_localtime transaction_timestamp localtimestamp localtime current_time age ago random uuid
"""
_TYPES = """
list row struct map json boolean bool tinyint smallint integer int bigint hugeint utinyint usmallint uinteger
ubigint uhugeint float real double decimal numeric varchar text string char bpchar date time timetz timestamp
datetime timestamptz timestamp_s timestamp_ms timestamp_ns interval uuid int1 int2 int4 int8 long short signed
float4 float8
"""
LONGEST = 100_000
NODES, FUNCTIONS, CLOCKS, TYPES = (
    frozenset(words.split()) for words in (_NODES, _FUNCTIONS, _CLOCKS, _TYPES)
)
_TOKENS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$\w*\$|::|:today\b""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class WhereClause:
    """A checked expression in brackets, the columns it names, and where; without a `where`, `true`."""

    sql: str
    columns: tuple[str, ...]
    place: SourceLocation
    size: ConditionSize


ALWAYS = WhereClause("(true)", (), SourceLocation("", 0, 0), ConditionSize())


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong, what to do, and the node that is to blame, or else where in the expression."""

    problem: str
    remedy: str
    node: Node | None = None
    index: int | None = None


Trees = Mapping[str, Node | Broken]
"""Dated expressions as DuckDB's parser reads them, as far as many were parsed together."""


def parsed(cursor: duckdb.DuckDBPyConnection, sources: Iterable[Source], today: date) -> Trees:
    """The trees of many sources at once, which `parse` then need not ask DuckDB for."""
    texts = [_dated(one.where, today) for one in sources if one.where.strip() and not _refused(one.where)]
    return expression.trees(cursor, texts)


def parse(
    cursor: duckdb.DuckDBPyConnection,
    source: Source,
    columns: Mapping[str, str] | None,
    today: date,
    trees: Trees = MappingProxyType({}),
    origin: RowOrigin = RowOrigin.FILES,
) -> WhereClause | Finding:
    """`columns` maps case-folded names to names, None if they aren't known; `:today` becomes the date."""
    where, place = source.where, source.where_place
    if not where.strip():
        return ALWAYS
    dated = _dated(where, today)
    found = _refused(where) or _checked(
        dated, trees.get(dated) or expression.tree(cursor, dated), columns, origin
    )
    if isinstance(found, _Fault):
        at = found.index
        if found.node and found.node["query_location"] < len(dated.encode()) + _MARGIN:
            at = expression.index(dated, found.node["query_location"])
        if at is not None:
            place = place_within(place, source.where_written, where, _undated(where, at))
        return Finding(str(place), f"`where` {found.problem}", found.remedy)
    named, size = found
    return WhereClause(f"({dated}\n)", named, place, size)


_MARGIN = 100
"""Nodes that DuckDB makes up itself have no place: theirs is far beyond any expression."""
_SIMPLER = "prepare the column in the source"
_EXPRESSION = "write what stands after WHERE in SQL, such as: last_order < :today - interval 90 day"


def _dated(where: str, today: date) -> str:
    return _TOKENS.sub(lambda token: f"DATE '{today}'" if token[0] == ":today" else token[0], where)


def _refused(where: str) -> _Fault | None:
    """What DuckDB is not asked to parse."""
    if "$$" in where or "\x00" in where:
        return _Fault("holds a character it can't have", "quote texts with '")
    if len(where) > LONGEST:
        remedy = "prepare the column in the source, or use a list"
        return _Fault(f"has more than {LONGEST:,} characters", remedy)
    return None


def _checked(
    dated: str, tree: Node | Broken, columns: Mapping[str, str] | None, origin: RowOrigin
) -> tuple[tuple[str, ...], ConditionSize] | _Fault:
    """The columns that the expression names, each once, and the size of what it makes of a row."""
    if tree is expression.TOO_DEEP:
        problem = f"is nested more than {expression.DEEPEST} levels deep"
        return _Fault(problem, "use IN (…) instead of many CASE or OR, or prepare the column in the source")
    if isinstance(tree, Broken):
        return _unread(dated, tree.index)
    named = [node for node in expression.walk(tree) if node["class"] == "COLUMN_REF"]
    fault = _forbidden(tree) or (_foreign(named, columns, origin) if columns is not None else None)
    if fault:
        return fault
    size = expression_size.measured(tree)
    if isinstance(size, Excess):
        return _Fault(size.problem, size.remedy, size.node)
    names = [str(node["column_names"][0]) for node in named]
    return tuple({one.casefold(): one for one in names}.values()), size


def _undated(where: str, index: int) -> int:
    """Where in `where` a character stands, of which the index is known once `:today` is a date."""
    longer = len("DATE '2026-11-24'") - len(":today")
    for token in _TOKENS.finditer(where):
        if token[0] != ":today":
            continue
        if index < token.end() + longer:
            return min(index, token.start())
        index -= longer
    return index


_WORD_BEFORE = re.compile(r"[^\W\d]\w*\s+\Z")
_PARAMETER = re.compile(r":[^\W\d]\w*")


def _unread(dated: str, index: int | None) -> _Fault:
    """Where DuckDB's parser stopped tells most mistakes apart."""
    problem = "is not one SQL expression"
    if index is None:
        return _Fault(problem, _EXPRESSION)
    if _PARAMETER.match(dated, index):
        return _Fault("names a parameter that isn't there", "only `:today` is known", index=index)
    if _WORD_BEFORE.search(dated, 0, index) and re.match(r"[^\W\d]\w*", dated[index:]):
        remedy = f"quote columns with spaces: \"first name\" = 'x'; otherwise {_EXPRESSION}"
        return _Fault(problem, remedy, index=index)
    return _Fault(problem, _EXPRESSION, index=min(index, len(dated.rstrip()) - 1))


def _forbidden(tree: Node) -> _Fault | None:
    """What the expression holds that an expression over one row doesn't need."""
    for node in expression.walk(tree):
        kind = node["class"]
        if kind == "SUBQUERY":
            return _Fault("holds a sub-query", "use `exclude`, or prepare the column in the source", node)
        if kind == "WINDOW":
            return _Fault("looks at other rows", "prepare the column in the source", node)
        if kind == "PARAMETER":
            return _Fault("names a parameter that isn't there", "only `:today` is known", node)
        if kind not in NODES or node["type"] == "GROUPING_FUNCTION":
            problem = "holds something else than columns, constants, operators and functions"
            return _Fault(problem, _EXPRESSION, node)
        if kind == "COLUMN_REF" and len(node["column_names"]) > 1:
            return _Fault(
                "names a column with a dot", "give the column's name alone, in \" if it holds a dot", node
            )
        if kind == "TYPE" and (fault := _type(node)):
            return fault
        if kind == "FUNCTION" and (fault := _function(node)):
            return fault
    return None


def _type(node: Node) -> _Fault | None:
    if str(node["type_name"]).lower() in TYPES:
        return None
    return _Fault(
        "converts to a type that is not allowed there", "use varchar, double, integer or date", node
    )


def _function(node: Node) -> _Fault | None:
    called = str(node["function_name"]).lower()
    if called in CLOCKS:
        return _moving(called, node)
    if called not in FUNCTIONS or len(node["qualified_name"]["path"]) > 1:
        close = difflib.get_close_matches(called[:80], FUNCTIONS, n=1, cutoff=0.75)
        hint = f"did you mean {close[0]}?" if close else "prepare the column in the source"
        return _Fault(f"calls {shown(called)}, which is not allowed there", hint, node)
    if any(one.get("name") for one in node["arguments"]):
        return _Fault("names an argument of a function", "give arguments in their order", node)
    return None


def _foreign(named: list[Node], columns: Mapping[str, str], origin: RowOrigin) -> _Fault | None:
    for node in named:
        one = str(node["column_names"][0])
        if one.casefold() in columns:
            continue
        if one.lower() in CLOCKS:
            return _moving(one.lower(), node)
        hint = (
            suggestion(one, columns.values(), origin)
            if shown(one) == one
            else "texts are quoted with ', columns with \""
        )
        return _Fault("names a column that isn't there", hint, node)
    return None


def _moving(called: str, node: Node) -> _Fault:
    return _Fault(f"uses {called}, so it would differ from run to run", "use :today", node)


def fitting(cursor: duckdb.DuckDBPyConnection, conditions: Sequence[WhereClause], rows: str) -> list[bool]:
    """Which of many conditions certainly fit: none of them where one makes DuckDB fail."""
    columns = ", ".join(f"{one.sql} AS {name(f'row kept {index}')}" for index, one in enumerate(conditions))
    try:
        with time_limit(cursor, CHECKING):
            described = cursor.execute(f"DESCRIBE SELECT {columns} FROM {rows}").fetchall()
    except duckdb.InterruptException:
        raise
    except (OverdueError, duckdb.Error):
        return [False] * len(conditions)
    return [_type_of(row) in _YES_OR_NO for row in described]


def fit(
    cursor: duckdb.DuckDBPyConnection, condition: WhereClause, rows: str, words: str, place: SourceLocation
) -> Finding | None:
    """Whether the expression suits the types of its columns and says yes or no. `rows` has the columns."""
    try:
        with time_limit(cursor, CHECKING):
            described = cursor.execute(f"DESCRIBE SELECT {condition.sql} AS wanted FROM {rows}").fetchone()
    except OverdueError:
        return Finding(str(place), f"`where` takes more than {CHECKING} seconds to check", _SIMPLER)
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        remedy = "compare like with like, or convert: strptime(day, '%d/%m/%Y'), try_cast(code AS integer)"
        return Finding(str(place), f"`where` doesn't suit its columns: {words or 'it names none'}", remedy)
    found = _type_of(described) if described else ""
    if found not in _YES_OR_NO:
        return Finding(str(place), f"`where` gives {found.lower()}, not yes or no", _EXPRESSION)
    return None


_YES_OR_NO = ("BOOLEAN", '"NULL"')


def _type_of(described: Sequence[object]) -> str:
    return str(described[1]).partition("(")[0]
