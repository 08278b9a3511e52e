"""Histories of one environment: manifest edits, Criteo failures, crashes, outside changes.

A rule never draws on the way, so that a history that once failed can be written down as plain calls.
"""

import re
from collections.abc import Callable, Container, Iterable
from itertools import count
from typing import TypeVar

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.fakes.crash import Crash
from support.fakes.criteo import WRITES, FakeSegment, Write
from support.in_memory_environment import (
    EVERYTHING,
    CrashAt,
    DesiredSegment,
    InMemoryEnvironment,
    Kind,
    replace,
)

from reconciler.apply import Report
from reconciler.core.errors import CancelledError, Finding, LockedError, RefusedError
from reconciler.core.model import Address, Hashing, IdentifierType
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Ending, Refill, SegmentChange, address_of
from reconciler.core.plan.model import Plan
from reconciler.core.plan.steps import CreateSegment
from reconciler.core.remote import NewSegment
from reconciler.core.state.ownership_tag import tag, with_tag
from reconciler.core.state.resource import (
    InFlightBatch,
    ResourceState,
    RetiredSlot,
    SegmentState,
    grace_ends_at,
)

ADDRESSES = [Address(d, a) for d in ("offsite", "onsite") for a in ("lapsed", "loyal")]
ACCOUNTS = ["1001", "1002"]
RETAILERS = ["7", "8"]
TITLES = ["Lapsed", "lapsed ", "Gold", "Gold (new)", "Silver", "Silver (retired 2026-11-24)"]
HANDS = ["By hand", "Gold", "Silver (new)"]
KINDS = [
    (IdentifierType.EMAIL, Hashing.SHA256),
    (IdentifierType.EMAIL, Hashing.MD5),
    (IdentifierType.CUSTOMER_ID, Hashing.NONE),
]
PEOPLE = [f"p{number}" for number in range(5)]
FAULTS = [
    "lost-before", "lost-after", "rejected", "partial", "crash-before", "crash-after",
    "late", "late", "uncertain", "uncertain", "crash-late", "crash-late",
]  # fmt: skip
UNANSWERED = frozenset(FAULTS) - {"rejected", "uncertain"}
SENT = sorted(WRITES - {"delete"})
"""What an apply writes; only a teardown deletes."""
CAREFUL = 0.1
RENEWED = frozenset({"sources", "upload sources.json"})
"""The one write of an empty plan, in memory and in a bucket: the advisory records of readings."""
UNTIL_COUNTED = 90_000
"""Seconds in which a computation sees all that was sent before."""
NATURES = [
    "like ours", "with members", "foreign retailer", "foreign type", "another environment's",
    "another state's", "copied, foreign retailer", "copied, foreign type",
]  # fmt: skip
"""A stranger's segment may be like ours in all regards but its ownership tag, or have a copy of that."""
CLAIMS = ["", "another environment's", "another state's"]
"""What hands may leave of the ownership tag of one of our segments."""


which = st.integers(0, 3)
crowds = st.frozensets(st.sampled_from(PEOPLE), min_size=1)
few = st.frozensets(st.sampled_from(PEOPLE), max_size=2)
Step = tuple[object, ...]
"""The name of a method and what it is given."""
Done = TypeVar("Done")


def steps(what: str, *given: st.SearchStrategy[object]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(what), *given)


