"""Histories in which exclusion and suppression lists shrink, break, disappear and return, among other faults.

The column of the source that they are matched with breaks too, and people have second rows. What may happen
without blocking is said here once more, from what was delivered and sent alone.
"""

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import partial

import hypothesis.strategies as st
from hypothesis.stateful import initialize, rule
from support.fakes.criteo import Write
from support.fakes.members import ListFile
from support.in_memory_environment import (
    ANOTHERS,
    EMPTY,
    KEEPER,
    MALFORMED,
    OPT_OUTS,
    InMemoryEnvironment,
    Kind,
    replace,
)
from support.simulation import ADDRESSES, KINDS, Simulation, Step, declarations, edits, steps, which

from reconciler.apply import Report
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.events import ChangeOutcome
from reconciler.core.model import Address
from reconciler.core.plan.model import Plan
from reconciler.core.state.resource import RetiredSlot, grace_ends_at

LIMIT = 0.3
LEGAL, UNLISTED = "legal.csv", "p9"
LISTED = ["p0", "p1", "p2", *(f"stranger {number}" for number in range(5))]
"""Who may be on a list: three of the customers, and others."""


@dataclass(frozen=True)
class Delivery:
    """A delivered list, the members it excluded, and the share of rows it can't match."""

    members: frozenset[str]
    found: frozenset[str]
    excluded: frozenset[str]
    kind: Kind
    empty: float

    def without(self, erased: frozenset[str]) -> "Delivery":
        """Return what the state may still know of it."""
        left = (one - erased for one in (self.members, self.found, self.excluded))
        return Delivery(*left, self.kind, self.empty)


Delivered = Mapping[str, Delivery]
"""By the name of the file."""

CUSTOMERS = ["p0", "p1", "p2", "p3"]
customers = st.frozensets(st.sampled_from(CUSTOMERS), min_size=1)
crowds = st.frozensets(st.sampled_from(LISTED), min_size=3)
suppression = st.one_of(
    steps("deliver_suppression", crowds, st.sampled_from([0, 0, 0, 5])),
    steps("opt_out", st.sampled_from(LISTED)),
    steps("opt_in", st.sampled_from(LISTED)),
    steps("suppression_comes_back"),
    steps("suppression_is_empty"),
    steps("suppression_vanishes"),
    steps("suppress_no_more"),
)
deliveries = st.one_of(
    suppression,
    steps("deliver", which, st.just(OPT_OUTS), crowds, st.sampled_from([0, 0, 0, 5])),
    steps("deliver", which, st.just(LEGAL), crowds, st.just(0)),
    steps("lose_some", which, st.sampled_from(LISTED)),
    steps("lose_some", which, st.sampled_from(LISTED)),
    steps("add_some", which, st.sampled_from(LISTED)),
    steps("come_back", which),
    steps("empty", which),
    steps("vanish", which),
    steps("declare_no_more", which),
    steps("allow", st.sampled_from([LIMIT, LIMIT, 1.0])),
    steps("change_source", which, customers),
)
columns = st.one_of(
    steps("change_matches", which, customers, st.sampled_from([EMPTY, MALFORMED, ANOTHERS, ANOTHERS])),
    steps("restore_matches", which),
    steps("rename_the_column", which),
    steps("add_second_rows", which, customers, st.sampled_from([EMPTY, ANOTHERS])),
)


