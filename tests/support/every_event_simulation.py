"""Histories of everything that can happen to addresses and their segments, in any order and interrupted.

One model: edits of manifests with moves, ends, pauses, protection, adoptions and overrides; lists that come
and go; erasures; hands at Criteo, and repairs; faults, crashes and other runs beside.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import ClassVar

import hypothesis.strategies as st
from hypothesis.stateful import initialize, invariant, rule
from support.adoption_simulation import Adopts, handovers
from support.exclusion_simulation import LIMIT, LISTED, ListHistories, deliveries, suppression
from support.fakes.criteo import FakeSegment, Write
from support.in_memory_environment import EVERYTHING, SUPPRESSED, CrashAt, InMemoryEnvironment
from support.lifecycle_simulation import LiveAndEnd, ids, lives
from support.simulation import (
    ACCOUNTS,
    ADDRESSES,
    FAULTS,
    KINDS,
    RETAILERS,
    Done,
    Simulation,
    Step,
    Trouble,
    declarations,
    edits,
    hands,
    steps,
    strangers,
    striking,
    which,
)

from reconciler.core.errors import Finding
from reconciler.core.lifecycle import MembersEnd, SegmentEnd
from reconciler.core.model import Address, RepairMode, Retention, SourceLocation
from reconciler.core.override import EVERYTHING as ALL
from reconciler.core.override import Override
from reconciler.core.plan.changes import (
    Adopt,
    Change,
    Delete,
    Empty,
    Forget,
    Replace,
    SegmentChange,
    Update,
    kind_of,
)
from reconciler.core.plan.model import Plan
from reconciler.core.plan.reasons import FilledOutside, RemovedAndKept, SegmentAdopted
from reconciler.core.state.ownership_tag import owner, tag_of

SHRINK = 0.5
ERASABLE = [f"p{number}" for number in range(5)]
INTRUDERS = frozenset(f"intruder {number}" for number in range(20))
"""More than Criteo may count otherwise, and more than we ever sent."""
LIMITS = {
    "maxShrink": "max_shrink",
    "maxSuppressionShrink": "max_suppression_shrink",
    "minMembers": "min_members",
    "maxInvalid": "max_invalid",
}
PASTED = re.compile(r'address: "(.+?)", guards: \{(\w+): ([\d.]+)(%?)\}.* expires: "([\d-]+)"')
PLACE = SourceLocation("overrides.yaml", 1, 1)

RUNS = frozenset(
    {
        "create", "update", "move", "replace", "refill", "forget",
        "adopt: reuse", "adopt: assume", "adopt: replace",
        "removed: keep, keep", "removed: remove, keep", "removed: keep, delete", "removed: remove, delete",
        "audience paused", "environment paused", "protected",
        "opt-out", "opt-out from a forgotten address", "opt-out from a paused address",
        "blocked by a suppression list", "blocked by an exclusion list", "let pass by an override",
        "erasure", "erasure resumed", "repair: replaced",
    }
)  # fmt: skip
"""What the runs of many histories do, also in one and the same history."""
KILLED = frozenset({"adopt", "create", "erasure", "move", "removed", "replace", "update"})
"""What killed runs do, of any kind."""

overrides = st.one_of(
    steps("override", which, st.sampled_from(["address", "audience", ALL]), st.just("maxShrink"), which),
    steps("override", which, st.just("audience"), st.just("maxSuppressionShrink"), which),
    steps("time_passes", st.just(86_400)),
)
repairs = st.one_of(
    steps("fill_by_hand", which),
    steps("fill_by_hand", which),
    steps("set_repair", st.sampled_from(RepairMode)),
    steps("clear_by_hand", which),
)
ends = steps("end", which, st.sampled_from(MembersEnd), st.sampled_from(SegmentEnd))
rekeyed = steps("rekey", which, st.sampled_from(KINDS), st.sampled_from(ACCOUNTS), st.sampled_from(RETAILERS))
documents = st.one_of(
    ends,
    ends,
    steps("move", which, st.sampled_from(ADDRESSES)),
    handovers,
    steps("protect", which, st.booleans()),
)
events = st.one_of(
    lives, lives, lives, edits, handovers, st.one_of(suppression, deliveries), overrides, repairs, hands
)
some_events = st.lists(events, min_size=1, max_size=3)
some_people = st.frozensets(st.sampled_from(ERASABLE), max_size=1)
troubles = st.lists(
    st.tuples(
        st.sampled_from(["create", "update", "delete", "remove", "add"]),
        st.sampled_from([0, 0, 1, 2]),
        st.sampled_from(FAULTS),
    ),
    min_size=1,
    max_size=3,
)


class EveryEvent(LiveAndEnd, Adopts, ListHistories):
    """All events of the parts, erasures, overrides and repairs.

    `happened` counts what the runs of all histories did, also by killed runs.
    """

    happened: ClassVar[Counter[str]] = Counter()
    take_over = lists_are_delivered = lists_are_delivered_and_applied = None
    change_lives = end_in_trouble = end_and_crash = end_in_peace = edit = None
    run_beside_another = Simulation.run_beside_another
    run_beside_a_stranger = Simulation.run_beside_a_stranger

    def __init__(self) -> None:
        super().__init__()
        self.filled: set[str] = set()
        self.kept: dict[Address, str] = {}
        self.under_way: list[str] = []

    def made(self) -> InMemoryEnvironment:
        return InMemoryEnvironment(list_shrink=LIMIT, keep=Retention(3))

    @initialize(
        first=st.lists(declarations, min_size=2, max_size=3),
        handed=st.lists(handovers, max_size=1),
        size=st.integers(1, 3),
        merges=st.booleans(),
        run=st.sampled_from([True, True, False]),
    )
    def begin(
        self,
        first: list[Step],
        size: int,
        run: bool,
        merges: bool = False,
        invalid: str = "nobody",
        handed: list[Step] | None = None,
    ) -> None:
        self.world.guards = replace(
            self.world.guards, max_invalid=0.2, max_shrink=SHRINK, max_suppression_shrink=LIMIT
        )
        Simulation.begin(self, [*first, *(handed or ())], size, merges, invalid, run)

    # ---- what happens

    @rule(made=some_events)
    def events_happen(self, made: list[Step]) -> None:
        self._do(made)

    @rule(made=some_events, number=st.integers(1, 20), after=st.booleans(), statistics=st.booleans())
    def events_and_a_crash(self, made: list[Step], number: int, after: bool, statistics: bool) -> None:
        self.run_and_crash(made, number, after, statistics)

    @rule(made=some_events, troubles=troubles, then=st.lists(st.one_of(strangers, events), max_size=1))
    def events_and_trouble(self, made: list[Step], troubles: list[Trouble], then: list[Step]) -> None:
        self.run_in_trouble(made, troubles, then)

    @rule(made=st.lists(documents, min_size=1, max_size=2), number=st.integers(0, 12), after=st.booleans())
    def documents_are_applied(self, made: list[Step], number: int, after: bool) -> None:
        """Killed on the way, or not at all if the number is too large, or 0."""
        self.exports_are_whole()
        self.run_and_crash(made, number, after)

    @rule(number=which, ended=ends, killed=st.integers(0, 8), after=st.booleans())
    def an_address_ends(self, number: int, ended: Step, killed: int, after: bool) -> None:
        """Nothing stands against it."""
        self.exports_are_whole()
        self.world.criteo.audiences.clear()
        self.run_in_peace([("protect", number, False)])
        name, _, *given = ended
        self.run_and_crash([(name, number, *given)], killed, after)

    @rule(number=which, ended=st.one_of(ends, ends, rekeyed))
    def a_protected_address_changes(self, number: int, ended: Step) -> None:
        self.exports_are_whole()
        self.run_in_peace([("protect", number, True)])
        name, _, *given = ended
        self.run_in_peace([(name, number, *given)])

    def exports_are_whole(self) -> None:
        super().exports_are_whole()
        self.world.broken.clear()

    @rule(number=which, person=st.sampled_from(LISTED), pause=st.sampled_from(["", "pause", "pause_all"]))
    def somebody_opts_out(self, number: int, person: str, pause: str) -> None:
        self.exports_are_whole()
        self._do([(pause, number)[: 1 + (pause == "pause")]] if pause else [])
        self.opt_out(person)
        self.run_in_peace([])

    @rule(made=some_events, statistics=st.booleans())
    def events_are_applied(self, made: list[Step], statistics: bool) -> None:
        self.run_in_peace(made, statistics=statistics)

    @rule(made=some_events)
    def a_day_passes_and_repairs_are_applied(self, made: list[Step]) -> None:
        """Criteo counts all that was sent."""
        self._do(made)
        self.time_passes(90_000)
        self.run_in_peace([], statistics=True)

    @rule(people=some_people, number=st.integers(0, 20), after=st.booleans())
    def erase(self, people: frozenset[str], number: int = 0, after: bool = False) -> None:
        """With a number, it is killed on the way; what is pending is resumed."""
        crash = CrashAt(number, after)
        self.world.store.before_write, self.world.store.after_write = crash.before_write, crash.after_write
        self.world.criteo.fault = self._noted(crash.fault)
        self._erase(people)

    @rule(people=some_people, troubles=troubles)
    def erase_in_trouble(self, people: frozenset[str], troubles: list[Trouble]) -> None:
        self.world.criteo.fault = self._noted(striking(troubles))
        self._erase(people)

    def _erase(self, people: frozenset[str]) -> tuple[Finding, ...]:
        people = people if len(self.world.erased | people) <= 2 else frozenset()
        what = "erasure" if people else "erasure resumed"
        self.under_way = [what]
        done = self._attempted(lambda: self.world.erase(people, KINDS))
        if done and not done.problems:
            self.happened[what] += 1
            self._erased_are_gone()
        return done.problems if done else ()

    def override(self, number: int, selector: str, key: str, days: int) -> None:
        address = self._declared(number)
        whom = {"address": str(address), "audience": address.audience}.get(selector, selector)
        self._overridden(whom, key, 1.0, self.world.clock.now().date() + timedelta(days=days))

    def _overridden(self, selector: str, key: str, limit: float, expires: date) -> None:
        one = Override(selector, ((LIMITS[key], limit),), key, "meant", expires, PLACE)
        self.world.overrides = (*self.world.overrides, one)

    def fill_by_hand(self, number: int) -> None:
        """Others add members, once at each address: Criteo's counts show it where we know what we sent."""
        segment = self._one_of_ours(number)
        if segment is None:
            return
        held = next(one.segments for one in self._resources() if segment.id in ids(one))
        [holding] = [one for one in held if one.segment_id == segment.id]
        if holding.members_unknown_before is None and not self.filled & {one.segment_id for one in held}:
            kind = (holding.key.identifier_type, holding.key.hashing)
            segment.members |= self.world.criteo.set_of(self.world.wire(INTRUDERS, kind))
            self.filled.add(segment.id)

    def set_repair(self, mode: RepairMode) -> None:
        self.world.repair = mode

    # ---- what must hold at every moment

    def _attempted(self, act: Callable[[], Done]) -> Done | None:
        died = self.world.die

        def die() -> None:
            for one in self.under_way:
                self.happened[f"{one}, killed"] += 1
            died()

        self.world.die = die
        try:
            return super()._attempted(act)
        finally:
            self.world.die = died
            self.under_way = []

    def _planned(self, plan: Plan) -> None:
        self.under_way = [] if plan.problems else list(self._kinds(plan))
        self.happened.update(self.under_way)
        super()._planned(plan)
        for change in plan.changes if not plan.problems else ():
            if not isinstance(change, Empty | Delete | Forget):
                protected = change.spec.audience.protected
                assert not (isinstance(change, Replace) and protected), "a protected segment is replaced"
                self._shrinks_within_its_limit(change)

    def _kinds(self, plan: Plan) -> Iterator[str]:
        for change in plan.changes:
            yield self._kind(change)
        for address in plan.suppressed:
            yield "opt-out from a paused address" if address in plan.paused else "opt-out"
            if address not in self.world.wishes:
                yield "opt-out from a forgotten address"
        if plan.paused:
            yield "environment paused" if self.world.all_paused else "audience paused"
        for one in plan.blocked:
            yield f"blocked: {one.cause}"
            if "protect" in one.finding.problem:
                yield "protected"
            if "suppression list" in one.finding.problem:
                yield "blocked by a suppression list"
            if "exclusion list" in one.finding.problem:
                yield "blocked by an exclusion list"
        if any("override" in one for said in plan.relaxed_guards.values() for one in said):
            yield "let pass by an override"

    def _kind(self, change: Change) -> str:
        reason = getattr(change, "reason", None)
        if isinstance(reason, SegmentAdopted):
            return f"adopt: {reason.baseline}"
        if isinstance(reason, FilledOutside):
            return "repair: replaced"
        if isinstance(reason, RemovedAndKept):
            return "removed: keep, keep"
        if isinstance(change, Empty | Delete):
            document = self._document(change.address)
            assert document
            return f"removed: {document.members}, {document.segment}"
        return str(kind_of(change))

    def _shrinks_within_its_limit(self, change: SegmentChange) -> None:
        """Of a filled segment, half of the members may leave, unless an override lets more pass."""
        address, transfer = change.spec.address, change.steps.transfer
        resource = self.world.store.saved_resources.get(address)
        if not resource or not transfer or not isinstance(change, Update | Adopt):
            return
        holding = resource.current
        if not holding.completed_size or holding.key != change.spec.key:
            return
        acknowledged, _ = self.world.engine.abandon_transfer(holding)
        known = self.world.engine.members(acknowledged)
        out = known - self.world.engine.members(transfer.target)
        size = max(holding.completed_size, len(known))
        if not holding.is_being_emptied and len(out) > SHRINK * size + 1e-6:
            assert self._is_overridden(address, "max_shrink"), "more members leave than the limit allows"

    def _limit(self, address: Address, name: str) -> float:
        overridden = name == SUPPRESSED and self._is_overridden(address, "max_suppression_shrink")
        return 1.0 if overridden else super()._limit(address, name)

    def _is_overridden(self, address: Address, key: str) -> bool:
        today = self.world.clock.now().date()
        return any(
            one.selects(address) and today <= one.expires and key in dict(one.limits)
            for one in self.world.overrides
        )

    def _seen(self, write: Write) -> None:
        super()._seen(write)
        if write.operation == "add" and not write.late:
            assert not write.values & self._wired(self.world.erased), "an erased person is added"

    def _meant(self, write: Write) -> None:
        if write.operation == "remove" and write.values <= self._wired(self.world.erased):
            return
        super()._meant(write)

    def _suppressed_ever(self) -> set[str]:
        return super()._suppressed_ever() | self._wired(self.world.erased)

    def _erased_are_gone(self) -> None:
        """No segment of the state holds an erased person, and no snapshot of any version does."""
        gone = self._wired(self.world.erased)
        for one in self._ours():
            segment = self.world.criteo.segment(one)
            assert segment
            assert not (segment.members - self._strays(segment)) & gone, "an erased person stays"
        known = gone | self.world.erased
        for digest in self.world.store.saved_snapshots:
            assert not self.world.engine._sets[digest] & known, "a snapshot holds an erased person"

    def _strays(self, segment: FakeSegment) -> frozenset[str]:
        filled = {one for kind in KINDS for one in self.world.criteo.set_of(self.world.wire(INTRUDERS, kind))}
        return super()._strays(segment) | (filled if segment.id in self.filled else frozenset())

    @invariant()
    def protected_segments_stay(self) -> None:
        """While an address is protected, its segment is neither deleted nor replaced."""
        for address in [*self.kept]:
            resource, wish = self.world.store.saved_resources.get(address), self.world.wishes.get(address)
            there = self.world.criteo.segment(self.kept[address])
            if resource and resource.protected and there and (wish is None or wish.protect):
                assert resource.current.segment_id == self.kept[address], "a protected segment was replaced"
            else:
                del self.kept[address]
        for resource in self._resources():
            if resource.protected and resource.current.segment_id:
                self.kept.setdefault(resource.address, resource.current.segment_id)

    # ---- the way out, and what must hold at the end

    def _follow(self, finding: Finding, attempt: int) -> None:
        pasted = PASTED.search(finding.remedy)
        if pasted and pasted[2] in LIMITS:
            limit = float(pasted[3]) / (100 if pasted[4] else 1)
            self._overridden(pasted[1], pasted[2], limit, date.fromisoformat(pasted[5]))
        else:
            super()._follow(finding, attempt)

    def teardown(self) -> None:
        self.world.criteo.hidden.clear()
        self._late_calls_land()
        self.world.repair = RepairMode.AUTO
        self._complete_the_erasure()
        super().teardown()
        self._complete_the_erasure()
        self._erased_are_gone()
        self._each_tag_names_its_address()

    def _nothing_is_left_to_do(self) -> None:
        """The last clean run may have replaced a segment. Its listed members leave in the next run.

        They may be so many that an override must let them pass.
        """
        before, plan = len(self.world.criteo.writes), self.world.plan(EVERYTHING)
        assert not plan.changes
        assert all("suppressed members are not removed" in one.finding.problem for one in plan.blocked)
        self._clean_run()
        retired = {one.segment.segment_id for resource in self._resources() for one in resource.retired}
        for operation, segment_id, _ in self.world.criteo.writes[before:]:
            assert (operation, segment_id in retired) == ("remove", True), "an empty plan changes a segment"
        super()._nothing_is_left_to_do()

    def _complete_the_erasure(self) -> None:
        for attempt in range(5):
            if not self.world.store.saved_erasures.is_pending:
                return
            for finding in self._erase(frozenset()):
                self._follow(finding, attempt)
        raise AssertionError("an erasure is never complete")

    def _each_tag_names_its_address(self) -> None:
        """A forgotten address may have moved in a run that was killed before it wrote the new tag."""
        for resource in self._resources():
            segment = self.world.criteo.segment(resource.current.segment_id)
            found = tag_of(segment.description) if segment and segment.id not in self.claimed else None
            earlier = () if resource.address in self.world.wishes else resource.moved_from
            named = {owner(self.world.environment, address) for address in (resource.address, *earlier)}
            assert found is None or found.owner in named, "a segment has the tag of another address"