declarations = steps("declare", st.sampled_from(ADDRESSES), crowds)
edits = st.one_of(
    steps("change_source", which, crowds),
    steps("change_source", which, crowds),
    steps("suppress", which, few),
    steps("retitle", which, st.sampled_from(TITLES), st.sampled_from(["", "new"])),
    steps("swap_titles", which, which),
    steps("rekey", which, st.sampled_from(KINDS), st.sampled_from(ACCOUNTS), st.sampled_from(RETAILERS)),
    steps("remove_from_manifests", which),
    steps("break_source", which),
    steps("repair_source", which),
    declarations,
    steps("change_batch_size", st.integers(1, 4)),
    steps("change_batch_size", st.integers(1, 4)),
)
some_edits = st.one_of(st.lists(edits, min_size=1, max_size=2), st.lists(edits, max_size=2))
hands = st.one_of(
    steps("rename_by_hand", which, st.sampled_from(HANDS)),
    steps("delete_by_hand", which),
    steps("clear_by_hand", which),
    steps("lose_from_listings", which),
    steps("describe_by_hand", which, st.sampled_from(CLAIMS)),
)
names = st.tuples(which, st.sampled_from(["", "", " (new)"]))
"""What some address is called, or what its replacement would be."""
strangers = st.one_of(
    steps("make_a_segment", names, st.sampled_from(NATURES)), steps("rename_theirs", which, names)
)
seconds = st.sampled_from([0, 0, 0, 30, 650])
others = st.one_of(
    hands,
    hands,
    strangers,
    strangers,
    steps("time_passes", st.sampled_from([1, 61, 700, UNTIL_COUNTED])),
    steps("access_is_lost", st.sampled_from([*ACCOUNTS, ""])),
    steps("accept_batches_of", st.integers(1, 3)),
)
Trouble = tuple[str, int, str]
"""Which kind of write, how many of them go well before, and what happens then."""

troubles = st.lists(
    st.tuples(st.sampled_from(["create", *SENT]), st.sampled_from([0, 0, 1, 2]), st.sampled_from(FAULTS)),
    min_size=1,
    max_size=4,
)


def one_person(identifier: str) -> str:
    """Criteo, if it takes all forms of an e-mail for one member."""
    kind, _, person = identifier.split(":")
    return f"{kind}:{person}" if kind == IdentifierType.EMAIL else identifier


def flights(resources: Iterable[ResourceState]) -> dict[str, tuple[InFlightBatch, int]]:
    moving = [(holding.segment_id, holding.transfer) for one in resources for holding in one.segments]
    return {
        segment_id: (one.in_flight, one.in_flight.end - one.acknowledged)
        for segment_id, one in moving
        if one and one.in_flight
    }


def striking(troubles: list[Trouble]) -> Callable[[str], str | None]:
    """Return what makes each trouble happen once."""
    pending = list(troubles)

    def fault(operation: str) -> str | None:
        for at, (kind, calm, what) in enumerate(pending):
            if kind == operation:
                pending[at : at + 1] = [(kind, calm - 1, what)] if calm else []
                return None if calm else what
        return None

    return fault


