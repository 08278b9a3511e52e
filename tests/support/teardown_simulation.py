"""Histories of applies and teardowns that end well or badly, in any order."""

from collections.abc import Container

import hypothesis.strategies as st
from hypothesis.stateful import rule
from support.fakes.criteo import Write
from support.in_memory_environment import CrashAt
from support.simulation import (
    ADDRESSES,
    FAULTS,
    PEOPLE,
    Simulation,
    Step,
    Trouble,
    edits,
    some_edits,
    striking,
)

from reconciler.apply import Report
from reconciler.core.model import Address
from reconciler.core.plan.observed import TeardownEnd
from reconciler.core.state.resource import ResourceState

ends = st.sampled_from(TeardownEnd)
troubles = st.lists(
    st.tuples(
        st.sampled_from(["delete", "remove", "remove"]), st.sampled_from([0, 0, 1]), st.sampled_from(FAULTS)
    ),
    min_size=1,
    max_size=3,
)


class TearsDown(Simulation):
    """Applies and teardowns that end well or badly, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.end: TeardownEnd | None = None
        self.torn_down = self.out_of_sight = False

    run_beside_another = run_beside_a_stranger = None

    @rule(end=ends, number=st.integers(1, 16), after=st.booleans())
    def tear_down_and_crash(self, end: TeardownEnd, number: int, after: bool) -> None:
        crash = CrashAt(number, after)
        self.world.store.before_write, self.world.store.after_write = crash.before_write, crash.after_write
        self.world.criteo.fault = self._noted(crash.fault)
        self._tear_down(end)

    @rule(end=ends, troubles=troubles, then=st.lists(edits, max_size=1))
    def tear_down_in_trouble(self, end: TeardownEnd, troubles: list[Trouble], then: list[Step]) -> None:
        self.world.criteo.fault = self._noted(striking(troubles))
        self._tear_down(end)
        self._do(then)

    @rule(end=ends, patience=st.integers(0, 20))
    def tear_down_and_stop(self, end: TeardownEnd, patience: int) -> None:
        self.world.clock.patience = patience
        self._tear_down(end)

    @rule(end=ends, made=some_edits)
    def tear_down_in_peace(self, end: TeardownEnd, made: list[Step]) -> None:
        """Whatever happened before, no address has a member afterwards."""
        self.world.criteo.hidden.clear()
        for attempt in range(5):
            plan = self.world.teardown_plan(end)
            for finding in (*plan.problems, *(one.finding for one in plan.blocked)):
                self._make_way(finding.remedy, finding, attempt)
            if not plan.problems:
                report = self._tear_down(end)
                assert report
                assert not report.errors
            if not (plan.problems or plan.blocked):
                break
        else:
            raise AssertionError(f"the ways out lead nowhere: {plan.problems} {plan.blocked}")
        assert not self.world.teardown_plan(end).changes, "something is left to tear down"
        for resource in self._resources():
            assert end is TeardownEnd.FORGET, "a deleted address is still known"
            self._is_empty(resource)
        self._late_calls_land()
        for resource in self._resources():
            self._is_empty(resource)
        self._do(made)

    def teardown(self) -> None:
        """A late deletion fails the run that waits to fill the segment, and the next one makes another."""
        self.world.criteo.hidden.clear()
        self._late_calls_land()
        super().teardown()

    def _no_segment_is_nobodys(self) -> None:
        """An emptied segment that is out of sight when its address is filled again may have been deleted."""
        strays = self._unknown_segments()
        assert strays == [] or (self.torn_down and self.out_of_sight)
        assert all(segment.members == set() for segment in strays), "an unknown segment has members"

    def _finds_what_looks_lost(self) -> None:
        """A teardown while a segment is out of sight forgets it; its tag is removed by hand, as advised."""
        super()._finds_what_looks_lost()
        for segment in self._unknown_segments():
            assert self.torn_down
            assert self.out_of_sight
            self.world.criteo.describe(segment.id, "")

    def access_is_lost(self, account: str) -> None:
        super().access_is_lost(account)
        self.out_of_sight = True

    def _make_way(self, remedy: str, finding: object, attempt: int) -> None:
        if "which writes the tag again" in remedy:
            for one in self._ours():
                self._put_back_tag(one)
        else:
            self._follow(finding, attempt)  # type: ignore[arg-type]

    def _put_back_tag(self, segment_id: str) -> None:
        for resource in self._resources():
            if segment_id in {one.segment_id for one in resource.segments}:
                self.world.criteo.describe(segment_id, self._ours_tagged(resource.address))

    def _ours_tagged(self, address: Address) -> str:
        return self._tagged(address, "copied, ours")

    def _is_empty(self, resource: ResourceState) -> None:
        assert resource.forgotten_at
        for holding in resource.segments:
            segment = self.world.criteo.segment(holding.segment_id)
            assert segment is None or segment.members == set(), "a member stays after a teardown"

    def _tear_down(self, end: TeardownEnd) -> Report | None:
        """From now on, a segment may be seen empty by a removal that is sent again."""
        self.end, self.torn_down = end, True
        self.ever_suppressed |= {at.audience: frozenset(PEOPLE) for at in ADDRESSES}
        try:
            return self._run()
        finally:
            self.end = None

    def _started(self, only: Container[Address]) -> Report:
        if self.end is None:
            return super()._started(only)
        return self.world.tear_down(self.end)

    # ---- what is otherwise than where nothing is torn down

    def _meant(self, write: Write) -> None:
        if self.end is None:
            super()._meant(write)
            return
        assert write.operation in {"remove", "delete"}, "a teardown adds something"
        if write.operation == "delete":
            assert write.segment.members == set(), "a segment is deleted before it is empty"
