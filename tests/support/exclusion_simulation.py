"""Histories in which exclusion lists shrink, break, vanish and come back, beside all else that may go wrong.

What a list may do without blocking is said here once more, from what was delivered and sent alone.
"""

import re
from collections.abc import Callable, Container, Mapping
from contextlib import suppress

import hypothesis.strategies as st
from hypothesis.stateful import initialize, rule
from support.fakes.criteo import Write
from support.fakes.members import ListFile
from support.in_memory_environment import KEEPER, OPT_OUTS, InMemoryEnvironment, replace
from support.simulation import ADDRESSES, Simulation, Step, declarations, edits, steps, which

from reconciler.apply import Report
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.events import ChangeOutcome
from reconciler.core.model import Address
from reconciler.core.plan.model import Plan

LIMIT = 0.3
LEGAL, UNLISTED = "legal.csv", "p9"
LISTED = ["p0", "p1", "p2", *(f"stranger {number}" for number in range(5))]
"""Who may be on a list: three of the customers, and others."""
Delivered = Mapping[str, frozenset[str]]
"""Lists as they were at one time, by the name of their file."""

crowds = st.frozensets(st.sampled_from(LISTED), min_size=3)
deliveries = st.one_of(
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
    steps("change_source", which, st.frozensets(st.sampled_from(["p0", "p1", "p2", "p3"]), min_size=1)),
)


class ListHistories(Simulation):
    """Under a list that must block, nobody is added."""

    def __init__(self) -> None:
        super().__init__()
        self.possible: dict[Address, list[Delivered]] = {}
        self.whole: dict[str, ListFile] = {}

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
        out = self.ever_suppressed.get(audience, frozenset())
        self.ever_suppressed[audience] = out | self.world.kept_out(audience)

    # ---- what exports do

    @rule(made=st.lists(deliveries, min_size=1, max_size=3))
    def lists_are_delivered(self, made: list[Step]) -> None:
        self._do(made)

    @rule(made=st.lists(deliveries, min_size=1, max_size=2), others=st.lists(edits, max_size=1))
    def lists_are_delivered_and_applied(self, made: list[Step], others: list[Step]) -> None:
        self._do(made)
        self._do(others)
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

    def declare_no_more(self, number: int) -> None:
        self.world.lists.get(self._declared(number).audience, {}).pop(LEGAL, None)

    def allow(self, share: float) -> None:
        """A definition that somebody has reviewed."""
        self.world.list_shrink = share

    # ---- what they may lead to

    def _delivered(self, audience: str) -> Delivered | None:
        """None for lists that can't be used."""
        files = self.world.lists_of(audience)
        limit = self.world.guards.max_invalid
        for one in files.values():
            if one.unreadable or not one.members or one.invalid > limit * (one.invalid + len(one.members)):
                return None
        return {name: one.members for name, one in files.items()}

    def _is_within(self, before: Delivered, now: Delivered) -> bool:
        named = frozenset[str]().union(*now.values())
        return all(
            len(before[name] - named) <= self.world.list_shrink * len(before[name]) + 1e-6
            for name in before.keys() & now.keys()
        )

    def _run(self, only: Container[Address] | None = None) -> None:
        with suppress(ConfigurationError):
            super()._run(only)

    def _planned(self, plan: Plan) -> None:
        super()._planned(plan)
        for address in self.world.wishes:
            self._is_tried(address)

    def _is_tried(self, address: Address) -> None:
        """What may be the list last applied, once this one has been tried: a crash may come at any time."""
        if address not in self.world.store.saved_resources:
            self.possible[address] = [{}]
        known, now = self.possible[address], self._delivered(address.audience)
        if now is not None and any(self._is_within(before, now) for before in known):
            known.append(now)

    def _seen(self, write: Write) -> None:
        super()._seen(write)
        if write.operation == "add" and not write.late:
            for resource in self._resources():
                if write.segment.id in {
                    one.segment_id for one in (resource.current, resource.replacement) if one
                }:
                    self._is_sent_under_its_lists(resource.address)

    def _is_sent_under_its_lists(self, address: Address) -> None:
        now = self._delivered(address.audience)
        assert now is not None, "somebody is sent under a list that can't be used"
        known = self.possible[address]
        assert any(self._is_within(before, now) for before in known), "somebody is sent whom the list named"
        self.possible[address] = [now]

    def _reported(self, report: Report) -> None:
        super()._reported(report)
        for address, outcome in report.outcomes.items():
            now = self._delivered(address.audience) if address in self.world.wishes else None
            if outcome == ChangeOutcome.APPLIED and now is not None:
                self.possible[address] = [now]

    # ---- the way out

    def _clean_run(self, counted: Container[Address] = ()) -> None:
        for address in self.world.wishes:
            audience = address.audience
            if self._delivered(audience) is None:
                whole = self.whole.get(audience, ListFile(frozenset({KEEPER})))
                self.world.lists[audience][OPT_OUTS] = whole
                self._keep_somebody(audience)
        super()._clean_run(counted)

    def _follow(self, finding: Finding, attempt: int) -> None:
        if "exclusion list" in finding.problem:
            assert re.search(r"maxShrink", finding.remedy), finding
            self.world.list_shrink = 1.0
        else:
            super()._follow(finding, attempt)


def a_crash_between_sending_and_completion_loses_no_list() -> None:
    """Somebody is on the list that the first batches are sent under, and not on those before and after."""
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
