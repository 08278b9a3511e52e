"""A run as NDJSON: a line per event, covered by the schema, with rounded counts."""

import json
import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest
from golden import plan_cases as cases
from support.event_log import follows_the_schema, read, types, validator

from reconciler.core.events import (
    ActivityStarted,
    AddressBlocked,
    BatchAcknowledged,
    BatchSizeLowered,
    ChangeEnded,
    ChangeOutcome,
    Counts,
    Event,
    RunStarted,
    SegmentCreated,
    SegmentDeleted,
    SegmentUpdated,
    SentTotals,
    TransferStarted,
    WaitEnded,
    Waiting,
    apply_started,
    plan_made,
    run_ended,
)
from reconciler.core.model import Address, Api
from reconciler.core.plan.change_kinds import Cause
from reconciler.render.json.event_stream import BEGINNING, EventStamp, EventStream, encoded

pytestmark = pytest.mark.promise("read-right")

A = Address("offsite-email", "lapsed-90d")
AT = datetime(2026, 11, 24, 12, 30, 0, 123_999, tzinfo=timezone(timedelta(hours=1)))
STAMP = EventStamp("ab" * 16, 7, AT)
EVENTS: list[Event] = [
    RunStarted("production", "0.1.0", "ada@laptop", emulated=False),
    ActivityStarted("reading segments"),
    plan_made(cases.plan(cases.update(cases.HIGH, cases.CHANGED)), ("sha256:" + "0f" * 32,)),
    AddressBlocked(A, Cause.SOURCE, "a.yaml:1:1: no file matches x.csv", "bring the file"),
    Waiting("an unconfirmed request may still take effect", 99.6),
    WaitEnded(),
    SegmentCreated(A, "88121"),
    SegmentUpdated(A),
    SegmentDeleted(A, "88121"),
    TransferStarted(A, 1_234, 7),
    BatchAcknowledged(A, "remove", 1_001, 3, 1_008, 1_234),
    BatchSizeLowered(12_500),
    ChangeEnded(A, ChangeOutcome.FAILED, "no answer", "run again"),
    apply_started(cases.plan(), Api("emulator"), cases.NOW),
    run_ended(8, Counts(1, 2, 3, 4, 5, 6), SentTotals(12, 1_234, 9, 1), 12.345),
]


def fields(event: Event) -> dict[str, object]:
    """What an event's line says beyond what every line says."""
    line = follows_the_schema(encoded(STAMP, event))
    return {key: value for key, value in line.items() if key not in ("format_version", "run", "number", "at")}


def test_every_event_has_a_line_and_every_line_its_branch_of_the_schema() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event))
    reported = {follows_the_schema(line)["type"] for event in EVENTS if (line := encoded(STAMP, event))}
    branches = [one["$ref"].rpartition("/")[2] for one in validator().schema["oneOf"]]
    assert reported == set(branches)
    assert all(validator().schema["$defs"][one]["properties"]["type"]["const"] == one for one in branches)


def test_every_key_of_the_schema_is_described() -> None:
    """Return the documented fields of each event and of its parts."""

    def parts(node):
        yield from [node] if isinstance(node, dict) else []
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        for child in children:
            yield from parts(child)

    for part in parts(validator().schema):
        for key, value in part.get("properties", {}).items():
            assert "description" in value or key in {"type", "address"}, key


def test_a_line_says_of_what_run_it_is_and_when_in_utc() -> None:
    line = encoded(STAMP, SegmentUpdated(A))
    assert line.startswith(BEGINNING)
    assert json.loads(line) == {
        "format_version": 2,
        "run": "ab" * 16,
        "number": 7,
        "at": "2026-11-24T11:30:00.123Z",
        "type": "segment_updated",
        "address": "offsite-email/lapsed-90d",
    }


def test_counts_of_people_are_rounded_and_those_of_addresses_are_not() -> None:
    assert fields(BatchAcknowledged(A, "remove", 1_001, 3, 1_008, 1_234)) == {
        "type": "batch_acknowledged",
        "address": "offsite-email/lapsed-90d",
        "operation": "remove",
        "count": 1_000,
        "rejected": {"less_than": 10},
        "done": 1_010,
        "total": 1_230,
    }
    started = fields(TransferStarted(A, 1_234, 7))
    assert (started["total"], started["done"]) == (1_230, {"less_than": 10})
    assert fields(EVENTS[2])["members"] == {"add": 18_240, "remove": 2_910}
    ended = fields(EVENTS[-1])
    assert ended["members"] == {"added": 1_230, "removed": {"less_than": 10}, "rejected": {"less_than": 10}}
    assert ended["addresses"] == {
        "applied": 1,
        "unchanged": 2,
        "failed": 3,
        "interrupted": 4,
        "skipped": 5,
        "blocked": 6,
    }
    assert (ended["outcome"], ended["exit_code"]) == ("partially_applied", 8)
    assert (ended["batches"], ended["seconds"]) == (12, 12.3)


def test_the_schema_lets_no_exact_count_of_people_through() -> None:
    line = follows_the_schema(encoded(STAMP, EVENTS[10]))
    assert not validator().is_valid(line | {"count": 1_001})
    assert not validator().is_valid(line | {"count": "7"})
    assert not validator().is_valid(line | {"more": 1})
    assert not validator().is_valid({key: value for key, value in line.items() if key != "count"})


def test_before_the_first_apply_there_is_no_state() -> None:
    assert fields(plan_made(cases.plan(serial=0)))["state"] is None
    assert fields(plan_made(cases.plan()))["state"] == {"lineage": "7f3a2b1c9d", "serial": 118}


def test_what_ends_a_line_or_a_terminal_is_taken_out_of_texts() -> None:
    ended = ChangeEnded(A, ChangeOutcome.FAILED, 'a\n{"type": "run_ended"}\x1b[31m', "b\u2028\ud800c")
    assert encoded(STAMP, ended).count(b"\n") == 1
    assert fields(ended)["problem"] == 'a {"type": "run_ended"}'
    assert fields(ended)["remedy"] == "b c"


def streamed() -> tuple[list[bytes], list[float], EventStream]:
    lines: list[bytes] = []
    seconds = [0.0]
    stream = EventStream("ab" * 16, lines.append, lambda: AT.astimezone(UTC), lambda: seconds[0])
    return lines, seconds, stream


def test_waits_are_few_and_lines_are_numbered_without_gaps() -> None:
    lines, seconds, stream = streamed()
    stream.emit(Waiting("the rate limit", 3))
    stream.emit(ActivityStarted(""))
    for left in range(100, 0, -1):
        stream.emit(Waiting("an unconfirmed request may still take effect", left))
        stream.emit(WaitEnded())
        seconds[0] += 1
    stream.emit(SegmentUpdated(A))
    events = read(b"".join(lines))
    assert [one["seconds"] for one in events[:-1]] == [100, 70, 40, 10]
    assert types(events) == ["waiting"] * 4 + ["segment_updated"]


def test_threads_write_whole_lines_in_one_order() -> None:
    lines, _, stream = streamed()
    threads = [
        threading.Thread(target=lambda: [stream.emit(SegmentUpdated(A)) for _ in range(50)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read(b"".join(lines))) == 400
