"""Generate tables of keys from JSON schemas."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

SCHEMAS = Path(__file__).parent.parent / "schemas"
Schema = Mapping[str, Any]

TYPES = {
    "duration": "duration",
    "percentage": "percentage",
    "growth": "percentage",
    "count": "number",
    "positive": "number",
    "days": "number",
    "number": "number",
    "people": "count",
    "known_count": "count or null",
    "time": "time",
    "known_time": "time or null",
    "share": "number or null",
    "segment_id": "ID or null",
    "member_count": "count",
    "url": "URL",
    "reference": "reference",
    "writableReference": "reference",
    "sealingKey": "reference",
    "accountOrRetailer": "ID",
    "name": "name",
    "column": "column",
    "digest": "digest",
}
"""What a shared definition is called in a table."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its path, whether it is required, its type and its description."""

    path: str
    required: bool
    type: str
    description: str


def outputs() -> list[str]:
    """Return the schemas of the commands with `--json`."""
    found = sorted(path.name for path in (SCHEMAS / "output").glob("*.json"))
    return [f"output/{name}" for name in found if not name.startswith("common")]


def load(file: str) -> Schema:
    schema: Schema = json.loads((SCHEMAS / file).read_text(encoding="utf-8"))
    return schema


def keys(schema: Schema, file: str, prefix: str = "") -> Iterator[Key]:
    """Return every key below `schema`, parents before children, without constants that name a kind."""
    required = schema.get("required", ())
    for name, raw in schema.get("properties", {}).items():
        part, home, label = resolved(raw, file)
        if "const" in part and name in {"kind", "type", "code"}:
            continue
        path = f"{prefix}{name}"
        yield Key(path, name in required, label or _type(part, home), part.get("description", ""))
        if not label:
            yield from _below(part, home, path)


def _below(part: Schema, home: str, path: str) -> Iterator[Key]:
    yield from keys(part, home, f"{path}.")
    if isinstance(part.get("additionalProperties"), Mapping):
        inner, where, _ = resolved(part["additionalProperties"], home)
        yield from keys(inner, where, f"{path}.NAME.")
    if isinstance(part.get("items"), Mapping):
        inner, where, _ = resolved(part["items"], home)
        yield from keys(inner, where, f"{path}[].")
    for choice in (*part.get("oneOf", ()), *part.get("anyOf", ())):
        inner, where, label = resolved(choice, home)
        code = inner.get("properties", {}).get("code", {}).get("const")
        if code:
            yield Key(f"{path}<{code}>", False, "object", inner["description"])
        if not label:
            yield from keys(inner, where, f"{path}<{code}>." if code else f"{path}.")


def resolved(part: Schema, file: str) -> tuple[Schema, str, str]:
    """Return a schema with its `$ref` followed, its file, and its name in TYPES or ""."""
    label = ""
    while "$ref" in part:
        target, _, pointer = part["$ref"].partition("#/$defs/")
        file = str(PurePosixPath(file).with_name(target)) if target else file
        found = load(file)["$defs"][pointer] if pointer else load(file)
        label = label or TYPES.get(pointer, "")
        part = {**found, **{key: value for key, value in part.items() if key != "$ref"}}
    return part, file, label


def _type(part: Schema, file: str) -> str:
    if "const" in part:
        return f"`{json.dumps(part['const'])}`"
    if "enum" in part:
        return ", ".join("null" if one is None else f"`{one}`" for one in part["enum"])
    if choices := (*part.get("oneOf", ()), *part.get("anyOf", ())):
        found = [resolved(choice, file) for choice in choices]
        return " or ".join(dict.fromkeys(label or _type(inner, home) for inner, home, label in found))
    if part.get("type") == "array" and "items" in part:
        inner, home, label = resolved(part["items"], file)
        return f"list of {label or _type(inner, home)}"
    kinds = part.get("type", "object")
    if isinstance(kinds, str):
        return kinds
    # A number may also be in quotes: that is no second type.
    return " or ".join(one for one in kinds if one != "string" or "integer" not in kinds)
