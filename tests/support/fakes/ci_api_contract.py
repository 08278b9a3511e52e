"""GitHub's and GitLab's documentation of the calls of our scripts: `tests/support/ci_apis`.

Fakes complete their answers with it, and write down what was said; a test asks what of that isn't documented.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

DESCRIPTIONS = Path(__file__).parent.parent / "ci_apis"
MOMENT = "2026-11-24T16:12:00Z"
SAMPLES = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "object": {}}


@dataclass(frozen=True)
class Exchange:
    """A request, and what it was answered; nothing where it was refused."""

    method: str
    path: str
    """With its query."""
    body: Any
    answered: bool
    answer: Any = None


@dataclass(frozen=True)
class Interface:
    operations: dict[str, dict[str, Any]]

    @classmethod
    @cache
    def of(cls, name: str) -> Self:
        return cls(json.loads((DESCRIPTIONS / f"{name}.json").read_text())["operations"])

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        for name, described in self.operations.items():
            verb, _, template = name.partition(" ")
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
            if verb == method and re.fullmatch(pattern, urlsplit(path).path):
                return described
        return None

    def completed(self, method: str, path: str, known: Any) -> Any:
        """The answer with all that is always there."""
        described = self.operation(method, path)
        assert described, f"not documented: {method} {path}"
        return _completed(described["answer"], known)

    def undocumented(self, exchanges: list[Exchange]) -> list[str]:
        return sorted({fault for one in exchanges for fault in self.faults(one)})

    def faults(self, exchange: Exchange) -> list[str]:
        """What of it isn't as documented."""
        described = self.operation(exchange.method, exchange.path)
        said = f"{exchange.method} {exchange.path}"
        if not described:
            return [f"{said}: no such operation"]
        asked = parse_qs(urlsplit(exchange.path).query)
        found = [f"{said}: no parameter {one}" for one in sorted(asked.keys() - set(described["query"]))]
        if exchange.body is not None:
            found += [f"{said}: asked {one}" for one in _wrong(described.get("body", False), exchange.body)]
        if exchange.answered:
            found += [f"{said}: answered {one}" for one in _wrong(described["answer"], exchange.answer)]
        return found


def read(log: Path) -> list[Exchange]:
    """Those that a program wrote down."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [Exchange(**json.loads(line)) for line in lines]


def _completed(schema: dict[str, Any], known: Any) -> Any:
    if isinstance(known, list):
        return [_completed(schema.get("items", {}), one) for one in known]
    if not isinstance(known, dict):
        return known
    parts = schema.get("properties", {})
    missing = {name: _sample(parts[name]) for name in schema.get("required", []) if name not in known}
    return missing | {name: _completed(parts.get(name, {}), one) for name, one in known.items()}


def _sample(schema: dict[str, Any]) -> Any:
    """The least that it allows."""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "null" in kinds or "anyOf" in schema:
        return None
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") == "date-time":
        return MOMENT
    return _completed(schema, {}) if kinds == ["object"] else SAMPLES[kinds[0]]


def _wrong(schema: Any, value: Any) -> list[str]:
    # Only here, since the fake `gh` is started for each call.
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(_closed(schema)).iter_errors(value)
    return [f"{one.json_path}: {one.message[:200]}" for one in errors]


def _closed(schema: Any) -> Any:
    """What isn't described is not allowed: a name that is wrong would pass as one that is new."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(one) for key, one in schema.items()}
    return {"additionalProperties": False, **closed} if isinstance(closed.get("properties"), dict) else closed
