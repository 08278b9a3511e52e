"""Spans: their parents, their failures, and the metrics of them."""

import threading
from datetime import timedelta

import pytest
from opentelemetry.trace import StatusCode
from support.recorded_telemetry import recorded

from reconciler.core.events import BatchAcknowledged, Counts, SentTotals, run_ended
from reconciler.core.model import Address
from reconciler.core.telemetry import Attribute, ErrorName, SpanName
from reconciler.telemetry.instruments import Direction

BUYERS = Address("email", "buyers")


def test_a_span_is_below_the_open_span_of_its_thread() -> None:
    made = recorded()

    def work() -> None:
        with made.telemetry.span(SpanName.STATE_READ):
            pass

    with made.telemetry.span(SpanName.CHANGE, {Attribute.ADDRESS: BUYERS}):
        with made.telemetry.span(SpanName.STATE_WRITE):
            pass
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    made.telemetry.end(0)
    root, change = made.named("reconciler plan"), made.named("change.apply")
    assert root.parent is None
    assert made.named("state.write").parent == change.context
    assert made.named("state.read").parent == change.parent == root.context


@pytest.mark.promise("private")
def test_an_exception_is_exported_as_its_class_only() -> None:
    made = recorded()
    with pytest.raises(ValueError, match="person"), made.telemetry.span(SpanName.SOURCES):
        raise ValueError("person@example.com")
    [span] = made.spans
    assert span.status.status_code is StatusCode.ERROR
    assert (span.status.description, span.events) == (None, ())
    assert dict(span.attributes or {}) == {"error.type": "ValueError"}


def test_a_recorded_span_ends_now_and_took_as_long_as_was_said() -> None:
    made = recorded()
    for seconds in (2.5, -1):
        made.telemetry.record(
            SpanName.RATE_LIMIT, timedelta(seconds=seconds), {Attribute.ERROR: ErrorName("500")}
        )
    took = [(one.end_time or 0) - (one.start_time or 0) for one in made.spans]
    assert took == [2_500_000_000, 0]
    assert made.spans[0].status.status_code is StatusCode.ERROR
    assert made.sums("reconciler.rate_limit.duration") == {"500": 2.5}


def test_a_note_belongs_to_the_innermost_span() -> None:
    made = recorded()
    with made.telemetry.span(SpanName.CHANGE):
        made.telemetry.note(Attribute.OUTCOME, Direction.ADD)
    made.telemetry.note(Attribute.ERROR, ErrorName("StorageError"))
    made.telemetry.end(10)
    assert dict(made.named("change.apply").attributes or {}) == {"reconciler.outcome": "add"}
    root = made.named("reconciler plan")
    assert (root.attributes or {})["process.exit.code"] == 10
    assert root.status.status_code is StatusCode.ERROR


@pytest.mark.promise("private")
@pytest.mark.parametrize(("added", "counted"), [(0, 0), (1, 10), (9, 10), (14, 10), (123_456, 123_460)])
def test_counts_of_members_are_rounded(added: int, counted: int) -> None:
    made = recorded()
    made.telemetry.emit(BatchAcknowledged(BUYERS, "add", added, 0, added, added))
    made.telemetry.emit(run_ended(0, Counts(1, 0, 0, 0, 0), SentTotals(1, added, 0, 0), 1.0))
    assert made.sums("reconciler.identifiers") == {"add": counted, "remove": 0}
    assert made.sums("reconciler.batches") == {"add": 1}
