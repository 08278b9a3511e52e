"""YAML events → nodes: every plain scalar but true, false and null is text; nothing is shared or tagged."""

from typing import Any

import yaml

from reconciler.core.model import SourceLocation
from reconciler.manifests.suggestions import label
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument, Node, PathStep

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS = {"true": True, "false": False, "null": None, "": None}
_DEEPEST = 16
_NO_KEYS: dict[str, Node] = {}
_NO_ITEMS: dict[PathStep, Node] = {}
_WRITE_OUT = (
    "put quotes around a value that begins with & or *; otherwise write it out where it counts, "
    "so that a reviewer sees it there"
)


class _Frame:
    """A mapping or list that is still open."""

    __slots__ = ("flow", "items", "key", "keys", "start", "value")

    def __init__(self, event: Any, value: dict[str, Any] | list[Any]) -> None:
        self.start: Any = event.start_mark
        self.flow: bool = event.flow_style
        self.value = value
        self.key: Node | None = None
        self.keys: dict[str, Node] = {}
        self.items: dict[PathStep, Node] = {}


class YamlParser:
    """Reads one text; what it has gathered stays valid when the parser gives up in mid-way."""

    def __init__(self, file: str, text: str, line: int = 0) -> None:
        """`line` is the 0-based line of the file at which the text begins."""
        self.documents: list[ManifestDocument] = []
        self.flaws: list[Issue] = []
        self._file = file
        self._text = text
        self._line = line
        self._open: list[_Frame] = []

    def run(self) -> None:
        """Raises yaml.YAMLError where the text stops being YAML."""
        event: Any
        for event in yaml.parse(self._text, Loader=_LOADER):
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent:
                self._enter(event, {})
            elif kind is yaml.SequenceStartEvent:
                self._enter(event, [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._leave(event)
            elif kind is yaml.AliasEvent:
                self._flaw_at(event, "an alias (`*name`) is not part of manifests", _WRITE_OUT)
                self._add(self._node(None, event.start_mark, event.end_mark, False, _NO_KEYS, _NO_ITEMS))

    def _scalar(self, event: Any) -> None:
        if event.anchor is not None or event.tag is not None:
            self._refuse_extras(event)
        value = event.value
        plain = not event.style
        if plain and value in _CONSTANTS:
            value = _CONSTANTS[value]
        self._add(self._node(value, event.start_mark, event.end_mark, plain, _NO_KEYS, _NO_ITEMS))

    def _enter(self, event: Any, value: dict[str, Any] | list[Any]) -> None:
        self._refuse_extras(event)
        if len(self._open) == _DEEPEST:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=event.start_mark)
        self._open.append(_Frame(event, value))

    def _leave(self, event: Any) -> None:
        frame = self._open.pop()
        self._add(self._node(frame.value, frame.start, event.end_mark, False, frame.keys, frame.items))

    def _add(self, node: Node) -> None:
        if not self._open:
            self.documents.append(ManifestDocument(self._file, self._text, node))
            return
        frame = self._open[-1]
        if isinstance(frame.value, list):
            frame.items[len(frame.value)] = node
            frame.value.append(node.value)
        elif frame.key is None:
            frame.key = node
        else:
            self._pair(frame, frame.value, frame.key, node)
            frame.key = None

    def _pair(self, frame: _Frame, value: dict[str, Any], key: Node, node: Node) -> None:
        name = key.value
        if not isinstance(name, str):
            remedy = "put quotes around true, false, null, { and ["
            self._flaw(key.line, key.column, "a key must be text", remedy)
            return
        if frame.flow and key.plain and ":" in name and node.start == node.end:
            name, node = self._glued(key, name)
        if name in value:
            problem = f"{label(name)} is given twice, first on line {frame.keys[name].line}"
            self._flaw(key.line, key.column, problem, "keep one of the two")
            return
        value[name] = node.value
        frame.keys[name] = key
        frame.items[name] = node

    def _glued(self, key: Node, text: str) -> tuple[str, Node]:
        """`{maxShrink:20%}` is a key without a value to YAML; read on as it was meant."""
        name, _, rest = text.partition(":")
        self._flaw(
            key.line,
            key.column,
            f"{label(name)} has no space after its colon, so YAML reads all of it as a key",
            "write `key: value`, with a space; or put quotes around a text that holds a colon",
        )
        return name, key._replace(value=rest, plain=False)

    def _refuse_extras(self, event: Any) -> None:
        if event.anchor is not None:
            self._flaw_at(event, "an anchor (`&name`) is not part of manifests", _WRITE_OUT)
        if event.tag is not None:
            self._flaw_at(
                event,
                "a tag (`!name`) is not part of manifests",
                "put quotes around a value that begins with !; otherwise remove the tag",
            )

    def _flaw_at(self, event: Any, problem: str, remedy: str) -> None:
        self._flaw(event.start_mark.line + 1 + self._line, event.start_mark.column + 1, problem, remedy)

    def _flaw(self, line: int, column: int, problem: str, remedy: str) -> None:
        self.flaws.append(
            Issue(SourceLocation(self._file, line, column), IssueRank.STRUCTURE, problem, remedy)
        )

    def _node(
        self,
        value: Any,
        start: Any,
        end: Any,
        plain: bool,
        keys: dict[str, Node],
        items: dict[PathStep, Node],
    ) -> Node:
        line = start.line + 1 + self._line
        return Node(value, line, start.column + 1, start.index, end.index, plain, keys, items)
