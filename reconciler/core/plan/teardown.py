"""The planner of a teardown: no address should have members. Each is emptied, then forgotten or deleted."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import Finding
from reconciler.core.members import EMPTY_SNAPSHOT
from reconciler.core.model import Address
from reconciler.core.ownership import not_ours, shared_segment
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Delete, Empty, Emptying, Ending, Forget, address_of
from reconciler.core.plan.cost import cost
from reconciler.core.plan.guards import protected_from_removal
from reconciler.core.plan.lost_access import lost_access
from reconciler.core.plan.model import Blocked, Plan, PlanInputs
from reconciler.core.plan.observed import MemberDiff, ObservedState, TeardownEnd
from reconciler.core.plan.reasons import SegmentMissing, UnknownMembersRemain
from reconciler.core.plan.steps import SendMembers
from reconciler.core.plan.unconfirmed_creates import match_unconfirmed
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import Tag, former_tags, tag, tag_of
from reconciler.core.state.resource import MemberSlot, ResourceState, SegmentState, grace_ends_at
from reconciler.core.state.unconfirmed_requests import record_recovered, why_not_ours

NAMED = 3
"""A message names at most this many audiences."""


def create_teardown(
    desired: DesiredState,
    observed: ObservedState,
    diffs: Mapping[str, MemberDiff],
    only: Container[Address],
    end: TeardownEnd,
    fallback: str,
) -> Plan:
    """Return the plan that removes the members of all known addresses in `only`.

    `diffs` are the members to remove from each segment at Criteo, by segment ID. Guards on sizes do not
    apply: an empty segment is what was asked for. Protection, a segment that is not ours, an unconfirmed
    create and lost access block. `fallback` is the credential of addresses that no manifest contains.
    """
    segments = {one.id: one for listed in observed.segments.values() for one in listed}
    declared = {spec.address: spec.credential for spec in desired.segments}
    changes: list[Ending] = []
    blocked: list[Blocked] = []
    lineage = observed.head.lineage if observed.head else ""
    for address, resource in sorted(observed.resources.items()):
        if address not in only:
            continue
        context = TeardownContext(
            resource,
            tag(desired.environment.name, address, lineage),
            declared.get(address, fallback),
            segments,
            observed,
            diffs,
            desired.environment.api.grace_period,
            end,
            former_tags(desired.environment.name, resource.moved_from, lineage),
        )
        found = list(context.findings())
        cause = Cause.GUARD if resource.protected else Cause.SEGMENT
        blocked += (Blocked(address, one, cause) for one in found)
        if not found and (change := context.change()):
            changes.append(change)
    going = tuple(sorted(changes, key=address_of))
    return Plan(
        basis=PlanInputs(
            desired.environment.name,
            observed.now.date(),
            observed.now,
            lineage,
            observed.head.serial if observed.head else 0,
        ),
        changes=going,
        unchanged=(),
        blocked=tuple(blocked),
        cost=cost(going, desired.environment.api, observed.rates, observed.now),
        notes=desired.notes,
        problems=tuple(lost_access(desired, observed, segments)),
        superseded=observed.superseded,
    )


@dataclass(frozen=True, slots=True)
class TeardownContext:
    """One address and all that its teardown depends on.

    `diffs` are the members to remove from each segment, by segment ID. A segment without one keeps its
    members. `keep_instead` advises what to do if a segment must not be deleted.
    """

    resource: ResourceState
    tag: Tag
    credential: str
    segments: Mapping[str, Segment]
    observed: ObservedState
    diffs: Mapping[str, MemberDiff]
    quiet: timedelta
    end: TeardownEnd
    former: tuple[Tag, ...] = ()
    keep_instead: str = "leave out --delete"

    @property
    def present(self) -> tuple[tuple[MemberSlot, SegmentState, Segment], ...]:
        """Return the segments of the address that are at Criteo."""
        return tuple(
            (slot, one, self.segments[one.segment_id])
            for slot, one in self.resource.slots
            if one.segment_id in self.segments
        )

    def findings(self) -> Iterator[Finding]:
        """Yield why the address can't be torn down safely."""
        address, where = self.resource.address, str(self.resource.address)
        if self.resource.protected:
            yield protected_from_removal(address)
            return
        held = [one for _, one in self.resource.slots]
        if foreign := not_ours(address, self.tag, held, self.segments, self.former):
            yield foreign
            return
        for account_id in sorted({one.key.account_id for one in held} - self.observed.segments.keys()):
            problem = f"the current credentials can't list account {account_id}"
            yield Finding(where, problem, "restore the access, or the seat in environment.yaml")
        if until := self._unconfirmed_until():
            problem = "an earlier request to create a segment is unconfirmed and may still take effect"
            yield Finding(where, problem, f"plan again after {until:%H:%M:%S} UTC")
        for _, holding, segment in self.present:
            yield from self._unfit(holding, segment)

    def _unconfirmed_until(self) -> datetime | None:
        """Return the time until which an unconfirmed create may make a segment, or a deleted one again."""
        intents = [one.intent.sent_at for one in self.resource.segments if one.intent]
        if self.end is TeardownEnd.DELETE:
            updates = (one.unconfirmed_updates for one in self.resource.segments)
            intents += [update.sent_at for found in updates for update in found]
        ends = (sent_at + self.quiet for sent_at in intents)
        return max((end for end in ends if end > self.observed.now), default=None)

    def _unfit(self, holding: SegmentState, segment: Segment) -> Iterator[Finding]:
        where, deletes = str(self.resource.address), self.end is TeardownEnd.DELETE
        if segment.identifier_type != holding.key.identifier_type:
            held = segment.identifier_type or "an unknown type"
            problem = (
                f"segment {segment.id} holds {held} at Criteo, and {holding.key.identifier_type} in our state"
            )
            yield Finding(where, problem, "restore the state, or ask Criteo about the segment")
        if segment.read_only and (deletes or not holding.is_empty):
            yield Finding(
                where,
                f"segment {segment.id} is read-only at Criteo",
                "ask the owner of the account at Criteo to lift that",
            )
        if segment.is_shared:
            yield shared_segment(self.resource.address, segment, "emptied or deleted")
        if deletes and (names := self.observed.users.get(segment.id)):
            yield Finding(
                where,
                f"segment {segment.id} is not deleted: audiences at Criteo are built on it: {_first(names)}",
                f"remove it from these audiences in Criteo, or {self.keep_instead}",
            )
        if deletes and tag_of(segment.description) is None:
            yield Finding(
                where,
                f"segment {segment.id} has no ownership tag: it is not deleted",
                "run `reconciler apply` with the address in the manifests, which writes the tag again, or "
                + self.keep_instead,
            )

    def change(self) -> Ending | None:
        """Return the change of the address; None if nothing of it is left to tear down."""
        address = self.resource.address
        ids = tuple(segment.id for *_, segment in self.present)
        if not ids:
            return None if self._is_out_of_sight() else self._missing()
        unknown = any(one.members_unknown_before for _, one, _ in self.present)
        if self.end is TeardownEnd.DELETE:
            return Delete(address, self._emptying(), ids)
        if self.resource.forgotten_at and all(one.is_empty for _, one, _ in self.present):
            return None
        return Empty(address, self._emptying(), ids, UnknownMembersRemain() if unknown else None)

    def _missing(self) -> Forget:
        address, current = self.resource.address, self.resource.current
        return Forget(address, current.size, drop_state=True, reason=SegmentMissing(current.segment_id))

    def _is_out_of_sight(self) -> bool:
        """Return whether a forgotten segment is to stay known: access to its account may be lost.

        An account that lists no segment at all proves nothing. `maxMissing` does not count forgotten ones.
        """
        listed = any(self.observed.segments.get(one.key.account_id) for _, one in self.resource.slots)
        return bool(self.resource.forgotten_at) and self.end is TeardownEnd.FORGET and not listed

    def _emptying(self) -> Emptying:
        sizes = [one.size for _, one, _ in self.present]
        transfers = tuple(self._transfers())
        _, holding, segment = self.present[0]
        return Emptying(
            title=segment.name,
            key=holding.key,
            credential=self.credential,
            count=None if None in sizes else sum(filter(None, sizes)),
            removes=sum(one.comparison.delta.out for one in transfers),
            done=sum(
                one.transfer.acknowledged
                for _, one, _ in self.present
                if one.transfer and one.segment_id in self.diffs and self.diffs[one.segment_id].resumes
            ),
            transfers=transfers,
        )

    def _transfers(self) -> Iterator[SendMembers]:
        for slot, holding, segment in self.present:
            diff = self.diffs.get(segment.id)
            if diff is None:
                continue
            if diff.delta.total or holding.transfer:
                until = None if diff.resumes else grace_ends_at(holding, self.quiet)
                waits = until if until and until > self.observed.now else None
                yield SendMembers(slot, EMPTY_SNAPSHOT, diff, waits)


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(f"“{one}”" for one in names[:NAMED]) + more


def with_confirmed_creates(
    resources: Iterable[ResourceState], segments: Mapping[str, Segment], environment: str, lineage: str
) -> dict[Address, ResourceState]:
    """Return the resource states by address, with the segments that unconfirmed creates have created."""
    resources = tuple(resources)
    found = match_unconfirmed(resources, segments)
    confirmed = {one.address: one for one in resources}
    for (address, slot), segment in found.items():
        resource = confirmed[address]
        holding = resource.holding(slot)
        tags = former_tags(environment, (address, *resource.moved_from), lineage)
        if holding and any(not why_not_ours(holding.key, one, segment) for one in tags):
            confirmed[address] = resource.with_holding(slot, record_recovered(holding, segment.id))
    return confirmed
