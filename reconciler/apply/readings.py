"""Stores what was read from sources, so that the next run need not read them again if they are unchanged."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress

from reconciler.core.errors import StorageError
from reconciler.core.events import ChangeOutcome
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.plan.changes import address_of
from reconciler.core.plan.model import Plan
from reconciler.core.ports import StateWriter
from reconciler.core.reuse import ReadRecord, renewed


def store_readings(
    state: StateWriter,
    declared: Sequence[SegmentSpec],
    found: Mapping[str, ReadRecord],
    plan: Plan,
    outcomes: Mapping[Address, ChangeOutcome],
) -> None:
    """Store the records `found` of audiences whose declared addresses are all as planned.

    Does nothing if the state can't take it: a lost record costs a reading.
    """
    reached = {address_of(one) for one in plan.unchanged}
    reached |= {at for at, outcome in outcomes.items() if outcome == ChangeOutcome.APPLIED}
    audiences: dict[str, list[Address]] = defaultdict(list)
    for spec in declared:
        audiences[spec.audience.name].append(spec.address)
    done = [name for name, addresses in audiences.items() if reached.issuperset(addresses)]
    with suppress(StorageError):
        earlier = state.read_records()
        records = renewed(earlier, found, audiences, done)
        if records != earlier:
            state.write_read_records(records)