class ListHistories(Simulation):
    """If a list must block, no member is added."""

    def __init__(self) -> None:
        super().__init__()
        self.possible: dict[Address, list[Delivered]] = {}
        self.unsafe: set[Address] = set()
        self.whole: dict[str, ListFile] = {}
        self.whole_suppression: ListFile | None = None

    def made(self) -> InMemoryEnvironment:
        return InMemoryEnvironment(list_shrink=LIMIT)

    @initialize(
        first=st.lists(declarations, min_size=1, max_size=2), size=st.integers(1, 3), run=st.booleans()
    )
    def begin(self, first: list[Step], size: int, run: bool) -> None:
        self.world.guards = replace(self.world.guards, max_invalid=0.2)
        super().begin(first, size, merges=False, invalid="nobody", run=run)

    def _keep_somebody(self, audience: str) -> None:
        """Lists may name all the others."""
        self.world.people[audience] |= {UNLISTED}
        self.opted_out |= self._suppression_list().members
        out = self.ever_suppressed.get(audience, frozenset())
        self.ever_suppressed[audience] = out | self.world.named(audience)

    # ---- what exports do

    @rule(made=st.lists(deliveries, min_size=1, max_size=3))
    def lists_are_delivered(self, made: list[Step]) -> None:
        self._do(made)

    @rule(made=st.lists(deliveries, min_size=1, max_size=2), others=st.lists(edits, max_size=1))
    def lists_are_delivered_and_applied(self, made: list[Step], others: list[Step]) -> None:
        self._do(made)
        self._do(others)
        self._run()

    @rule(column=columns, made=st.lists(deliveries, max_size=1))
    def a_column_changes_and_is_applied(self, column: Step, made: list[Step]) -> None:
        self._do([*made, column])
        self._run()

    def suppress(self, number: int, people: frozenset[str]) -> None:
        self.deliver(number, OPT_OUTS, people, 0)

    def deliver(self, number: int, name: str, people: frozenset[str], invalid: int) -> None:
        audience = self._declared(number).audience
        file = ListFile(people | {KEEPER}, invalid)
        self.world.lists.setdefault(audience, {})[name] = file
        if name == OPT_OUTS and not invalid:
            self.whole[audience] = file
        self._keep_somebody(audience)

    def lose_some(self, number: int, person: str) -> None:
        self._changed(number, lambda members: members - {person})

    def add_some(self, number: int, person: str) -> None:
        self._changed(number, lambda members: members | {person})

    def _changed(self, number: int, change: Callable[[frozenset[str]], frozenset[str]]) -> None:
        audience = self._declared(number).audience
        now = self.world.lists_of(audience)[OPT_OUTS]
        self.deliver(number, OPT_OUTS, change(now.members), now.invalid)

    def come_back(self, number: int) -> None:
        """As it was when it was last whole."""
        audience = self._declared(number).audience
        if audience in self.whole:
            self.deliver(number, OPT_OUTS, self.whole[audience].members, 0)

    def empty(self, number: int) -> None:
        self._break(number, ListFile(frozenset()))

    def vanish(self, number: int) -> None:
        self._break(number, ListFile(frozenset(), unreadable=True))

    def _break(self, number: int, file: ListFile) -> None:
        audience = self._declared(number).audience
        self.world.lists.setdefault(audience, {})[OPT_OUTS] = file

    def deliver_suppression(self, people: frozenset[str], invalid: int) -> None:
        """The list of the environment, which wins over every audience."""
        file = ListFile(people | {KEEPER}, invalid)
        self.world.suppression = file
        if not invalid:
            self.whole_suppression = file
        for audience in {address.audience for address in self.world.wishes}:
            self._keep_somebody(audience)

    def _suppression_list(self) -> ListFile:
        return self.world.suppression or ListFile(frozenset())

    def opt_out(self, person: str) -> None:
        now = self._suppression_list()
        self.deliver_suppression(now.members | {person}, now.invalid)

    def opt_in(self, person: str) -> None:
        now = self._suppression_list()
        self.deliver_suppression(now.members - {person}, now.invalid)

    def suppression_comes_back(self) -> None:
        if self.whole_suppression:
            self.deliver_suppression(self.whole_suppression.members, 0)

    def suppression_is_empty(self) -> None:
        self.world.suppression = ListFile(frozenset())

    def suppression_vanishes(self) -> None:
        self.world.suppression = ListFile(frozenset(), unreadable=True)

    def suppress_no_more(self) -> None:
        """Accept a reviewed definition without the list."""
        self.world.suppression = None

    def declare_no_more(self, number: int) -> None:
        self.world.lists.get(self._declared(number).audience, {}).pop(LEGAL, None)

    def change_matches(self, number: int, people: frozenset[str], value: str) -> None:
        """What the export writes for these people where lists are matched."""
        audience = self._declared(number).audience
        self.world.matches[audience] = {
            **self.world.matches.get(audience, {}),
            **dict.fromkeys(people, value),
        }

    def restore_matches(self, number: int) -> None:
        self.world.matches.pop(self._declared(number).audience, None)
        self.repair_source(number)

    def rename_the_column(self, number: int) -> None:
        """A source without a column that is asked of it can't be read."""
        self.break_source(number)

    def add_second_rows(self, number: int, people: frozenset[str], value: str) -> None:
        """Only their first row is one that lists can be matched with."""
        audience = self._declared(number).audience
        self.world.second_rows[audience] = dict.fromkeys(people, value)

    def allow(self, share: float) -> None:
        """Accept a reviewed definition."""
        self.world.list_shrink = share
        self.world.guards = replace(self.world.guards, max_suppression_shrink=share)

    # ---- what they may lead to

    def _delivered(self, address: Address) -> Delivered | None:
        """None for lists that can't be used, or can't be matched."""
        files, rows = self.world.delivered(address.audience), self.world.rows(address.audience)
        values, limit = [row.match for row in rows], self.world.guards.max_invalid
        empty, malformed = values.count(EMPTY), values.count(MALFORMED)
        if malformed > limit * (len(rows) - empty):
            return None
        for one in files.values():
            usable = one.members - self.world.erased
            if one.unreadable or not usable or one.invalid > limit * (one.invalid + len(one.members)):
                return None
        return {
            name: Delivery(
                one.members,
                one.members & frozenset(values),
                frozenset(row.person for row in rows if row.match in one.members),
                self.world.wishes[address].kind,
                empty / len(rows),
            ).without(self.world.erased)
            for name, one in files.items()
        }

    def _is_within(self, address: Address, before: Delivered, now: Delivered) -> bool:
        return all(
            self._keeps_its_members(old, named, limit)
            and self._keeps_them_out(old, now[name], named, self.world.people[address.audience] - out, limit)
            for named in [self.world.named(address.audience)]
            for out in [self.world.kept_out(address.audience) | self.world.erased]
            for name in before.keys() & now.keys()
            for old in [before[name].without(self.world.erased)]
            for limit in [self._limit(address, name)]
        )

    def _limit(self, _address: Address, _name: str) -> float:
        """Return the share of a list that may be missing."""
        return self.world.list_shrink

    def _keeps_its_members(self, before: Delivery, named: frozenset[str], limit: float) -> bool:
        return len(before.members - named) <= limit * len(before.members) + 1e-6

    def _keeps_them_out(
        self, before: Delivery, now: Delivery, named: frozenset[str], sent: frozenset[str], limit: float
    ) -> bool:
        """Check that sent members have left the list, up to the limit; no column is emptied."""
        released = len(before.excluded & sent) - len(before.found - named)
        same = before.kind == now.kind
        within = released <= limit * len(before.excluded) + 1e-6
        return (not same or within) and now.empty - before.empty <= limit + 1e-6

    def _run(self, only: Container[Address] | None = None) -> Report | None:
        self._forget_lists_of_ended_addresses()
        left_alone = self._left_alone()
        try:
            report = super()._run(only)
        except ConfigurationError:
            return None
        if only is None and report and not report.errors and not report.stopped:
            self._opt_outs_have_left(left_alone)
        return report

    def _forget_lists_of_ended_addresses(self) -> None:
        """Another audience may get the name of an address that the state has no longer."""
        ended = self.possible.keys() - self.world.store.saved_resources.keys()
        for address in ended:
            del self.possible[address]

    def _left_alone(self) -> set[str]:
        """Return the forgotten and retired segments without an unconfirmed request."""
        found = set()
        for resource in self._resources():
            for slot, holding in resource.slots:
                end = grace_ends_at(holding, self.world.quiet)
                quiet = end is None or end <= self.world.clock.now()
                forgotten = self._called(resource.address) not in self.world.wishes
                alone = isinstance(slot, RetiredSlot) or forgotten
                if quiet and alone and holding.segment_id not in self.claimed:
                    found.add(holding.segment_id)
        return found

    def _opt_outs_have_left(self, left_alone: Container[str]) -> None:
        """Members of a usable list that lost nobody are in no forgotten or retired segment."""
        now = self.world.suppression
        if now is None or now.unreadable or now.invalid or not self.opted_out <= now.members:
            return
        for resource in self._resources():
            for holding in resource.segments:
                segment = self.world.criteo.segment(holding.segment_id)
                safe = self._called(resource.address) not in self.unsafe
                if segment and segment.id in left_alone and safe:
                    held = segment.members - self._strays(segment)
                    assert not held & self._wired(now.members), "an opt-out stays in a forgotten segment"

    def _planned(self, plan: Plan) -> None:
        super()._planned(plan)
        unsafe = re.compile("list|suppressed members|column, which")
        self.unsafe = {one.address for one in plan.blocked if unsafe.search(one.finding.problem)}
        for address in self.world.wishes:
            self._is_tried(address)

    def _applied_at(self, address: Address) -> list[Delivered]:
        """Return the lists that may count as last applied, also at an old address of this one."""
        known = [one for one in self._resources() if self._called(one.address) == address]
        old = [at for one in known for at in (one.address, *reversed(one.moved_from))]
        found = next((self.possible[at] for at in (address, *old) if at in self.possible), [{}])
        return self.possible.setdefault(address, list(found)) if known else [{}]

    def _is_tried(self, address: Address) -> None:
        """Record the lists that may count as last applied after this attempt, as it may crash."""
        now = self._delivered(address)
        known = self.possible[address] = self._applied_at(address)
        if now is not None and any(self._is_within(address, before, now) for before in known):
            known.append(now)

    def _must_lose_suppressed(self, address: Address) -> bool:
        """A list that can't be trusted removes nobody; the plan names its address."""
        usable = address in self.world.wishes and self._delivered(address) is not None
        return usable and address not in self.unsafe

    def _cannot_be_read(self, address: Address) -> bool:
        unusable = address in self.world.wishes and self._delivered(address) is None
        return super()._cannot_be_read(address) or unusable or address in self.unsafe

    def _seen(self, write: Write) -> None:
        super()._seen(write)
        if write.operation == "add" and not write.late:
            for resource in self._resources():
                if write.segment.id in {
                    one.segment_id for one in (resource.current, resource.replacement) if one
                }:
                    self._is_sent_under_its_lists(self._called(resource.address))

    def _is_sent_under_its_lists(self, address: Address) -> None:
        now = self._delivered(address)
        assert now is not None, "somebody is sent under a list that can't be used"
        assert any(self._is_within(address, before, now) for before in self._applied_at(address)), (
            "somebody is sent whom the list named"
        )
        self.possible[address] = [now]

    def _reported(self, report: Report) -> None:
        super()._reported(report)
        for address, outcome in report.outcomes.items():
            now = self._delivered(address) if address in self.world.wishes else None
            if outcome == ChangeOutcome.APPLIED and now is not None:
                self.possible[address] = [now]

    # ---- the way out

    def _clean_run(self, counted: Container[Address] = ()) -> None:
        self.exports_are_whole()
        super()._clean_run(counted)

    def exports_are_whole(self) -> None:
        """Lists that can't be used are delivered once more."""
        file = self._suppression_list()
        if file.unreadable or file.invalid or (self.world.suppression and not file.members):
            self.deliver_suppression((self.whole_suppression or ListFile(frozenset())).members, 0)
        for address in self.world.wishes:
            audience = address.audience
            if self._delivered(address) is None:
                self.world.matches.pop(audience, None)
                whole = self.whole.get(audience, ListFile(frozenset({KEEPER})))
                self.world.lists.setdefault(audience, {})[OPT_OUTS] = whole
                self._keep_somebody(audience)

    def _follow(self, finding: Finding, attempt: int) -> None:
        if re.search("exclusion list|suppression list", finding.problem):
            assert re.search(r"maxShrink|maxSuppressionShrink", finding.remedy), finding
            self.allow(1.0)
        else:
            super()._follow(finding, attempt)


