"""What Criteo says went wrong: entries of `errors` and `warnings`, reduced to what may be repeated."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.criteo.json_values import items, mapping, text

CODE = re.compile(r"[a-z]{1,20}(-[a-z0-9]{1,20}){0,9}")
TRACE = re.compile(r"[A-Za-z0-9.:<>|_-]{1,100}")
LONGEST_TITLE = 120


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry. `text` is all that it says, to be searched and never shown: it may quote what we sent."""

    type: str = ""
    code: str = ""
    title: str = ""
    text: str = ""

    @property
    def counts(self) -> bool:
        """It is about this call, and not about a field that goes away one day."""
        return self.type != "deprecation"

    def __repr__(self) -> str:
        return f"Problem({self.type}, {self.code})"


def problems(body: object) -> tuple[Problem, ...]:
    """Of `errors`, then of `warnings`; missing, null and empty are alike."""
    content = mapping(body)
    entries = [*items(content.get("errors")), *items(content.get("warnings"))]
    return tuple(_problem(mapping(entry)) for entry in entries if isinstance(entry, dict))


def errors(body: object) -> tuple[Problem, ...]:
    """Of `errors` alone."""
    return problems({"errors": mapping(body).get("errors")})


def trace(body: object) -> str:
    """The first trace id, under either of its names, or ""."""
    content = mapping(body)
    for entry in (*items(content.get("errors")), *items(content.get("warnings")), content):
        for key in ("traceId", "traceIdentifier"):
            value = mapping(entry).get(key)
            if isinstance(value, str) and TRACE.fullmatch(value):
                return value
    return ""


def _problem(entry: Mapping[str, object]) -> Problem:
    code, title = text(entry.get("code")), text(entry.get("title"))
    shown = "".join(char for char in title if char.isprintable())[:LONGEST_TITLE]
    return Problem(
        type=text(entry.get("type")),
        code=code if CODE.fullmatch(code) else "",
        title=shown,
        text=f"{title}\n{text(entry.get('detail'))}",
    )
