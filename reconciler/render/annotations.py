"""Findings as annotation commands of GitHub: each is shown at its line of the pull request."""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import PurePosixPath

from reconciler.core.errors import Finding
from reconciler.render.text import sentence

_PLACE = re.compile(r"(?P<file>.+):(?P<line>\d+):(?P<column>\d+)", re.DOTALL)
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


class Level(StrEnum):
    """The level of a GitHub annotation."""

    ERROR = "error"
    WARNING = "warning"


def annotations(
    findings: Iterable[Finding], folder: PurePosixPath, level: Level = Level.ERROR
) -> Iterator[str]:
    """Yield one line for each finding with a location. `folder` is the project in the repository."""
    for finding in findings:
        if place := _PLACE.fullmatch(finding.where):
            file = _escaped(str(folder / place["file"]), _PROPERTY)
            title = _escaped(sentence(finding.problem), _PROPERTY)
            message = "\n".join(map(sentence, (finding.remedy or finding.problem).splitlines()))
            where = f"file={file},line={place['line']},col={place['column']}"
            yield f"::{level} {where},title={title}::{_escaped(message, _DATA)}"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    """Return the text escaped as in `@actions/core`."""
    return "".join(escapes.get(one, one) for one in text)
