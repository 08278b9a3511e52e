"""An SQL expression as a tree, by DuckDB's own parser; nothing is bound or computed.

A node is what DuckDB writes for it, so that a walk of the tree sees every part of an expression.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import orjson

DEEPEST = 100
_SELECT = """
type modifiers cte_map where_clause group_expressions group_sets aggregate_handling having sample qualify
"""
_PLAIN_SELECT = frozenset(_SELECT.split())
_BEFORE = "SELECT ("

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """A text that is not one expression. `index` is where the parser stopped, None if it didn't say."""

    index: int | None = None


TOO_DEEP = Broken()


def tree(cursor: duckdb.DuckDBPyConnection, expression: str) -> Node | Broken:
    """The expression, if it and its table are all there is to the query in which it stands."""
    query = f"{_BEFORE}{expression}\n) AS wanted FROM source"
    try:
        row = cursor.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchone()
    except duckdb.Error:
        return Broken()
    try:
        answer: Node = orjson.loads(row[0]) if row else {"error": True}
    except orjson.JSONDecodeError:
        return TOO_DEEP
    if answer["error"]:
        said = str(answer.get("position", ""))
        return Broken(index(expression, int(said)) if said.isdecimal() else None)
    item = _only_item(answer["statements"])
    if item is None:
        return Broken()
    return TOO_DEEP if _depth(item) > DEEPEST else item


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
    """The nodes right below a node, whichever keys they hang on."""
    found: list[Node] = []
    for value in node.values():
        _gather(value, found)
    return found


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


def _depth(node: Node) -> int:
    level, depth = [node], 0
    while level and depth <= DEEPEST:
        level, depth = [child for one in level for child in children(one)], depth + 1
    return depth
