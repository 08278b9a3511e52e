"""The JSON Schemas of manifests and saved plans: found, resolved once, and compiled once.

Validators follow Draft 2020-12 with three keywords replaced. `properties` and `items` prepare each part of a
schema once, where jsonschema prepares a validator for each value. `pattern` matches a whole value, as editors
do: in Python, `$` also matches before a final line break.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

# One file per kind; `manifest.schema.json` lists the same kinds for editors.
KINDS = {
    "Environment": "environment.schema.json",
    "Credential": "credential.schema.json",
    "Connection": "connection.schema.json",
    "Destination": "destination.schema.json",
    "Audience": "audience.schema.json",
    "Moved": "moved.schema.json",
    "Removed": "removed.schema.json",
    "Adopt": "adopt.schema.json",
    "Override": "override.schema.json",
}
# Keys whose values are not text; a test derives them from the schemas.
TYPED = frozenset(
    {
        "adminOnly",
        "allowEmulator",
        "batchSize",
        "days",
        "maxBytesBilled",
        "maxRows",
        "minMembers",
        "paused",
        "pinned",
        "pkce",
        "port",
        "protect",
        "rows",
        "verified",
        "versions",
    }
)


def folder() -> Path:
    """Return the folder of the schemas: in the package in a wheel, at the project root in a checkout."""
    packaged = Path(__file__).parents[1] / "schemas"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "schemas"


@cache
def load(kind: str) -> dict[str, Any]:
    """Return the schema of one kind, with each reference replaced by its target."""
    resolved: dict[str, Any] = _resolve(_read(KINDS[kind]), KINDS[kind])
    return resolved


def accepts(kind: str, manifest: Any) -> bool:
    """Return whether a manifest follows the schema of its kind. `validator` states what is wrong.

    jsonschema-rs reads a thousand manifests in the time of an import of jsonschema.
    """
    return bool(_quick_validator(kind).is_valid(manifest))


@cache
def _quick_validator(kind: str) -> Any:
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator(load(kind))


@cache
def validator(kind: str) -> Any:
    """Return the compiled validator of one kind, which finds every error."""
    return validator_class()(load(kind))


@cache
def plan_schema() -> Any:
    """Return the validator of saved plans. A saved plan is not a kind of manifest."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads((folder() / "plan.schema.json").read_bytes()))


@cache
def homes() -> dict[str, tuple[str, ...]]:
    """Return, for each key, the places that allow it, as `Kind` or `Kind.parent`."""
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        for where, key in _keys(load(kind), kind):
            found.setdefault(key, []).append(where)
    return {key: tuple(places) for key, places in found.items()}


@cache
def _read(file: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder() / file).read_bytes())
    return content


def _resolve(part: Any, file: str) -> Any:
    if isinstance(part, list):
        return [_resolve(item, file) for item in part]
    if not isinstance(part, dict):
        return part
    resolved = {key: _resolve(value, file) for key, value in part.items() if key != "$ref"}
    if not isinstance(part.get("$ref"), str):
        return resolved
    target, _, path = part["$ref"].partition("#/")
    source = target or file
    found: Any = _read(source)
    for step in path.split("/"):
        found = found[step]
    return _resolve(found, source) | resolved


def _keys(part: dict[str, Any], where: str) -> Iterator[tuple[str, str]]:
    for key, value in part.get("properties", {}).items():
        yield where, key
        yield from _keys(value, f"{where}.{key}")
    if isinstance(part.get("additionalProperties"), dict):
        yield from _keys(part["additionalProperties"], where)
    if isinstance(part.get("items"), dict):
        yield from _keys(part["items"], where)


# By identity: the schemas are loaded once and kept.
_prepared: dict[int, Any] = {}


@cache
def validator_class() -> Any:
    """Return the validator class with our keywords. jsonschema imports slower than the rest of reconciler."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    replaced: Any = {"properties": _properties, "items": _items, "pattern": _pattern}
    extended: Any = extend
    return extended(Draft202012Validator, replaced)


def _properties(whole: Any, parts: dict[str, Any], value: Any, _: Any) -> Iterator[Any]:
    for key in value if isinstance(value, dict) else ():
        if key in parts:
            yield from _below(whole, parts[key], key, value[key])


def _items(whole: Any, part: dict[str, Any], value: Any, _: Any) -> Iterator[Any]:
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from _below(whole, part, index, item)


def _pattern(_: Any, wanted: str, value: Any, __: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(value, str) and not _compile(wanted).search(value):
        yield ValidationError("")


def _below(whole: Any, part: dict[str, Any], step: str | int, value: Any) -> Iterator[Any]:
    if id(part) not in _prepared:
        _prepared[id(part)] = whole.evolve(schema=part)
    for error in _prepared[id(part)].iter_errors(value):
        error.path.appendleft(step)
        yield error


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))
