"""`find --json`: places by the number of the input line; no identifier is in it."""

from reconciler.core.find import FindResult, Occurrence
from reconciler.core.pii import redacted_path
from reconciler.render.json.values import Json, code
from reconciler.render.text import name


def find_values(environment: str, result: FindResult) -> Json:
    """`lines` is the number of lines with text. `unusable_lines` hold no identifier."""
    return {
        "environment": name(environment),
        "lines": result.lines,
        "versions": result.versions,
        "found": [
            {"line": line, "places": [_place(one) for one in places]} for line, places in result.found.items()
        ],
        "unusable_lines": list(result.unusable),
        "unreadable": [_place(one) for one in result.unreadable],
    }


def _place(one: Occurrence) -> Json:
    """`segment_id` is null for a list, and for a segment whose create is unconfirmed."""
    return {
        "address": name(str(one.place.address)),
        "role": code(one.place.role),
        "segment_id": one.place.segment_id or None,
        "list": [name(redacted_path(file)) for file in one.place.files],
        "current": one.current,
        "serials": list(one.serials),
    }
