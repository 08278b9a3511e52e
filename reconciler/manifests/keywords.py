"""Draft 2020-12 with three keywords of our own: two for speed, and patterns that match whole values.

jsonschema prepares a new validator for each value it descends into; here each part of a schema is
prepared once. In Python `$` also matches before a line end at the end; in editors it doesn't.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

# By identity: the schemas are loaded once and kept.
_prepared: dict[int, Any] = {}


def _below(whole: Any, part: dict[str, Any], step: str | int, value: Any) -> Iterator[ValidationError]:
    if id(part) not in _prepared:
        _prepared[id(part)] = whole.evolve(schema=part)
    for error in _prepared[id(part)].iter_errors(value):
        error.path.appendleft(step)
        yield error


def _properties(whole: Any, parts: dict[str, Any], value: Any, _: Any) -> Iterator[ValidationError]:
    for key in value if isinstance(value, dict) else ():
        if key in parts:
            yield from _below(whole, parts[key], key, value[key])


def _items(whole: Any, part: dict[str, Any], value: Any, _: Any) -> Iterator[ValidationError]:
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from _below(whole, part, index, item)


def _pattern(_: Any, wanted: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _compile(wanted).search(value):
        yield ValidationError("")


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))


_extend: Any = extend
Validator: Any = _extend(
    Draft202012Validator, {"properties": _properties, "items": _items, "pattern": _pattern}
)
