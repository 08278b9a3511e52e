"""The metrics of a command: durations of its spans, and counts of its events."""

from enum import StrEnum

from opentelemetry.metrics import Meter

from reconciler.core.events import BatchAcknowledged, ChangeEnded, Event, PlanCreated, RunEnded
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.rounding import STEP, rounded
from reconciler.core.telemetry import Attribute, Attributes, SpanName, exported

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Bounds of the buckets of a call, as the semantic conventions advise."""
LONG = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400)
DURATIONS = {
    SpanName.CALL: ("http.client.request.duration", SECONDS, "Duration of HTTP client requests."),
    SpanName.RATE_LIMIT: ("reconciler.rate_limit.duration", LONG, "Waits of calls for the rate limit."),
    SpanName.STATE_READ: ("reconciler.state.read.duration", SECONDS, "Durations of reads of the state."),
    SpanName.STATE_WRITE: ("reconciler.state.write.duration", SECONDS, "Durations of writes of the state."),
    SpanName.SOURCES: ("reconciler.sources.duration", LONG, "Durations of reading sources."),
    SpanName.COMMAND: ("reconciler.command.duration", LONG, "Durations of commands."),
}


class Direction(StrEnum):
    """What a batch does with its identifiers."""

    ADD = "add"
    REMOVE = "remove"


class Standing(StrEnum):
    """Addresses of a plan that do not change."""

    BLOCKED = "blocked"
    PAUSED = "paused"


class Instruments:
    """Creates all instruments once; threads share them."""

    def __init__(self, meter: Meter) -> None:
        self._durations = {
            span: meter.create_histogram(
                name, "s", description, explicit_bucket_boundaries_advisory=[*buckets]
            )
            for span, (name, buckets, description) in DURATIONS.items()
        }
        self._batches = meter.create_counter("reconciler.batches", "{batch}", "Acknowledged batches.")
        self._changes = meter.create_counter("reconciler.changes", "{address}", "Changes, by outcome.")
        self._planned = meter.create_gauge("reconciler.plan.addresses", "{address}", "Addresses of the plan.")
        self._members = meter.create_counter(
            "reconciler.identifiers", "{identifier}", "Acknowledged identifiers, rounded to tens."
        )

    def took(self, name: SpanName, seconds: float, attributes: Attributes) -> None:
        if histogram := self._durations.get(name):
            measured = {one: value for one, value in attributes.items() if one.measured}
            histogram.record(seconds, exported(measured))

    def emit(self, event: Event) -> None:
        match event:
            case BatchAcknowledged():
                self._batches.add(1, exported({Attribute.OPERATION: Direction(event.operation)}))
            case ChangeEnded():
                self._changes.add(1, exported({Attribute.OUTCOME: event.outcome}))
            case PlanCreated():
                self._plan(event)
            case RunEnded():
                for way, count in ((Direction.ADD, event.work.added), (Direction.REMOVE, event.work.removed)):
                    self._members.add(_rounded(count), exported({Attribute.OPERATION: way}))

    def _plan(self, event: PlanCreated) -> None:
        counts = {
            ChangeKind.CREATE: event.create,
            ChangeKind.ADOPT: event.adopt,
            ChangeKind.UPDATE: event.update,
            ChangeKind.MOVE: event.move,
            ChangeKind.REPLACE: event.replace,
            ChangeKind.REFILL: event.refill,
            ChangeKind.FORGET: event.forget,
            ChangeKind.EMPTY: event.empty,
            ChangeKind.DELETE: event.delete,
            ChangeKind.UNCHANGED: event.unchanged,
            Standing.BLOCKED: event.blocked,
            Standing.PAUSED: event.paused,
        }
        for kind, count in counts.items():
            self._planned.set(count, exported({Attribute.CHANGE: kind}))


def _rounded(count: int) -> int:
    """Return a count as saved output rounds it; a small count as the step itself."""
    return max(STEP, rounded(count)) if count else 0
