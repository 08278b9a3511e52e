"""The resource states of one run: every change is recorded here, and durable before the next request."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from reconciler.apply.batch_size import BatchSize, smallest_batch_size
from reconciler.core.errors import (
    AuthenticationError,
    InvalidIdentifiersError,
    OutcomeUnknownError,
    ReconcilerError,
    RemoteError,
)
from reconciler.core.events import (
    BatchAcknowledged,
    BatchSizeLowered,
    ChangeEnded,
    ChangeOutcome,
    Event,
    SegmentCreated,
    SegmentDeleted,
    SegmentUpdated,
)
from reconciler.core.members import AppliedList
from reconciler.core.model import Address, Api
from reconciler.core.ports import Clock, MemberEngine, SegmentReader, SegmentWriter, StateWriter
from reconciler.core.series import SeriesPoint
from reconciler.core.state.resource import MemberSlot, ResourceState, SegmentState
from reconciler.core.telemetry import SILENT, Telemetry

REMOTE_FAILURES = (RemoteError, AuthenticationError)
"""Failures of Criteo that end one address; every other error ends the run."""

FAILURES = (*REMOTE_FAILURES, InvalidIdentifiersError)
"""These, and the one that leaves nothing in doubt: all calls of the address were answered."""


@dataclass(frozen=True, slots=True)
class ApplyContext:
    """The edges an apply works with; readers and writers are keyed by credential.

    `admin_approved` are the addresses whose change an admin approved.
    """

    api: Api
    state: StateWriter
    engine: MemberEngine
    readers: Mapping[str, SegmentReader]
    writers: Mapping[str, SegmentWriter]
    clock: Clock
    emit: Callable[[Event], None]
    admin_approved: frozenset[Address] = frozenset()
    telemetry: Telemetry = SILENT


@dataclass(frozen=True, slots=True)
class Moved:
    """The members of one address that Criteo acknowledged in this run."""

    adds: int = 0
    removes: int = 0

    def plus(self, batch: BatchAcknowledged) -> "Moved":
        if batch.operation == "add":
            return Moved(self.adds + batch.count, self.removes)
        return Moved(self.adds, self.removes + batch.count)


class StateRecorder:
    """Resource states and outcomes, by address. Threads work on different addresses."""

    def __init__(
        self,
        tools: ApplyContext,
        environment: str,
        resources: Mapping[Address, ResourceState],
        origins: Mapping[Address, Address] = MappingProxyType({}),
    ) -> None:
        """`origins`: the old address that the state has a resource state under, until it is moved."""
        self._tools = tools
        segments = [one for resource in resources.values() for one in resource.segments]
        configured = tools.api.batch_size
        self.batches = BatchSize(configured, smallest_batch_size(segments, configured))
        self.environment = environment
        self._resources = dict(resources)
        self._origins = dict(origins)
        self._lists: dict[Address, tuple[AppliedList, ...]] = {}
        self.ended: dict[Address, ChangeOutcome] = {}
        self.errors: dict[Address, ReconcilerError] = {}
        self.acknowledged = 0
        self.rejected = 0
        self._moved: dict[Address, Moved] = {}
        self.wrote = False
        self._counting = threading.Lock()

    def resource(self, address: Address) -> ResourceState:
        return self._resources[address]

    def known(self, address: Address) -> ResourceState | None:
        return self._resources.get(address)

    def owns(self, segment_id: str) -> bool:
        """Return whether a resource state has this segment ID. Other threads may add resource states."""
        return any(
            holding.segment_id == segment_id
            for resource in list(self._resources.values())
            for holding in resource.segments
        )

    def write(self, resource: ResourceState) -> None:
        """Write the resource state to disk before memory."""
        if self._resources.get(resource.address) != resource:
            self._tools.state.write(self._stored(resource))
            self._resources[resource.address] = resource

    def drop(self, resource: ResourceState) -> None:
        self._tools.state.drop(self._stored(resource))
        del self._resources[resource.address]

    def move(self, address: Address) -> None:
        """Write the resource state under its new address, then drop the old one."""
        origin, resource = self._origins.pop(address), self._resources[address]
        self._tools.state.write(resource)
        self._tools.state.drop(replace(resource, address=origin))

    def drop_superseded(self, origin: Address, address: Address) -> None:
        """Complete the move of an interrupted run: the resource state is under the new address already.

        This run may move that one on.
        """
        newest = next((to for to, old in self._origins.items() if old == address), address)
        if known := self.known(newest):
            self._tools.state.drop(replace(known, address=origin))

    def _stored(self, resource: ResourceState) -> ResourceState:
        """Return the resource state under the address that the state has it under."""
        origin = self._origins.get(resource.address)
        if origin is None:
            return resource
        return replace(resource, address=origin, moved_from=resource.moved_from[:-1])

    def known_holding(self, address: Address, slot: MemberSlot) -> SegmentState | None:
        resource = self.known(address)
        return resource.holding(slot) if resource else None

    def holding(self, address: Address, slot: MemberSlot) -> SegmentState:
        holding = self.known_holding(address, slot)
        if holding is None:
            raise AssertionError(f"{address} has no {slot} segment")
        return holding

    def send_under(self, address: Address, lists: tuple[AppliedList, ...]) -> None:
        """Name these exclusion lists in the resource state from its next write on."""
        self._lists[address] = lists

    def put(self, address: Address, slot: MemberSlot, holding: SegmentState) -> None:
        """Write one segment state; the first segment state of an address creates its resource state."""
        resource = self.known(address)
        if resource is None:
            self.write(ResourceState(address=address, current=holding))
            return
        lists = self._lists.get(address, resource.lists)
        self.write(replace(resource.with_holding(slot, holding), lists=lists))

    def took(self, event: SegmentCreated | SegmentUpdated | SegmentDeleted | BatchAcknowledged) -> None:
        """Record that Criteo accepted a write."""
        self.wrote = True
        if isinstance(event, BatchAcknowledged):
            with self._counting:
                self.acknowledged += 1
                self.rejected += event.rejected
                moved = self._moved.get(event.address, Moved())
                self._moved[event.address] = moved.plus(event)
        self._tools.emit(event)

    def accepted(self, size: int) -> None:
        """Record that Criteo accepted a batch of a transfer with batches of this size."""
        if self.batches.accepted(size):
            self._tools.emit(BatchSizeLowered(size))

    def points(self) -> tuple[SeriesPoint, ...]:
        """Return a point for each address that is complete, or that Criteo acknowledged members of."""
        done = {address for address, outcome in self.ended.items() if outcome is ChangeOutcome.APPLIED}
        addresses = sorted(self._resources.keys() & (done | self._moved.keys()))
        return tuple(_point(self._resources[one], self._moved.get(one, Moved())) for one in addresses)

    def end(self, address: Address, outcome: ChangeOutcome, error: ReconcilerError | None = None) -> None:
        """Record the outcome of an address, unless it has one."""
        if address in self.ended:
            return
        self.ended[address] = outcome
        self.wrote = self.wrote or outcome == ChangeOutcome.INTERRUPTED
        if error is not None:
            self.errors[address] = error
            self.wrote = self.wrote or isinstance(error, OutcomeUnknownError)
        ended = ChangeEnded(address, outcome, ended_at=self._tools.clock.now())
        if error is not None:
            ended = replace(ended, problem=error.problem, remedy=error.remedy, resumable=error.resumable)
        self._tools.emit(ended)


def _point(resource: ResourceState, moved: Moved) -> SeriesPoint:
    current = resource.current
    size = None if current.size is None else current.completed_size
    return SeriesPoint(resource.address, size, moved.adds, moved.removes, current.rejected)
