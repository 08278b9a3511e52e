"""An SQL expression as a tree, by DuckDB's own parser; nothing is bound or computed.

A node is what DuckDB writes for it, with the nodes right below it under `BELOW`, whichever keys they hang on:
a walk of the tree sees every part of an expression.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import orjson

BELOW = ""
"""A key that DuckDB gives no node."""
DEEPEST = 100
PORTION = 200_000
"""Characters of expressions that one query parses."""
_SELECT = """
type modifiers cte_map where_clause group_expressions group_sets aggregate_handling having sample qualify
"""
_PLAIN_SELECT = frozenset(_SELECT.split())
_BEFORE = "SELECT ("
_ALL_TREES = """
SELECT json_serialize_sql(query)
FROM unnest(?::VARCHAR[]) WITH ORDINALITY AS t(query, position) ORDER BY position
"""

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """A text that is not one expression. `index` is where the parser stopped, None if it didn't say."""

    index: int | None = None


TOO_DEEP = Broken()


def tree(cursor: duckdb.DuckDBPyConnection, expression: str) -> Node | Broken:
    """The expression, if it and its table are all there is to the query in which it stands."""
    try:
        row = cursor.execute("SELECT json_serialize_sql(?::VARCHAR)", [_query(expression)]).fetchone()
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        return Broken()
    return _read(expression, str(row[0]) if row else '{"error": true}')


def trees(cursor: duckdb.DuckDBPyConnection, expressions: Iterable[str]) -> Mapping[str, Node | Broken]:
    """What `tree` returns for each of many expressions; those that make DuckDB fail are left out.

    DuckDB takes as long to prepare one query as it takes to parse twenty expressions.
    """
    found: dict[str, Node | Broken] = {}
    for some in _portions(dict.fromkeys(expressions)):
        queries = [_query(one) for one in some]
        try:
            rows = cursor.execute(_ALL_TREES, [queries]).fetchall()
        except duckdb.InterruptException:
            raise
        except (duckdb.Error, UnicodeError):
            continue
        found |= {one: _read(one, str(row[0])) for one, row in zip(some, rows, strict=True)}
    return found


def _portions(expressions: Iterable[str]) -> Iterator[list[str]]:
    """Lists of at most `PORTION` characters, or of one expression."""
    portion: list[str] = []
    length = 0
    for one in expressions:
        if portion and length + len(one) > PORTION:
            yield portion
            portion, length = [], 0
        portion.append(one)
        length += len(one)
    if portion:
        yield portion


def _query(expression: str) -> str:
    return f"{_BEFORE}{expression}\n) AS wanted FROM source"


def _read(expression: str, serialized: str) -> Node | Broken:
    try:
        answer: Node = orjson.loads(serialized)
    except orjson.JSONDecodeError:
        return TOO_DEEP
    if answer["error"]:
        said = str(answer.get("position", ""))
        return Broken(index(expression, int(said)) if said.isdecimal() else None)
    item = _only_item(answer["statements"])
    if item is None:
        return Broken()
    return item if _linked(item) else TOO_DEEP


def index(expression: str, position: int) -> int:
    """Where in an expression a position in its query is, which DuckDB counts in bytes."""
    return len(expression.encode()[: max(position - len(_BEFORE), 0)].decode(errors="ignore"))


def _only_item(statements: list[Node]) -> Node | None:
    if len(statements) != 1:
        return None
    node: Node = statements[0]["node"]
    if set(node) != _PLAIN_SELECT | {"select_list", "from_table"} or any(
        map(_filled, map(node.get, _PLAIN_SELECT))
    ):
        return None
    item: Node = node["select_list"][0]
    whole = len(node["select_list"]) == 1 and item["alias"] == "wanted"
    return item if whole and node["from_table"]["type"] == "BASE_TABLE" else None


def _filled(part: object) -> bool:
    return part not in ("SELECT_NODE", "STANDARD_HANDLING", {"map": []}, [], None)


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it, sub-queries and types included, in the order of the text."""
    open_ = [node]
    while open_:
        one = open_.pop()
        yield one
        open_ += reversed(children(one))


def children(node: Node) -> list[Node]:
    below: list[Node] = node[BELOW]
    return below


def _gather(part: object, found: list[Node]) -> None:
    if isinstance(part, dict):
        if "class" in part:
            found.append(part)
        else:
            for value in part.values():
                _gather(value, found)
    elif isinstance(part, list):
        for value in part:
            _gather(value, found)


def _linked(item: Node) -> bool:
    """Give each node those below it. Return whether that are at most `DEEPEST` levels."""
    level, depth = [item], 0
    while level and depth < DEEPEST:
        for node in level:
            below: list[Node] = []
            for value in node.values():
                _gather(value, below)
            node[BELOW] = below
        level, depth = [child for node in level for child in children(node)], depth + 1
    return not level