def begun(listed: frozenset[str]) -> ListHistories:
    """Of four customers, those on the list are not sent."""
    life = ListHistories()
    life.begin([("declare", ADDRESSES[0], frozenset(CUSTOMERS))], size=1, run=False)
    life.deliver(0, OPT_OUTS, listed, 0)
    life.run_in_peace([])
    return life


def a_changed_column_readmits_no_member(value: str) -> None:
    """No listed member has a row that matches."""
    life = begun(frozenset({"p0", "p1"}))
    life.change_matches(0, frozenset({"p0", "p1"}), value)
    life.run_in_peace([])
    life.teardown()


def a_column_that_changes_blocks_for_new_members(value: str) -> None:
    """New list entries match no row, and earlier excluded members are not affected."""
    life = begun(frozenset({"p0"}))
    life.add_some(0, "p1")
    life.change_matches(0, frozenset({"p1", "p2"}), value)
    life.change_source(0, frozenset(["p0", "p1", "p2", "p4"]))
    life.run_in_peace([])
    life.teardown()


def a_second_row_readmits_no_member() -> None:
    life = begun(frozenset({"p0", "p1"}))
    life.add_second_rows(0, frozenset({"p0"}), ANOTHERS)
    life.run_in_peace([])
    life.teardown()


def a_crash_between_sending_and_completion_loses_no_list() -> None:
    """A member is on the list of the first batches, and not on the lists before and after."""
    life = ListHistories()
    life.begin([("declare", ADDRESSES[0], frozenset({"p0", "p3"}))], size=1, run=False)
    life.deliver(0, OPT_OUTS, frozenset({"p1"}), 0)
    life.run_in_peace([])
    life.deliver(0, OPT_OUTS, frozenset({"p0", "p1"}), 0)
    life.change_source(0, frozenset({"p0", "p2", "p3"}))
    life.run_in_trouble([], [("add", 0, "crash-after")], [])
    life.deliver(0, OPT_OUTS, frozenset({"p1"}), 0)
    life.run_in_peace([])
    life.teardown()


