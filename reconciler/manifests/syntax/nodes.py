"""Parsed values with their location, and the issues found in them."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, NamedTuple

from reconciler.core.errors import Finding
from reconciler.core.model import SourceLocation

PathStep = str | int


class Node(NamedTuple):
    """One YAML value: `line` and `column` are 1-based, `start` and `end` are indexes into the text.

    `keys` is filled for mappings, `items` for mappings and lists.
    """

    value: Any
    line: int
    column: int
    start: int
    end: int
    plain: bool
    keys: dict[str, "Node"]
    items: "dict[PathStep, Node]"


@dataclass(frozen=True, slots=True)
class ManifestDocument:
    """One manifest: a file may hold several."""

    file: str
    text: str
    root: Node

    @property
    def kind(self) -> str:
        return self.text_of("kind")

    @property
    def name(self) -> str:
        return self.text_of("name")

    def text_of(self, key: str) -> str:
        """The text under a top-level key; "" when it is absent or something else."""
        value = self.root.value.get(key) if isinstance(self.root.value, dict) else None
        return value if isinstance(value, str) else ""

    def lost(self, *path: PathStep) -> bool:
        """Return whether a value exists that does not have the type of the schema."""
        node: Node | None = self.root
        for step in path:
            node = node.items.get(step) if node else None
        return node is not None and self.value(*path) is None

    def value(self, *path: PathStep) -> Any:
        """The value at a path; None when it, or a part of the way, is not there."""
        value = self.root.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def texts(self, *path: PathStep) -> list[tuple[int, str]]:
        """The texts in a list with their indexes; empty when there is no list."""
        items = self.value(*path)
        listed = items if isinstance(items, list) else []
        return [(index, item) for index, item in enumerate(listed) if isinstance(item, str)]

    def without(self, paths: list[tuple[PathStep, ...]]) -> "ManifestDocument":
        """Return the document without some values. Items of lists are replaced by None."""
        if not paths:
            return self
        value = deepcopy(self.root.value)
        for path in paths:
            _remove(value, path)
        return replace(self, root=self.root._replace(value=value))

    def place(self, *path: PathStep) -> SourceLocation:
        """Return the location of a value. Mappings, lists and missing values have that of their key."""
        parent, node = self.root, self.root
        for step in path:
            if step not in node.items:
                return self.place(*path[:-1])
            parent, node = node, node.items[step]
        if path and path[-1] in parent.keys and (node.items or node.start == node.end):
            return self.at(parent.keys[str(path[-1])])
        return self.at(node)

    def written(self, *path: PathStep) -> str:
        """Return the text of a value in the file; "" if the value is missing."""
        node: Node | None = self.root
        for step in path:
            node = node.items.get(step) if node else None
        return self.text[node.start : node.end] if node else ""

    def key_place(self, *path: PathStep) -> SourceLocation:
        """Return the location of a key."""
        node = self.root
        for step in path[:-1]:
            node = node.items[step]
        return self.at(node.keys[str(path[-1])])

    def at(self, node: Node) -> SourceLocation:
        return SourceLocation(self.file, node.line, node.column)


def _remove(value: Any, path: tuple[PathStep, ...]) -> None:
    for step in path[:-1]:
        value = value.get(step) if isinstance(value, dict) else value[step] if value else None
    if isinstance(value, dict):
        value.pop(path[-1], None)
    elif isinstance(value, list):
        value[int(path[-1])] = None


def walk(node: Node, name: str = "") -> Iterator[tuple[str, Node]]:
    """Yield every scalar below a node with its key, and every key with ""."""
    for key in node.keys.values():
        yield "", key
    for step, child in node.items.items():
        under = step if isinstance(step, str) else name
        if child.items:
            yield from walk(child, under)
        else:
            yield under, child


class IssueRank(IntEnum):
    """Return, of several flaws in one place, only those of the lowest rank."""

    STRUCTURE = 0
    SCHEMA = 1
    TRAP = 2


class Issue(NamedTuple):
    """A finding before it becomes text: sorts by place."""

    place: SourceLocation
    rank: IssueRank
    problem: str
    remedy: str


def findings(flaws: list[Issue]) -> tuple[Finding, ...]:
    """Sorted by place, each place with its gravest flaws only, nothing twice."""
    gravest: dict[SourceLocation, IssueRank] = {}
    for flaw in flaws:
        gravest[flaw.place] = min(flaw.rank, gravest.get(flaw.place, flaw.rank))
    reported = dict.fromkeys(flaw for flaw in flaws if flaw.rank == gravest[flaw.place])
    ordered = sorted(reported, key=lambda flaw: (flaw.place.file, flaw.place.line, flaw.place.column))
    return tuple(Finding(str(flaw.place), flaw.problem, flaw.remedy) for flaw in ordered)
