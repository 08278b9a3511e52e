"""`where` is one expression over the columns of a row, and can't be made to be anything else.

DuckDB's own parser reads it in the place where it will stand. We accept the tree only if it is
made of columns that exist, constants, operators and a list of functions that look at nothing else.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import orjson

from reconciler.core.errors import Finding
from reconciler.core.model import Place
from reconciler.members.sources import shown, suggestion

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
_SELECT = """
type modifiers cte_map where_clause group_expressions group_sets aggregate_handling having sample qualify
"""
NODES, FUNCTIONS, CLOCKS = (frozenset(words.split()) for words in (_NODES, _FUNCTIONS, _CLOCKS))
PLAIN_SELECT = frozenset(_SELECT.split())
_TOKENS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$\w*\$|::|:today\b""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Condition:
    """A checked expression in brackets, the columns it names, and where; without a `where`, `true`."""

    sql: str
    columns: tuple[str, ...]
    place: Place


ALWAYS = Condition("(true)", (), Place("", 0, 0))


def parse(
    cursor: duckdb.DuckDBPyConnection,
    where: str,
    columns: Mapping[str, str] | None,
    today: date,
    place: Place,
) -> Condition | Finding:
    """`columns` maps case-folded names to names, None if they aren't known; `:today` becomes the date."""
    if not where.strip():
        return ALWAYS
    if "$$" in where or "\x00" in where:
        return Finding(str(place), "`where` holds a character it can't have", "quote texts with '")
    expression = _TOKENS.sub(lambda token: f"DATE '{today}'" if token[0] == ":today" else token[0], where)
    condition = f"({expression}\n)"
    tree = _tree(cursor, f"SELECT {condition} AS wanted FROM source")
    if tree is None:
        return Finding(str(place), "`where` is not one SQL expression", _EXPRESSION)
    named = [str(node["column_names"][0]) for node in _nodes(tree, "COLUMN_REF")]
    problem = _forbidden(tree) or (_foreign(named, columns) if columns is not None else None)
    if problem:
        return Finding(str(place), f"`where` {problem[0]}", problem[1])
    return Condition(condition, tuple({one.casefold(): one for one in named}.values()), place)


_EXPRESSION = "write what stands after WHERE in SQL, such as: last_order < :today - interval 90 day"


def _tree(cursor: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any] | None:
    """The one item that the query selects, if that and its table are all there is to the query."""
    try:
        row = cursor.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchone()
    except duckdb.Error:
        return None
    answer: dict[str, Any] = orjson.loads(row[0]) if row else {"error": True}
    if answer["error"] or len(answer["statements"]) != 1:
        return None
    node: dict[str, Any] = answer["statements"][0]["node"]
    if set(node) != PLAIN_SELECT | {"select_list", "from_table"} or any(
        map(_filled, map(node.get, PLAIN_SELECT))
    ):
        return None
    item: dict[str, Any] = node["select_list"][0]
    whole = len(node["select_list"]) == 1 and item["alias"] == "wanted"
    return item if whole and node["from_table"]["type"] == "BASE_TABLE" else None


def _filled(part: object) -> bool:
    return part not in ("SELECT_NODE", "STANDARD_HANDLING", {"map": []}, [], None)


def _walk(part: object) -> Iterator[dict[str, Any]]:
    """Every node of the tree that has a class, and every sub-query, whichever key it hangs on."""
    if isinstance(part, dict):
        if "class" in part:
            yield part
        for value in part.values():
            yield from _walk(value)
    elif isinstance(part, list):
        for value in part:
            yield from _walk(value)


def _nodes(tree: object, kind: str) -> Iterator[dict[str, Any]]:
    return (node for node in _walk(tree) if node["class"] == kind)


def _forbidden(tree: object) -> tuple[str, str] | None:
    """What the expression holds that an expression over one row doesn't need."""
    kinds = {node["class"] for node in _walk(tree)}
    if "SUBQUERY" in kinds:
        return "holds a sub-query", "use `exclude`, or prepare the column in the source"
    if "WINDOW" in kinds:
        return "looks at other rows", "prepare the column in the source"
    if kinds - NODES or any(node["type"] == "GROUPING_FUNCTION" for node in _nodes(tree, "OPERATOR")):
        return "holds something else than columns, constants, operators and functions", _EXPRESSION
    if any(len(node["column_names"]) > 1 for node in _nodes(tree, "COLUMN_REF")):
        return "names a column with a dot", "give the column's name alone, in \" if it holds a dot"
    for node in _nodes(tree, "FUNCTION"):
        called = str(node["function_name"]).lower()
        if called in CLOCKS:
            return _moving(called)
        if called not in FUNCTIONS or len(node["qualified_name"]["path"]) > 1:
            close = difflib.get_close_matches(called, FUNCTIONS, n=1, cutoff=0.75)
            hint = f"did you mean {close[0]}?" if close else "prepare the column in the source"
            return f"calls {shown(called)}, which is not allowed there", hint
    return None


def _foreign(named: Sequence[str], columns: Mapping[str, str]) -> tuple[str, str] | None:
    for one in named:
        if one.casefold() in columns:
            continue
        if one.lower() in CLOCKS:
            return _moving(one.lower())
        hint = (
            suggestion(one, columns.values())
            if shown(one) == one
            else "texts are quoted with ', columns with \""
        )
        return "names a column that isn't there", hint
    return None


def _moving(called: str) -> tuple[str, str]:
    return f"uses {called}, so it would differ from run to run", "use :today"


def fit(
    cursor: duckdb.DuckDBPyConnection, condition: Condition, rows: str, words: str, place: Place
) -> Finding | None:
    """Whether the expression suits the types of its columns and says yes or no. `rows` has the columns."""
    try:
        described = cursor.execute(f"DESCRIBE SELECT {condition.sql} AS wanted FROM {rows}").fetchone()
    except duckdb.Error:
        remedy = "compare like with like, or convert: strptime(day, '%d/%m/%Y'), try_cast(code AS integer)"
        return Finding(str(place), f"`where` doesn't suit its columns: {words or 'it names none'}", remedy)
    found = str(described[1]).partition("(")[0] if described else ""
    if found not in ("BOOLEAN", '"NULL"'):
        return Finding(str(place), f"`where` gives {found.lower()}, not yes or no", _EXPRESSION)
    return None