def opt_outs_leave_forgotten_and_retired_segments() -> None:
    """An address is forgotten, and another is replaced; then somebody in both segments opts out."""
    life = ListHistories()
    made = [("declare", one, frozenset({"p0", "p1", "p3"})) for one in ADDRESSES[:2]]
    life.begin(made, size=1, run=False)
    life.deliver_suppression(frozenset({"p2"}), 0)
    life.run_in_peace([])
    life.rekey(1, *_REKEYED)
    life.remove_from_manifests(0)
    life.run_in_peace([])
    life.opt_out("p0")
    life.run_in_peace([])
    life.teardown()


def a_suppression_list_that_is_cut_readmits_no_member(cut: Callable[[ListHistories], None]) -> None:
    life = ListHistories()
    life.begin([("declare", ADDRESSES[0], frozenset(CUSTOMERS))], size=1, run=False)
    life.deliver_suppression(frozenset({"p0", "p1", "stranger 0"}), 0)
    life.run_in_peace([])
    cut(life)
    life.change_source(0, frozenset([*CUSTOMERS, "p4"]))
    life.run_in_peace([])
    life.teardown()


def a_list_that_is_cut_is_named_beside_an_unreadable_source() -> None:
    """Somebody else opts out meanwhile. A list that can't be trusted removes nobody."""
    life = ListHistories()
    life.begin([("declare", ADDRESSES[0], frozenset(CUSTOMERS))], size=1, run=False)
    life.deliver_suppression(frozenset({"stranger 0", "stranger 1", "p0"}), 0)
    life.run_in_peace([])
    life.deliver_suppression(frozenset({"p0", "p1"}), 0)
    life.rename_the_column(0)
    life.run_in_peace([])
    life.teardown()


