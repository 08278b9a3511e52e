"""Verify that the members of applied addresses arrived at Criteo. Reads no sources."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.desired_state import DesiredState
from reconciler.core.endpoints import endpoint_kind
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.ports import Clock, SegmentReader, StateReader, StateWriter
from reconciler.core.remote import RateLimit
from reconciler.core.state.resource import ResourceState
from reconciler.core.verification import (
    VerificationOutcome,
    VerificationResult,
    before_counts,
    kept,
    next_check,
    renewed,
    verify,
)
from reconciler.operations.observe import counts, listed, reachable

WAIT = "Criteo has not computed {number:,} of {total:,} addresses yet"


@dataclass(frozen=True, slots=True)
class CheckedAddress:
    """The result of one address, and the resource state that it is about: None if there is none."""

    spec: SegmentSpec
    resource: ResourceState | None
    result: VerificationResult
    at: datetime


Checks = tuple[CheckedAddress, ...]
"""One check for each selected address, in order."""


def check_members(
    desired: DesiredState,
    only: Container[Address],
    readers: Mapping[str, SegmentReader],
    state: StateReader,
    clock: Clock,
    progress: Callable[[str], None],
) -> Checks:
    """Check the selected addresses with one listing per account, and one request per computed segment."""
    now = clock.now()
    specs = sorted((one for one in desired.segments if one.address in only), key=lambda one: one.address)
    everything = {one.address: one for one in state.resources()}
    resources = {one.address: everything[one.address] for one in specs if one.address in everything}
    accounts = reachable(desired, resources.values(), readers)
    progress("reading segments")
    there = listed(accounts, resources.values(), {spec.key.account_id for spec in desired.segments})
    present = {one.id for many in there.values() for one in many}
    counted = [
        resources[spec.address].current
        for spec in specs
        if before_counts(spec, resources.get(spec.address), present, now) is None
    ]
    statistics = counts(counted, accounts, progress)
    progress("")
    found = ((spec, resources.get(spec.address)) for spec in specs)
    return tuple(
        CheckedAddress(spec, held, verify(spec, held, present, statistics, now), now) for spec, held in found
    )


def wait_for_computation(
    checks: Checks,
    again: Callable[[Container[Address]], Checks],
    readers: Iterable[SegmentReader],
    clock: Clock,
) -> Checks:
    """Check addresses that Criteo has not computed again, until each result is final or Criteo is late.

    `again` checks the addresses that it is given. Raises CancelledError if the user stops the wait.
    """
    found = {one.spec.address: one for one in checks}
    while until := next_check([one.result for one in found.values()], clock.now(), _limit(readers)):
        open_ = {address for address, one in found.items() if is_open(one.result)}
        reason = WAIT.format(number=len(open_), total=len(found))
        clock.wait(max(0.0, (until - clock.now()).total_seconds()), reason)
        found |= {one.spec.address: one for one in again(open_)}
    return tuple(found[address] for address in sorted(found))


def is_open(result: VerificationResult) -> bool:
    return result.outcome is VerificationOutcome.NOT_COMPUTED


def store_verifications(
    state: StateWriter, desired: DesiredState, checks: Checks
) -> tuple[frozenset[Address], frozenset[Address]]:
    """Store the final results; return the stored addresses, and those that another run changed since."""
    resources = {one.address: one for one in state.resources()}
    endpoint = endpoint_kind(desired.environment.api)
    found = {one.spec.address: kept(one.result, one.spec, endpoint, one.at) for one in checks}
    changed = {
        one.spec.address
        for one in checks
        if found[one.spec.address] and resources.get(one.spec.address) != one.resource
    }
    stored = [one for address, one in found.items() if one and address not in changed]
    if stored:
        known = {spec.address for spec in desired.segments} | set(resources)
        state.write_verifications(renewed(state.verifications(), stored, known))
    return frozenset(one.address for one in stored), frozenset(changed)


def _limit(readers: Iterable[SegmentReader]) -> RateLimit | None:
    """Return the lowest rate limit that Criteo stated."""
    limits = (reader.rate_limit() for reader in readers)
    return min((one for one in limits if one), key=lambda one: one.limit, default=None)
