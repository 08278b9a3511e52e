"""What happens during apply, as values: progress bars and the final report are made from them."""

from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.members import Operation
from reconciler.core.model import Address


class Outcome(StrEnum):
    """What became of one change. `STOPPED`: the run ended while it was under way; the next goes on there."""

    APPLIED = "applied"
    FAILED = "failed"
    STOPPED = "stopped midway"
    NOT_ATTEMPTED = "not attempted"


@dataclass(frozen=True, slots=True)
class SegmentCreated:
    address: Address
    segment_id: str


@dataclass(frozen=True, slots=True)
class SegmentPatched:
    address: Address


@dataclass(frozen=True, slots=True)
class TransferStarted:
    """`total` identifiers are to move, `done` of them by an earlier run."""

    address: Address
    total: int
    done: int


@dataclass(frozen=True, slots=True)
class BatchTaken:
    """Criteo took a batch: `count` identifiers, `rejected` of them invalid; `done` of `total` so far."""

    address: Address
    operation: Operation
    count: int
    rejected: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ChangeEnded:
    address: Address
    outcome: Outcome
    problem: str = ""
    remedy: str = ""


Event = SegmentCreated | SegmentPatched | TransferStarted | BatchTaken | ChangeEnded