class Simulation(RuleBasedStateMachine):
    """After each step nothing is forgotten or touched that should not be; at the end all is as desired."""

    def __init__(self) -> None:
        super().__init__()
        self.declared = 0
        self.world = self.made()
        self.world.guards = replace(self.world.guards, max_missing=CAREFUL, min_members=0)
        self.world.criteo.watch = self._seen
        self.world.on_plan = self._planned
        self.world.emit = self._emitted
        self.foreign: dict[str, tuple[str, frozenset[str]]] = {}
        self.claimed: set[str] = set()
        self.left: set[str] = set()
        self.in_doubt: dict[str, int] = {}
        self.last_sent = ("", 0)
        self.ever_suppressed: dict[str, frozenset[str]] = {}
        self.opted_out: frozenset[str] = frozenset()
        self.all_answered = True
        self.counted: Container[Address] = ()
        self.blocked: set[Address] = set()
        self._stranger("Someone else's", "1001", "with members")

    def made(self) -> InMemoryEnvironment:
        return InMemoryEnvironment()

    @initialize(
        first=st.lists(declarations, min_size=1, max_size=3),
        size=st.integers(1, 3),
        merges=st.booleans(),
        invalid=st.sampled_from(["nobody", "p0"]),
        run=st.booleans(),
    )
    def begin(self, first: list[Step], size: int, merges: bool, invalid: str, run: bool) -> None:
        """`merges`: Criteo takes all forms of an e-mail for one member."""
        if merges:
            self.world.criteo.member = one_person
        self.world.criteo.accepts = lambda identifier: not identifier.endswith(invalid)
        self.world.batch_size = size
        self._do(first)
        if run:
            self.run_in_peace([])

    def _do(self, made: list[Step]) -> None:
        for name, *given in made:
            if name == "declare" or self.world.wishes:
                getattr(self, str(name))(*given)

    # ---- what people do

    def declare(self, address: Address, people: frozenset[str]) -> None:
        if address not in self.world.wishes:
            self.declared += 1
            taken = {wish.title for wish in self.world.wishes.values()}
            title = next((one for one in TITLES[1:] if one not in taken), f"{address} {self.declared}")
            self.world.wishes[address] = DesiredSegment(title)
        self.world.people.setdefault(address.audience, people)
        self._keep_somebody(address.audience)

    def change_source(self, number: int, people: frozenset[str]) -> None:
        audience = self._declared(number).audience
        self.world.people[audience] = people
        self._keep_somebody(audience)

    def suppress(self, number: int, people: frozenset[str]) -> None:
        audience = self._declared(number).audience
        self.world.suppressed[audience] = people
        self._keep_somebody(audience)

    def _keep_somebody(self, audience: str) -> None:
        """An empty audience is never sent, and one that Criteo refuses wholly is; both are other tests'."""
        out = self.world.kept_out(audience)
        self.ever_suppressed[audience] = self.ever_suppressed.get(audience, frozenset()) | out
        sound = [one for one in PEOPLE if one not in out and self.world.criteo.accepts(one)]
        if not self.world.people[audience].intersection(sound):
            self.world.people[audience] |= {sound[0]}

    def retitle(self, number: int, title: str, description: str) -> None:
        address = self._declared(number)
        taken = {other.title.strip().casefold() for at, other in self.world.wishes.items() if at != address}
        if title.strip().casefold() not in taken:
            self._wish(address, title=title, description=description)

    def swap_titles(self, one: int, two: int) -> None:
        first, second = self._declared(one), self._declared(two)
        titles = self.world.wishes[first].title, self.world.wishes[second].title
        self._wish(first, title=titles[1])
        self._wish(second, title=titles[0])

    def rekey(self, number: int, kind: Kind, account: str, retailer: str) -> None:
        self._wish(self._declared(number), kind=kind, account_id=account, retailer_id=retailer)

    def remove_from_manifests(self, number: int) -> None:
        if len(self.world.wishes) > 1:
            del self.world.wishes[self._declared(number)]

    def break_source(self, number: int) -> None:
        """From now on its rows can't be read; its exclusion lists can."""
        self.world.broken.add(self._declared(number).audience)

    def repair_source(self, number: int) -> None:
        self.world.broken.discard(self._declared(number).audience)

    def change_batch_size(self, size: int) -> None:
        self.world.batch_size = size

    def _declared(self, number: int) -> Address:
        return sorted(self.world.wishes)[number % len(self.world.wishes)]

    def _wish(self, address: Address, **changes: object) -> None:
        self.world.wishes[address] = DesiredSegment(**(vars(self.world.wishes[address]) | changes))

    # ---- what Criteo is like, and what hands do there, more slowly than a late call lands

    @rule(made=st.lists(edits, min_size=1, max_size=3))
    def edit(self, made: list[Step]) -> None:
        self._do(made)

    @rule(done=others)
    def something_happens(self, done: Step) -> None:
        name, *given = done
        getattr(self, str(name))(*given)

    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    def accept_batches_of(self, most: int) -> None:
        """From now on, Criteo refuses larger batches."""
        self.world.criteo.most_identifiers = most

    def access_is_lost(self, account: str) -> None:
        """Listings are empty, without an error. "": all access is restored.

        Only if a segment is managed and no create is unconfirmed: the segment of an unconfirmed create in an
        account that lists nothing can't be distinguished from none (docs/adr/0006).
        """
        holdings = [
            one for resource in self._resources() for one in (resource.current, resource.replacement) if one
        ]
        managed = any(one.key.account_id == account and one.segment_id for one in holdings)
        if not account or (managed and not any(one.intent for one in holdings)):
            self.world.criteo.hidden = {account}

    def rename_by_hand(self, number: int, name: str) -> None:
        segment = self._one_of_ours(number)
        if segment and not self.world.criteo.named(segment.account_id, name):
            self.world.criteo.rename(segment.id, name)

    def delete_by_hand(self, number: int) -> None:
        if segment := self._one_of_ours(number):
            self.world.criteo.delete(segment.id)

    def clear_by_hand(self, number: int) -> None:
        if segment := self._one_of_ours(number):
            self.world.criteo.clear(segment.id)

    def lose_from_listings(self, number: int) -> None:
        """From now on; asked for by its id, it is there."""
        if segment := self._one_of_ours(number):
            self.world.criteo.unlisted.add(segment.id)

    def describe_by_hand(self, number: int, claim: str) -> None:
        """A missing tag is drift; with a foreign tag, nothing is written until the tag is removed."""
        if segment := self._one_of_ours(number):
            segment.description = self._tagged(ADDRESSES[0], claim)
            self.claimed -= {segment.id}
            self.claimed |= {segment.id} if claim else set()

    def make_a_segment(self, called: tuple[int, str], nature: str) -> None:
        self._late_calls_land()
        self._make_theirs(called, nature)

    def _make_theirs(self, called: tuple[int, str], nature: str) -> None:
        address = self._declared(called[0])
        wish = self.world.wishes[address]
        name = wish.title + called[1]
        if not self.world.criteo.named(wish.account_id, name):
            self._stranger(name, wish.account_id, nature, self._tagged(address, nature))

    def _tagged(self, address: Address, nature: str) -> str:
        """Return a description with an ownership tag, of another environment or copied."""
        head = self.world.store.reader().head()
        lineage = head.lineage if head else ""
        if nature == "another environment's":
            return with_tag("theirs", tag("another", address, lineage or "ffff"))
        if nature == "another state's":
            return with_tag("theirs", tag("test", address, "ffff"))
        copied = lineage and nature.startswith("copied")
        return with_tag("theirs", tag("test", address, lineage)) if copied else "theirs"

    def rename_theirs(self, number: int, called: tuple[int, str]) -> None:
        """It is older than whatever we create from now on."""
        self._late_calls_land()
        segment = self.world.criteo.segment(sorted(self.foreign)[number % len(self.foreign)])
        name = self.world.wishes[self._declared(called[0])].title + called[1]
        if segment and not self.world.criteo.named(segment.account_id, name):
            self.world.criteo.rename(segment.id, name)
            self.foreign[segment.id] = (name, frozenset(segment.members))

    def _stranger(self, name: str, account: str, nature: str, description: str = "theirs") -> None:
        kind = IdentifierType.PHONE_NUMBER if "foreign type" in nature else IdentifierType.EMAIL
        retailer = "9" if "foreign retailer" in nature else "7"
        members = ("theirs@example.com",) if nature == "with members" else ()
        made = self.world.criteo.add(account, NewSegment(name, description, retailer, kind), members)
        self.foreign[made.id] = (name, frozenset(members))

    def _late_calls_land(self) -> None:
        """A late create may take a freed name: no program can prevent that unknown segment."""
        self.world.clock.advance(self.world.criteo.late_seconds + 1)
        self.world.criteo.land()

    def _resources(self) -> list[ResourceState]:
        return [self.world.store.saved_resources[at] for at in sorted(self.world.store.saved_resources)]

    def _ours(self) -> list[str]:
        ids = (holding.segment_id for resource in self._resources() for holding in resource.segments)
        return [one for one in ids if self.world.criteo.segment(one)]

    def _one_of_ours(self, number: int) -> FakeSegment | None:
        self._late_calls_land()
        ours = self._ours()
        return self.world.criteo.segment(ours[number % len(ours)]) if ours else None

    # ---- runs, and what goes wrong in them

    @rule(made=some_edits, number=st.integers(1, 20), after=st.booleans(), statistics=st.booleans())
    def run_and_crash(self, made: list[Step], number: int, after: bool, statistics: bool = False) -> None:
        self._do(made)
        self.counted = EVERYTHING if statistics else ()
        crash = CrashAt(number, after)
        self.world.store.before_write, self.world.store.after_write = crash.before_write, crash.after_write
        self.world.criteo.fault = self._noted(crash.fault)
        self._run()

    @rule(
        made=some_edits,
        troubles=troubles,
        delay=seconds,
        answers_in=seconds,
        then=st.lists(st.one_of(strangers, edits, others), max_size=1),
    )
    def run_in_trouble(
        self, made: list[Step], troubles: list[Trouble], then: list[Step], delay: int = 0, answers_in: int = 0
    ) -> None:
        """`then`: what happens before the run notices."""
        self._do(made)
        self.world.criteo.delay, self.world.criteo.answers_in = delay, answers_in
        self.world.criteo.fault = self._noted(striking(troubles))
        self._run()
        self._do(then)

    @rule(
        made=some_edits,
        called=names,
        nature=st.sampled_from(NATURES),
        answer=st.sampled_from([None, None, "lost-before", "late", "crash-before"]),
    )
    def run_beside_a_stranger(
        self, made: list[Step], called: tuple[int, str], nature: str, answer: str | None = None
    ) -> None:
        """Create a foreign segment under one of our names while it is being assigned."""
        self._do(made)
        waiting = [answer]

        def fault(operation: str) -> str | None:
            if operation not in {"create", "update"} or not waiting:
                return None
            self._make_theirs(called, nature)
            return waiting.pop()

        self.world.criteo.fault = self._noted(fault)
        self._run()

    @rule(made=some_edits, patience=st.integers(0, 20))
    def run_and_stop(self, made: list[Step], patience: int) -> None:
        self._do(made)
        self.world.clock.patience = patience
        self._run()

    @rule(made=some_edits, only=st.sampled_from([None, None, 0, 1]), statistics=st.booleans())
    def run_in_peace(self, made: list[Step], only: int | None = None, statistics: bool = False) -> None:
        """`statistics`: Criteo is asked to count members."""
        self._do(made)
        self.counted = EVERYTHING if statistics else ()
        quiet = self._quiet_segments()
        report = self._run(None if only is None else {self._declared(only)})
        if only is None and report and not report.errors:
            plan = self.world.plan()
            for one in plan.blocked:
                assert one.cause is not Cause.SOURCE or self._cannot_be_read(one.address), "no cause to block"
            waiting = {address_of(change) for change in plan.changes}
            if plan.problems:
                lost = not self._resources()  # a state that knows of nothing, beside a segment with its tag
                assert lost or self.world.criteo.hidden or self._missing(), "all wait, and nothing is missing"
            else:
                assert waiting <= self.blocked, "a healthy address waits for a blocked one"
            self._suppressed_have_left(quiet)

    def _missing(self) -> list[str]:
        """Return the segments in the state that were deleted at Criteo."""
        known = (one for resource in self._resources() for one in resource.segments)
        return [one.segment_id for one in known if not self.world.criteo.segment(one.segment_id)]

    def _cannot_be_read(self, address: Address) -> bool:
        return address.audience in self.world.broken

    def _quiet_segments(self) -> set[str]:
        """Those with no unconfirmed request."""
        now, quiet = self.world.clock.now(), self.world.quiet
        holdings = (one.current for one in self._resources() if one.current.segment_id not in self.claimed)
        until = {one.segment_id: grace_ends_at(one, quiet) for one in holdings}
        return {at for at, moment in until.items() if moment is None or moment <= now}

    def _suppressed_have_left(self, quiet: Container[str]) -> None:
        """Also from segments of addresses with an unreadable source."""
        for resource in self._resources():
            segment = self.world.criteo.segment(resource.current.segment_id)
            address = self._called(resource.address)
            if self._must_lose_suppressed(address) and segment and segment.id in quiet:
                kind = (resource.current.key.identifier_type, resource.current.key.hashing)
                out = self.world.wire(self.world.kept_out(address.audience), kind)
                held = segment.members - self._strays(segment)
                assert not held & self.world.criteo.set_of(out), "suppressed people stay in a segment"

    def _must_lose_suppressed(self, address: Address) -> bool:
        return address in self.world.wishes

    @rule(made=some_edits, number=st.integers(1, 10))
    def run_beside_another(self, made: list[Step], number: int) -> None:
        """The other one starts at some write of the first, and is refused."""
        self._do(made)
        writes = count(1)

        def another(_step: str) -> None:
            if next(writes) == number:
                with pytest.raises(LockedError):
                    self.world.run()

        self.world.store.before_write = another
        self._run()

    def _noted(self, fault: Callable[[str], str | None]) -> Callable[[str], str | None]:
        """Count the members that an unconfirmed request makes uncertain."""

        def noted(operation: str) -> str | None:
            what = fault(operation)
            called, segment_id, people = self.world.criteo.calls[-1]
            self.all_answered = self.all_answered and what in {None, "rejected"}
            if called in {"add", "remove"}:
                self.last_sent = (segment_id, people)
                if what in UNANSWERED - {"crash-before", "crash-after", "crash-late"}:
                    self._doubt(*self.last_sent)
            return what

        return noted

    def _doubt(self, segment_id: str, count: int) -> None:
        self.in_doubt[segment_id] = self.in_doubt.get(segment_id, 0) + count

    def _flights(self) -> dict[str, tuple[InFlightBatch, int]]:
        """What is written down as under way, by segment, and how many people that is."""
        return flights(self._resources())

    def _doubt_what_was_under_way(self, before: dict[str, tuple[InFlightBatch, int]]) -> None:
        """At a crash: the batch that was announced last, or sent last, of each segment."""
        sent_to, sent = self.last_sent
        for segment_id, (flight, people) in self._flights().items():
            announced = people if before.get(segment_id, (None, 0))[0] != flight else 0
            self._doubt(segment_id, max(announced, sent if segment_id == sent_to else 0))

    def _run(self, only: Container[Address] | None = None) -> Report | None:
        """None where the run was refused, stopped or killed."""

        def run() -> Report:
            report = self._started(EVERYTHING if only is None else only)
            self._reported(report)
            return report

        return self._attempted(run)

    def _attempted(self, act: Callable[[], Done]) -> Done | None:
        """None where it was refused, stopped or killed."""
        before, self.last_sent = self._flights(), ("", 0)
        try:
            return act()
        except Crash:
            self.all_answered = False
            self._doubt_what_was_under_way(before)
            self.world.die()
        except RefusedError as error:
            self._unspoken(error)
        except CancelledError:
            pass
        finally:
            self.counted = ()
            self.world.clock.patience = float("inf")
            self.world.criteo.delay = self.world.criteo.answers_in = 0
            self.world.criteo.fault = lambda _operation: None
            self.world.store.before_write = self.world.store.after_write = lambda _step: None
        return None

    def _started(self, only: Container[Address]) -> Report:
        return self.world.run(only, self.counted)

    def _reported(self, report: Report) -> None:
        self._unspoken(report)

    # ---- what must hold at every moment

    def _seen(self, write: Write) -> None:
        """Every write as it takes effect at Criteo."""
        segment = write.segment
        assert segment.id not in self.foreign, "a segment that is not ours was written to"
        assert segment.id not in self.claimed, "a segment with a foreign ownership tag was written to"
        if write.operation == "remove" and write.values and not segment.members | segment.wiped:
            assert self._may_be_emptied(write), "a segment that was filled is seen empty"
        if not write.late:
            self._meant(write)

    def _may_be_emptied(self, write: Write) -> bool:
        return write.values <= self._suppressed_ever()

    def _called(self, address: Address) -> Address:
        """Return what an address of the state is called in the manifests."""
        return address

    def _suppressed_ever(self) -> set[str]:
        return self._wired(self.opted_out.union(*self.ever_suppressed.values()))

    def _named_once_filled(self, address: Address, holding: SegmentState, name: str) -> None:
        taking_over = name == self.world.wishes[address].title
        filled = holding.transfer is None and holding.completed_size is not None
        assert filled or not taking_over, "a replacement takes the name before it is filled"

    def _meant(self, write: Write) -> None:
        """Only segments of addresses in the manifests are written to, suppressed people leaving first.

        Forgotten and retired segments lose members of the suppression list.
        """
        for resource in self._resources():
            address = self._called(resource.address)
            for slot, holding in resource.slots:
                if holding.segment_id == write.segment.id:
                    if isinstance(slot, RetiredSlot) or address not in self.world.wishes:
                        self._only_opt_outs_leave(write)
                        return
                    if address.audience in self.world.broken:
                        self._nobody_but_suppressed(write)
                    if write.operation == "add":
                        self._nobody_suppressed(address, holding, write.segment)
                    if write.operation == "update" and holding is resource.replacement:
                        self._named_once_filled(address, holding, write.segment.name)
                    return
        raise AssertionError("a segment was written to that no address knows")

    def _only_opt_outs_leave(self, write: Write) -> None:
        assert write.operation == "remove", "a forgotten or retired segment was written to"
        assert write.values <= self._wired(self.opted_out), "somebody left a forgotten segment who need not"

    def _wired(self, people: frozenset[str]) -> set[str]:
        """Return people in every form that Criteo may hold them in."""
        return {one for kind in KINDS for one in self.world.criteo.set_of(self.world.wire(people, kind))}

    def _nobody_but_suppressed(self, write: Write) -> None:
        """Check that nothing else is done at an address with an unreadable source."""
        assert write.operation == "remove", "a blocked address was changed"
        assert write.values <= self._suppressed_ever(), "somebody left a blocked address who need not"

    def _nobody_suppressed(self, address: Address, holding: SegmentState, segment: FakeSegment) -> None:
        out = self.world.kept_out(address.audience)
        kind = (holding.key.identifier_type, holding.key.hashing)
        known = segment.members - self._strays(segment)
        assert not known & self.world.criteo.set_of(self.world.wire(out, kind)), "not out first"

    def _planned(self, plan: Plan) -> None:
        """Check that a run resends only uncertain members: one batch for each crash or lost response."""
        self._unspoken(plan)
        self.blocked = {one.address for one in plan.blocked}
        for change in plan.changes if not plan.problems else ():
            if not isinstance(change, Ending) and change.steps.transfer:
                self._sends_what_is_needed(change)

    def _sends_what_is_needed(self, change: SegmentChange) -> None:
        resource = self.world.store.saved_resources.get(change.spec.address)
        steps = change.steps
        assert steps.transfer
        slot = steps.transfer.slot
        holding = (resource.current if slot == "current" else resource.replacement) if resource else None
        if holding is None or any(isinstance(step, CreateSegment) for step in steps.setup):
            return
        segment = self.world.criteo.segment(holding.segment_id)
        if segment is None:
            return
        if isinstance(change, Refill):
            self._doubt(segment.id, holding.confirmed.count)
            return
        doubted = holding.transfer is not None or holding.uncertain
        allowed = self.in_doubt.get(segment.id, 0) if doubted else 0
        needed = self._accepted(self.world.engine.members(steps.transfer.target)) ^ segment.members
        most = len(needed) + allowed + self._unreported(segment, change)
        assert change.members.delta.total <= most, "more is sent than is in doubt"

    def _unreported(self, segment: FakeSegment, change: SegmentChange) -> int:
        """Members that hands took out, and those that Criteo refuses: asked once, both ways."""
        transfer = change.steps.transfer
        assert transfer
        known = [transfer.target, transfer.comparison.confirmed, transfer.comparison.uncertain]
        people = frozenset[str]().union(*(self.world.engine.members(one) for one in known))
        return len(segment.wiped) + len(people) - len(self.world.criteo.set_of(people))

    def _accepted(self, people: frozenset[str]) -> set[str]:
        return self.world.criteo.set_of(people)

    def _emitted(self, event: object) -> None:
        self._unspoken(event)

    def _unspoken(self, what: object) -> None:
        """No identifier is in anything that could be printed."""
        assert not re.search(r"(Email|CustomerId):\w+:", repr(what)), "an identifier could be printed"

    @invariant()
    def nothing_foreign_was_touched(self) -> None:
        for segment_id, (name, members) in self.foreign.items():
            segment = self.world.criteo.segment(segment_id)
            assert segment
            assert (segment.name, segment.members) == (name, members)

    @invariant()
    def we_know_what_is_held(self) -> None:
        """Check that `base` is in the segment, and no member outside of `base` and `maybe`."""
        for resource in self._resources():
            for holding in resource.segments:
                segment = self.world.criteo.segment(holding.segment_id)
                assert not (holding.intent and self.all_answered), "a refused create is held for unanswered"
                if segment is not None:
                    base, maybe = map(self.world.engine.members, self.world.engine.abandon_transfer(holding))
                    assert self._accepted(base) - segment.wiped <= segment.members, "base is not held"
                    known = self._accepted(base | maybe) | self._strays(segment)
                    assert segment.members <= known, "someone is there unknown"

    def _strays(self, _segment: FakeSegment) -> frozenset[str]:
        """Return members that no state can know any more."""
        return frozenset()

    # ---- what must hold at the end

    def teardown(self) -> None:
        world = self.world
        world.criteo.hidden.clear()
        self._clean_run()
        self._late_calls_land()
        for address in world.wishes:
            self._is_called_as_wanted(address)
        world.clock.advance(UNTIL_COUNTED)
        self._clean_run(EVERYTHING)
        world.clock.advance(UNTIL_COUNTED)
        for address, wish in world.wishes.items():
            segment = world.criteo.segment(world.store.saved_resources[address].current.segment_id)
            assert segment is not None
            self._holds_who_is_wanted(segment, address)
            self._is_called_as_wanted(address)
            assert (segment.account_id, segment.retailer_id) == (wish.account_id, wish.retailer_id)
        self._no_segment_is_nobodys()
        self._nothing_is_left_to_do()
        self._an_empty_plan_writes_nothing()

    def _is_called_as_wanted(self, address: Address) -> None:
        segment = self.world.criteo.segment(self.world.store.saved_resources[address].current.segment_id)
        assert segment is not None
        wanted = (self.world.wishes[address].title, self.world.described(address))
        assert (segment.name, segment.description) == wanted

    def _holds_who_is_wanted(self, segment: FakeSegment, address: Address) -> None:
        assert segment.members == self._accepted(self.world.members(address))

    def _clean_run(self, counted: Container[Address] = ()) -> None:
        """One clean run. A refusal must name its way out, and that way must lead out."""
        for attempt in range(5):
            plan = self.world.plan(counted)
            for finding in (*plan.problems, *(one.finding for one in plan.blocked)):
                self._follow(finding, attempt)
            if not plan.problems:
                assert not self.world.run(EVERYTHING, counted).errors
            if not (plan.problems or plan.blocked):
                return
        raise AssertionError(f"the ways out lead nowhere: {plan.problems} {plan.blocked}")

    def _finds_what_looks_lost(self) -> None:
        for segment_id in self.foreign:
            self.world.criteo.describe(segment_id, "theirs")

    def _follow(self, finding: Finding, attempt: int) -> None:
        if finding.remedy == "bring the file":
            self.world.broken.clear()
        elif "plan again after" in finding.remedy:
            assert not self.all_answered, "a wait for nothing"
            self.world.clock.advance(self.world.quiet.total_seconds())
        elif limit := re.search(r"maxMissing: (\d+)%", finding.remedy):
            self.world.guards = replace(self.world.guards, max_missing=int(limit[1]) / 100)
        elif "looks lost" in finding.problem:
            assert not self._resources(), "a state that knows of something is not lost"
            self._finds_what_looks_lost()
        elif named := re.search(r"segment (\d+) has the ownership tag", finding.problem):
            self.claimed.discard(named[1])
            self.world.criteo.describe(named[1], "")
        else:
            assert re.search("change the title|another title", finding.remedy), finding
            self._wish(Address.parse(finding.where), title=f"{finding.where} another {attempt}")

    def _no_segment_is_nobodys(self) -> None:
        """Late and repeated creates leave no unknown segment, unless an unconfirmed create is forgotten."""
        assert self._unknown_segments() == []

    def _unknown_segments(self) -> list[FakeSegment]:
        holdings = [holding for resource in self._resources() for holding in resource.segments]
        ours = {holding.segment_id for holding in holdings} | self.foreign.keys() | self.left
        asked = {holding.intent.name for holding in holdings if holding.intent}
        return [
            segment
            for segments in self.world.criteo.accounts.values()
            for segment in segments.values()
            if segment.id not in ours and segment.name not in asked
        ]

    def _nothing_is_left_to_do(self) -> None:
        after = self.world.plan(EVERYTHING)
        assert (after.changes, after.blocked) == ((), ())

    def _an_empty_plan_writes_nothing(self) -> None:
        before, written = list(self.world.criteo.writes), []
        self.world.store.after_write = written.append
        self.world.run()
        assert self.world.criteo.writes == before
        assert set(written) <= RENEWED
