"""Which files a `where` certainly keeps no row of, by values that all rows of a file share.

A condition is a row of terms between ANDs. A term that names only shared columns has one value in a whole
file. If that value is not true, `where` keeps no row of the file. Every doubt keeps a file.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import orjson

from reconciler.members.database import name
from reconciler.members.time_limit import CHECKING, OverdueError, time_limit

_PLACE = "query_location"

Node = dict[str, Any]
Values = tuple[str, ...]
"""SQL literals, one for each shared column."""

NUMBER = name("row number")
"""A name with a blank, as no partition has."""
_BEFORE, _AFTER = "SELECT (", ' FROM "source"'


def kept(
    cursor: duckdb.DuckDBPyConnection, where: str, columns: Sequence[str], found: Sequence[Values]
) -> frozenset[Values]:
    """Return the values whose rows `where` may keep. It is one sound expression."""
    left = dict.fromkeys(found)
    for term in _terms(cursor, where, {one.casefold() for one in columns}):
        left = dict.fromkeys(_fulfilling(cursor, term, columns, [*left]))
    return frozenset(left)


def _fulfilling(
    cursor: duckdb.DuckDBPyConnection, term: str, columns: Sequence[str], found: Sequence[Values]
) -> Sequence[Values]:
    """Return the values that make a term true; all of them if it fails on any, or takes too long."""
    rows = ", ".join(f"({number}, {', '.join(one)})" for number, one in enumerate(found))
    named = ", ".join(name(one) for one in columns)
    query = (
        f"SELECT {NUMBER} FROM (VALUES {rows}) AS shared({NUMBER}, {named}) WHERE coalesce(({term}), false)"
    )
    try:
        with time_limit(cursor, CHECKING):
            true = cursor.execute(query).fetchall()
    except duckdb.InterruptException:
        raise
    except (OverdueError, duckdb.Error):
        return found
    return [found[row[0]] for row in true]


def _terms(cursor: duckdb.DuckDBPyConnection, where: str, columns: set[str]) -> Iterator[str]:
    """Yield the terms that name shared columns and no other, as SQL text that means the same."""
    query = _parsed(cursor, where)
    for term in _conjuncts(_item(query)):
        named = {one.casefold() for one in _named(term)}
        if named and named <= columns:
            try:
                text = _written(cursor, query, term)
                again = _parsed(cursor, text)
            except duckdb.InterruptException:
                raise
            except duckdb.Error:
                continue
            if not again["error"] and _placeless(_item(again)) == _placeless(term):
                yield text


def _parsed(cursor: duckdb.DuckDBPyConnection, expression: str) -> Node:
    query = _BEFORE + expression + "\n)" + _AFTER
    row = cursor.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchone()
    found: Node = orjson.loads(str(row[0]) if row else "{}")
    return found


def _item(query: Node) -> Node:
    [item] = query["statements"][0]["node"]["select_list"]
    found: Node = item
    return found


def _written(cursor: duckdb.DuckDBPyConnection, query: Node, term: Node) -> str:
    """Return a term as text, "" if there is none: DuckDB writes a query, of which it is the only item."""
    [statement] = query["statements"]
    alone = {**query, "statements": [{**statement, "node": {**statement["node"], "select_list": [term]}}]}
    row = cursor.execute("SELECT json_deserialize_sql(?::JSON)", [orjson.dumps(alone).decode()]).fetchone()
    text = str(row[0] if row else "")
    if not (text.startswith("SELECT ") and text.endswith(_AFTER)):
        return ""
    return text.removeprefix("SELECT ").removesuffix(_AFTER)


def _conjuncts(term: Node) -> Iterator[Node]:
    if term["type"] != "CONJUNCTION_AND":
        yield term
        return
    for one in term["children"]:
        yield from _conjuncts(one)


def _named(part: object) -> Iterator[str]:
    """Yield the columns of a term. A column of several names counts by its first one."""
    if isinstance(part, dict):
        if part.get("class") == "COLUMN_REF":
            yield str(part["column_names"][0])
        for value in part.values():
            yield from _named(value)
    elif isinstance(part, list):
        for value in part:
            yield from _named(value)


def _placeless(part: object) -> object:
    """Return a tree without the places of its parts in a text, and without brackets that change nothing."""
    if isinstance(part, dict):
        return {key: _placeless(value) for key, value in part.items() if not key.startswith(_PLACE)}
    return [_placeless(one) for one in part] if isinstance(part, list) else part
