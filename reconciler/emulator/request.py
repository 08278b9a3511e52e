"""One parsed call, and how handlers read it; refuses what has not the documented shape."""

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.emulator.responses import Refused, invalid, malformed


@dataclass(frozen=True)
class ParsedRequest:
    """`path` is the instance that problems point to; `reach` are the accounts of its token."""

    path: str
    account_id: str
    segment_id: str
    query: Mapping[str, list[str]]
    body: object
    reach: frozenset[str]

    def attributes(self) -> dict[str, object]:
        """Of a body with one resource; absent means empty."""
        return inner(inner(mapping(self.body), "data"), "attributes")

    def items(self, most: int) -> list[dict[str, object]]:
        """Of a body with a list of resources."""
        data = mapping(self.body).get("data")
        if not isinstance(data, list):
            raise malformed("data is not a list")
        if len(data) > most:
            raise Refused(400, invalid("exceeded-ids-cap", "Too many items", f"at most {most} in one call"))
        return [mapping(item) for item in data]

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        """A number of the query."""
        text = (self.query.get(name) or [str(default)])[0]
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(highest))):
            raise malformed(f"{name} is not a number from {lowest} to {highest}")
        if not lowest <= int(text) <= highest:
            raise malformed(f"{name} is not from {lowest} to {highest}")
        return int(text)


def mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise malformed("an object was expected")
    return value


def inner(outer: dict[str, object], name: str) -> dict[str, object]:
    """Absent and null mean empty."""
    value = outer.get(name)
    return {} if value is None else mapping(value)


def text(attributes: dict[str, object], name: str) -> str:
    """Absent and null mean empty."""
    value = attributes.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed(f"{name} is not a string")
    return value


def texts(attributes: dict[str, object], name: str) -> list[str]:
    """Absent and null mean empty."""
    value = attributes.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not set(map(type, value)) <= {str}:
        raise malformed(f"{name} is not a list of strings")
    return value


def choice(attributes: dict[str, object], name: str, known: tuple[str, ...]) -> str:
    """One of the documented values; absent and null mean empty."""
    value = text(attributes, name)
    if value and value not in known:
        raise malformed(f"{name} is none of {', '.join(known)}")
    return value
