"""`erase --json`: what is erased, as keyed digests and addresses. It is the certificate of an erasure."""

from collections.abc import Sequence
from enum import Enum

from reconciler.core.erasure import ErasedPlace, ErasureRequest
from reconciler.render.json.values import Json, code, count, time
from reconciler.render.numbers import NumberFormat
from reconciler.render.text import name


class OutOfReach(Enum):
    """What an erasure can't reach, and the owner of the data has to."""

    SOURCE_FILES = "source_files"
    EXPORTS = "exports"
    OBJECT_VERSIONS = "object_versions"
    BACKUPS = "backups"


def erasure_values(
    environment: str,
    requests: Sequence[ErasureRequest],
    lines: int,
    unusable: Sequence[int],
    unread: Sequence[str],
    trace_ids: Sequence[str],
    figures: NumberFormat,
) -> Json:
    """`requests` are those that this run has, or earlier runs had, to complete."""
    return {
        "environment": name(environment),
        "lines": lines,
        "unusable_lines": list(unusable),
        "unread_sources": [name(one) for one in unread],
        "requests": [_request(one, figures) for one in requests],
        "trace_ids": list(trace_ids),
        "out_of_reach": [code(one) for one in OutOfReach],
    }


def _request(one: ErasureRequest, figures: NumberFormat) -> Json:
    """`completed_at` is null while Criteo has not acknowledged all removals."""
    return {
        "requested_at": time(one.requested_at),
        "completed_at": time(one.completed_at) if one.completed_at else None,
        "digests": [list(line) for line in one.lines],
        "places": [_place(place, figures) for place in one.places],
    }


def _place(one: ErasedPlace, figures: NumberFormat) -> Json:
    return {
        "address": name(str(one.address)),
        "segment_id": one.segment_id or None,
        "members": count(one.members, figures),
        "serials": list(one.versions),
    }
