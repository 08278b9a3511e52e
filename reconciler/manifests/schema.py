"""The JSON Schemas: found, resolved once, and compiled once."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

# One file per kind; `manifest.schema.json` lists the same kinds for editors.
KINDS = {
    "Environment": "environment.schema.json",
    "Credential": "credential.schema.json",
    "Destination": "destination.schema.json",
    "Audience": "audience.schema.json",
}
# Keys whose values are not text; a test derives them from the schemas.
TYPED = frozenset({"adminOnly", "batchSize", "minMembers", "pinned", "pkce", "rows"})


def folder() -> Path:
    """Beside the package in a wheel, at the project root in a checkout."""
    packaged = Path(__file__).parents[1] / "schemas"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "schemas"


@cache
def load(kind: str) -> dict[str, Any]:
    """The schema of one kind, with every reference replaced by what it refers to."""
    resolved: dict[str, Any] = _resolve(_read(KINDS[kind]), KINDS[kind])
    return resolved


@cache
def validator(kind: str) -> Any:
    """A compiled validator for one kind."""
    from reconciler.manifests.keywords import Validator  # jsonschema takes longer to import than all the rest

    return Validator(load(kind))


@cache
def plan_schema() -> Any:
    """A validator for saved plans, which are published for machines and no kind of manifest."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads((folder() / "plan.schema.json").read_bytes()))


@cache
def homes() -> dict[str, tuple[str, ...]]:
    """Key → where it may stand, as `Kind` or `Kind.parent`, for keys that are put in a wrong place."""
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
