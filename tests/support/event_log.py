"""Reads the output of `--events` like a machine: line by line, against the published schema."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).parents[2] / "schemas" / "event.schema.json"
Line = dict[str, Any]


@cache
def validator() -> Any:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def follows_the_schema(line: bytes) -> Line:
    event: Line = json.loads(line)
    validator().validate(event)
    return event


def read(content: bytes, *, killed: bool = False) -> list[Line]:
    """All lines of one run: whole, valid, numbered, in order. Of a killed one the last may be half."""
    lines = content.split(b"\n")
    last = lines.pop()
    assert killed or not last, "the last line has no end"
    events = [follows_the_schema(line) for line in lines]
    assert [one["number"] for one in events] == list(range(1, len(events) + 1))
    assert len({one["run"] for one in events}) <= 1
    assert [one["at"] for one in events] == sorted(one["at"] for one in events)
    return events


def types(events: Iterable[Line]) -> list[str]:
    return [one["type"] for one in events]


def of(events: Iterable[Line], kind: str) -> list[Line]:
    return [one for one in events if one["type"] == kind]
