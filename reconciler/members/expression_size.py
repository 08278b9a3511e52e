"""How long the texts may become that an expression makes, from its tree: nothing is computed to know it.

DuckDB's memory limit doesn't cover the values of an expression, and no value can be interrupted while it is
made. So an expression is only taken if its size follows from how it is written.
"""

from typing import NamedTuple

from reconciler.core.source_groups import ConditionSize
from reconciler.members.expression import Node, children

GROWTH = 1_000
"""How many times as long as the values of its columns all texts of an expression may be."""
FIXED = 100_000
"""How many bytes they may have besides."""
LIMIT = ConditionSize(GROWTH, FIXED)
PADDED = 1_000
"""To how many characters `lpad` may pad."""

_SMALL = 64  # what a number, a date or a digest takes as text
_YES_OR_NO = frozenset({"COMPARISON", "CONJUNCTION", "BETWEEN"})
_ASKING = frozenset(
    {"COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"}
)
_LISTED = 10  # how many times as long as its text a list of short values is in memory
_LONGEST_DIRECTIVE = 20  # what `%c` of strftime takes


class Unbounded(Exception):  # noqa: N818
    """Nobody can tell how long a text becomes; says what to write instead."""

    def __init__(self, node: Node, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.node, self.problem, self.remedy = node, problem, remedy


class Size(NamedTuple):
    """At most `growth` times the longest value of a column, and `fixed` bytes."""

    growth: float
    fixed: float

    def times(self, factor: float) -> "Size":
        return Size(self.growth * factor, self.fixed * factor)


NOTHING = Size(0, 0)


class Sizes(NamedTuple):
    """The size of a node's own value, of all values made on the way to it, and of those made of each row.

    What names no column does not vary: it is computed once for all rows.
    """

    own: Size
    made: Size
    of_row: Size
    varies: bool


def size(node: Node) -> Sizes:
    """Return the sizes of a node. Raises Unbounded."""
    below = [size(child) for child in children(node) if child["class"] != "TYPE"]
    own = _own(node, [one.own for one in below])
    varies = node["class"] == "COLUMN_REF" or any(one.varies for one in below)
    new = [] if node["class"] in ("COLUMN_REF", "CONSTANT") else [own]
    made = _sum([*(one.made for one in below), *new])
    of_row = _sum([*(one.of_row for one in below), *new]) if varies else NOTHING
    return Sizes(own, made, of_row, varies)


def _own(node: Node, below: list[Size]) -> Size:
    kind = node["class"]
    if kind == "COLUMN_REF":
        return Size(1, 0)
    if kind == "CONSTANT":
        return Size(0, len(_text(node).encode()))
    if kind in _YES_OR_NO or node["type"] in _ASKING:
        return Size(0, 1)
    if kind != "FUNCTION":
        return _sum([*below, Size(0, _SMALL)])
    called = str(node["function_name"]).lower()
    return _OF_FUNCTIONS.get(called, _of_others)(node, below)


def _of_others(_: Node, below: list[Size]) -> Size:
    return _sum([*below, Size(0, _SMALL)])


def _of_lpad(node: Node, below: list[Size]) -> Size:
    if len(below) != 3:
        return _of_others(node, below)
    _, count, _ = children(node)
    length = _text(count)
    if not length.isdecimal() or len(length) > 9 or int(length) > PADDED:
        problem = f"pads to something else than a fixed length of up to {PADDED:,} characters"
        raise Unbounded(node, problem, "give the length as a number: lpad(code, 10, '0')")
    return Size(0, 4 * int(length))


def _of_replace(node: Node, below: list[Size]) -> Size:
    """Texts don't overlap where they are replaced."""
    if len(below) != 3:
        return _of_others(node, below)
    _, old, new = children(node)
    _constant(node, new)
    known = len(_text(old).encode()) if old["class"] == "CONSTANT" else 1
    return below[0].times(max(1.0, below[2].fixed / max(known, 1)))


def _of_regexp_replace(node: Node, below: list[Size]) -> Size:
    """A pattern may match between any two characters; each reference repeats what was matched."""
    if len(below) not in (3, 4):
        return _of_others(node, below)
    _, _, new, *options = children(node)
    _constant(node, new)
    references = _text(new).count("\\")
    if options:
        return _sum([below[0].times(1 + references + below[2].fixed), below[2]])
    return _sum([below[0].times(1 + references), below[2]])


def _of_concat_ws(_: Node, below: list[Size]) -> Size:
    return _sum([*below, *below[:1] * len(below)])


def _of_strftime(_: Node, below: list[Size]) -> Size:
    return _sum(below).times(_LONGEST_DIRECTIVE)


def _constant(node: Node, replacement: Node) -> None:
    if replacement["class"] != "CONSTANT":
        raise Unbounded(
            node, "replaces by something else than a fixed text", "write the replacement in quotes"
        )


def _of_json(node: Node, below: list[Size]) -> Size:
    """Values on one path don't overlap, but for those that `..` finds within one another."""
    if len(below) != 2:
        return _of_others(node, below)
    _, path = children(node)
    if path["class"] != "CONSTANT" or ".." in _text(path):
        raise Unbounded(
            node,
            "follows something else than one fixed path",
            "write the path as text without `..`: '$.a[0].b'",
        )
    found = below[0].times(_LISTED) if "*" in _text(path) else below[0]
    return _sum([found, Size(0, _SMALL)])


def _of_regexp_extract(node: Node, below: list[Size]) -> Size:
    """Each named group may hold all of the text."""
    if len(below) not in (3, 4):
        return _of_others(node, below)
    _, _, groups, *_ = children(node)
    if groups["class"] == "CONSTANT":
        return _of_others(node, below)
    if groups["class"] != "FUNCTION" or str(groups["function_name"]).lower() != "list_value":
        raise Unbounded(node, "extracts something else than fixed groups", "give the number of the group")
    return _sum([below[0].times(len(children(groups))), *below[1:]])


_OF_FUNCTIONS = {
    "json_array_length": _of_json,
    "json_exists": _of_json,
    "json_extract": _of_json,
    "json_extract_string": _of_json,
    "json_type": _of_json,
    "->": _of_json,
    "->>": _of_json,
    "regexp_extract": _of_regexp_extract,
    "lpad": _of_lpad,
    "replace": _of_replace,
    "regexp_replace": _of_regexp_replace,
    "concat_ws": _of_concat_ws,
    "strftime": _of_strftime,
}


def _text(node: Node) -> str:
    """The literal of a constant; NULL has none."""
    return str((node.get("literal") or {}).get("text", ""))


class Excess(NamedTuple):
    """What is wrong with the size of an expression, and what to write instead."""

    node: Node
    problem: str
    remedy: str


def measured(node: Node) -> ConditionSize | Excess:
    """Return the size of what an expression makes of each row, if all that it makes is small enough."""
    try:
        found = size(node)
    except Unbounded as error:
        return Excess(error.node, error.problem, error.remedy)
    if ConditionSize(*found.made).fits(LIMIT):
        return ConditionSize(*found.of_row)
    problem = (
        f"may make texts more than {GROWTH:,} times as long as the values of its columns, "
        f"or of more than {FIXED:,} bytes"
    )
    return Excess(node, problem, "prepare the column in the source")


def _sum(sizes: list[Size]) -> Size:
    return Size(sum(one.growth for one in sizes), sum(one.fixed for one in sizes))
