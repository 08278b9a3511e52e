"""`verify --json`: every address with its outcome, Criteo's counts, and when to check again."""

from collections.abc import Container, Iterable
from datetime import datetime

from reconciler.core.endpoints import EndpointKind
from reconciler.core.model import Address
from reconciler.core.verification import VerificationResult
from reconciler.render.json.status import match_rate
from reconciler.render.json.values import Json, count, known_count, time
from reconciler.render.numbers import NumberFormat
from reconciler.render.text import name


def verification_values(
    environment: str,
    endpoint: EndpointKind,
    results: Iterable[VerificationResult],
    stored: Container[Address],
    now: datetime,
    figures: NumberFormat,
) -> Json:
    """Return the values of `verify`. `stored` are the addresses whose result the state keeps."""
    return {
        "environment": name(environment),
        "made_at": time(now),
        "endpoint": endpoint.value,
        "addresses": [_address(one, one.address in stored, figures) for one in results],
    }


def _address(result: VerificationResult, is_stored: bool, figures: NumberFormat) -> Json:
    counts = result.counts
    return {
        "address": name(str(result.address)),
        "outcome": result.outcome.value,
        "segment_id": result.segment_id or None,
        "sent": count(result.sent, figures),
        "rejected": count(result.rejected, figures),
        "arrived": known_count(counts.identifiers, figures),
        "matched": known_count(counts.matches, figures),
        "match_rate": match_rate(counts, figures),
        "computed_at": time(result.computed_at),
        "check_again_at": time(result.due_at),
        "kept": is_stored,
    }
