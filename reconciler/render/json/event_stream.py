"""A run as NDJSON: one line for each event, in the form that schemas/event.schema.json publishes."""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import assert_never

from reconciler.core.events import (
    ActivityStarted,
    AddressBlocked,
    ApplyStarted,
    BatchAcknowledged,
    BatchSizeLowered,
    ChangeEnded,
    Event,
    EventSink,
    PlanCreated,
    RunEnded,
    RunStarted,
    SegmentCreated,
    SegmentDeleted,
    SegmentUpdated,
    TransferStarted,
    WaitEnded,
    Waiting,
)
from reconciler.render.numbers import ROUNDED
from reconciler.render.terminal.progress import WaitThrottle
from reconciler.render.text import name, sentence

FORMAT_VERSION = 2
BEGINNING = b'{"format_version": '
"""The beginning of every line."""

Fields = dict[str, object]


@dataclass(frozen=True, slots=True)
class EventStamp:
    """Which line of which run, and when."""

    run: str
    number: int
    at: datetime


class EventStream(EventSink):
    """Numbers, stamps and writes a run's events, in one order for all threads. Waits become few.

    `now` gives the time, `seconds` is a clock that never goes back. `write` takes one whole line.
    """

    def __init__(
        self,
        run: str,
        write: Callable[[bytes], None],
        now: Callable[[], datetime],
        seconds: Callable[[], float],
    ) -> None:
        self._run = run
        self._write = write
        self._now = now
        self._waits = WaitThrottle(seconds)
        self._number = 0
        self._writing = threading.Lock()

    def emit(self, event: Event) -> None:
        with self._writing:
            if isinstance(event, Waiting) and not self._waits.worth_a_line(event):
                return
            line = encoded(EventStamp(self._run, self._number + 1, self._now()), event)
            if line:
                self._number += 1
                self._write(line)


def encoded(stamp: EventStamp, event: Event) -> bytes:
    """Return one line, or nothing for events shown only at a terminal. Counts of people are rounded."""
    fields = _fields(event)
    if fields is None:
        return b""
    at = stamp.at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
    line = {"format_version": FORMAT_VERSION, "run": stamp.run, "number": stamp.number, "at": at, **fields}
    return json.dumps(line, ensure_ascii=False, default=asdict).encode() + b"\n"


def _fields(event: Event) -> Fields | None:
    match event:
        case RunStarted() | PlanCreated() | RunEnded():
            return _of_run(event)
        case SegmentCreated() | SegmentUpdated() | SegmentDeleted() | ChangeEnded():
            return _of_change(event)
        case TransferStarted() | BatchAcknowledged():
            return _of_transfer(event)
        case AddressBlocked():
            return {
                "type": "address_blocked",
                "address": name(str(event.address)),
                "cause": event.cause.value,
                "problem": sentence(event.problem),
                "remedy": sentence(event.remedy),
            }
        case BatchSizeLowered():
            return {"type": "batch_size_lowered", "size": event.size}
        case ActivityStarted():
            return {"type": "activity", "activity": sentence(event.activity)} if event.activity else None
        case Waiting():
            seconds = max(0, round(event.seconds_left))
            return {"type": "waiting", "reason": sentence(event.reason), "seconds": seconds}
        case WaitEnded() | ApplyStarted():
            return None
        case _:
            assert_never(event)


def _of_run(event: RunStarted | PlanCreated | RunEnded) -> Fields:
    match event:
        case RunStarted():
            return {
                "type": "run_started",
                "environment": name(event.environment),
                "version": name(event.version),
                "who": name(event.who),
                "emulated": event.emulated,
            }
        case PlanCreated():
            state = {"lineage": name(event.lineage), "serial": event.serial} if event.lineage else None
            kinds = (
                "create",
                "adopt",
                "update",
                "move",
                "replace",
                "refill",
                "forget",
                "empty",
                "delete",
                "unchanged",
                "blocked",
                "paused",
            )
            return {
                "type": "plan_created",
                "state": state,
                "addresses": {kind: getattr(event, kind) for kind in kinds},
                "members": {"add": ROUNDED.number(event.adds), "remove": ROUNDED.number(event.removes)},
                "approvals": [name(digest) for digest in event.approvals],
            }
        case RunEnded():
            counts, work = event.counts, event.work
            return {
                "type": "run_ended",
                "outcome": event.ending.value,
                "exit_code": event.exit_code,
                "addresses": {
                    "applied": counts.applied,
                    "unchanged": counts.unchanged,
                    "failed": counts.failed,
                    "interrupted": counts.interrupted,
                    "skipped": counts.skipped,
                    "blocked": counts.blocked,
                },
                "members": {
                    "added": ROUNDED.number(work.added),
                    "removed": ROUNDED.number(work.removed),
                    "rejected": ROUNDED.number(work.rejected),
                },
                "batches": work.batches,
                "seconds": round(event.seconds, 1),
            }
        case _:
            assert_never(event)


def _of_change(event: SegmentCreated | SegmentUpdated | SegmentDeleted | ChangeEnded) -> Fields:
    address = name(str(event.address))
    match event:
        case SegmentCreated():
            return {"type": "segment_created", "address": address, "segment_id": name(event.segment_id)}
        case SegmentDeleted():
            return {"type": "segment_deleted", "address": address, "segment_id": name(event.segment_id)}
        case SegmentUpdated():
            return {"type": "segment_updated", "address": address}
        case ChangeEnded():
            return {
                "type": "change_ended",
                "address": address,
                "outcome": event.outcome.value,
                "problem": sentence(event.problem),
                "remedy": sentence(event.remedy),
                "resumable": event.resumable,
            }
        case _:
            assert_never(event)


def _of_transfer(event: TransferStarted | BatchAcknowledged) -> Fields:
    address = name(str(event.address))
    done, total = ROUNDED.number(event.done), ROUNDED.number(event.total)
    match event:
        case TransferStarted():
            return {"type": "transfer_started", "address": address, "total": total, "done": done}
        case BatchAcknowledged():
            return {
                "type": "batch_acknowledged",
                "address": address,
                "operation": event.operation,
                "count": ROUNDED.number(event.count),
                "rejected": ROUNDED.number(event.rejected),
                "done": done,
                "total": total,
            }
        case _:
            assert_never(event)