def _loses_two(life: ListHistories) -> None:
    life.opt_in("p0")
    life.opt_in("p1")


def _names_others(life: ListHistories) -> None:
    life.deliver_suppression(frozenset(f"stranger {number}" for number in range(1, 4)), 0)


def _comes_unusable(life: ListHistories) -> None:
    life.deliver_suppression(life._suppression_list().members, 5)


_REKEYED = (KINDS[1], "1001", "7")

EXAMPLES = (
    opt_outs_leave_forgotten_and_retired_segments,
    a_list_that_is_cut_is_named_beside_an_unreadable_source,
    partial(a_suppression_list_that_is_cut_readmits_no_member, _loses_two),
    partial(a_suppression_list_that_is_cut_readmits_no_member, _names_others),
    partial(a_suppression_list_that_is_cut_readmits_no_member, _comes_unusable),
    partial(a_suppression_list_that_is_cut_readmits_no_member, ListHistories.suppression_is_empty),
    partial(a_suppression_list_that_is_cut_readmits_no_member, ListHistories.suppression_vanishes),
    partial(a_changed_column_readmits_no_member, EMPTY),
    partial(a_changed_column_readmits_no_member, MALFORMED),
    partial(a_changed_column_readmits_no_member, ANOTHERS),
    partial(a_column_that_changes_blocks_for_new_members, EMPTY),
    partial(a_column_that_changes_blocks_for_new_members, MALFORMED),
    a_second_row_readmits_no_member,
    a_crash_between_sending_and_completion_loses_no_list,
)
