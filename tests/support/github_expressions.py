"""GitHub's expressions, as far as our workflows use them; any other expression is an error."""

import json
import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<op>&&|\|\||==|!=|[!()])|(?P<path>[A-Za-z_][\w.-]*))")
_INSIDE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_OPEN = frozenset({"secrets", "vars"})
"""What isn't set there is the empty text. Of all else only `github.event` may lack something."""


def resolved(text: str, contexts: Mapping[str, Any]) -> Any:
    """Return the value of a text that is one expression; else the text with its expressions replaced."""
    if whole := _INSIDE.fullmatch(text.strip()):
        return evaluated(whole[1], contexts)
    return _INSIDE.sub(lambda found: shown(evaluated(found[1], contexts)), text)


def evaluated(expression: str, contexts: Mapping[str, Any]) -> Any:
    return _Parser(expression, contexts).whole()


def shown(value: Any) -> str:
    """Return the value as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Parser:
    def __init__(self, expression: str, contexts: Mapping[str, Any]) -> None:
        self.contexts = contexts
        self.tokens: list[tuple[str, str]] = []
        rest = expression.rstrip()
        at = 0
        while at < len(rest):
            found = _TOKEN.match(rest, at)
            if not found:
                raise ValueError(f"no expression: {expression}")
            self.tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
            at = found.end()

    def whole(self) -> Any:
        value = self._either()
        assert not self.tokens, self.tokens
        return value

    def _next(self, *ops: str) -> str:
        if self.tokens and self.tokens[0][0] == "op" and self.tokens[0][1] in ops:
            return self.tokens.pop(0)[1]
        return ""

    def _either(self) -> Any:
        value = self._both()
        while self._next("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._same()
        while self._next("&&"):
            other = self._same()
            value = value and other
        return value

    def _same(self) -> Any:
        value = self._one()
        while op := self._next("==", "!="):
            value = (value == self._one()) is (op == "==")
        return value

    def _one(self) -> Any:
        if self._next("!"):
            return not self._one()
        if self._next("("):
            value = self._either()
            assert self._next(")")
            return value
        kind, token = self.tokens.pop(0)
        if kind == "text":
            return token[1:-1].replace("''", "'")
        if self._next("("):
            return self._call(token)
        return self._path(token.split("."))

    def _call(self, name: str) -> Any:
        arguments = [] if self._next(")") else [self._either()]
        assert not arguments or self._next(")")
        if name == "fromJSON":
            return json.loads(*arguments)
        return self.contexts["functions"][name]

    def _path(self, steps: list[str]) -> Any:
        value: Any = self.contexts
        for number, step in enumerate(steps):
            if step in value:
                value = value[step]
            elif steps[0] in _OPEN or (number > 1 and steps[:2] == ["github", "event"]):
                return ""
            else:
                raise KeyError(".".join(steps))
        return value
