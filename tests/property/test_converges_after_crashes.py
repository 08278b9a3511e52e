"""Whatever happens on the way, one clean run later Criteo holds exactly the desired members."""

import os
from datetime import timedelta

import hypothesis.strategies as st
from fakes.crash import Crash
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from world import CrashAt, Wish, World

from reconciler.core.errors import Finding, RefusedError
from reconciler.core.model import Address, Form, IdentifierType
from reconciler.core.remote import NewSegment

ADDRESSES = [Address(d, a) for d in ("offsite", "onsite") for a in ("lapsed", "loyal")]
TITLES = ["Lapsed", "Loyal", "lapsed ", "Gold", "Silver"]
KINDS = [
    (IdentifierType.EMAIL, Form.SHA256),
    (IdentifierType.EMAIL, Form.MD5),
    (IdentifierType.CUSTOMER_ID, Form.PLAIN),
]
PEOPLE = [f"p{number}" for number in range(8)]
FAULTS = [
    "lost-before", "lost-after", "late", "rejected", "partial", "uncertain",
    "crash-before", "crash-after", "crash-late",
]  # fmt: skip

addresses = st.sampled_from(ADDRESSES)
crowds = st.frozensets(st.sampled_from(PEOPLE), min_size=1)


class Histories(RuleBasedStateMachine):
    """People change manifests and sources, Criteo fails, machines die, hands interfere."""

    def __init__(self) -> None:
        super().__init__()
        self.declared = 0
        self.world = World()
        self.foreign = self.world.criteo.add(
            "1001", NewSegment("Someone else's", "theirs", "7", IdentifierType.EMAIL)
        )
        self.foreign.members.add("theirs")

    # ---- what people do

    @rule(address=addresses, people=crowds)
    def declare(self, address: Address, people: frozenset[str]) -> None:
        if address not in self.world.wishes:
            self.declared += 1
            self.world.wishes[address] = Wish(f"{address} {self.declared}")
        self.world.people.setdefault(address.audience, people | {"stays"})

    @precondition(lambda self: self.world.people)
    @rule(data=st.data(), people=crowds)
    def change_source(self, data: st.DataObject, people: frozenset[str]) -> None:
        self.world.people[data.draw(st.sampled_from(sorted(self.world.people)))] = people | {"stays"}

    @precondition(lambda self: self.world.people)
    @rule(data=st.data(), people=st.frozensets(st.sampled_from(PEOPLE), max_size=2))
    def suppress(self, data: st.DataObject, people: frozenset[str]) -> None:
        audience = data.draw(st.sampled_from(sorted(self.world.people)))
        self.world.suppressed[audience] = people

    @precondition(lambda self: self.world.wishes)
    @rule(data=st.data(), title=st.sampled_from(TITLES), description=st.sampled_from(["", "new"]))
    def retitle(self, data: st.DataObject, title: str, description: str) -> None:
        address = data.draw(st.sampled_from(sorted(self.world.wishes)))
        wish = self.world.wishes[address]
        taken = {other.title.strip().casefold() for at, other in self.world.wishes.items() if at != address}
        if title.strip().casefold() not in taken:
            self._wish(address, title=title, description=description, old=wish)

    @precondition(lambda self: len(self.world.wishes) > 1)
    @rule(data=st.data())
    def swap_titles(self, data: st.DataObject) -> None:
        one, two = data.draw(st.permutations(sorted(self.world.wishes)))[:2]
        wishes = self.world.wishes
        first, second = wishes[one].title, wishes[two].title
        self._wish(one, title=second, old=wishes[one])
        self._wish(two, title=first, old=wishes[two])

    @precondition(lambda self: self.world.wishes)
    @rule(data=st.data(), kind=st.sampled_from(KINDS), account=st.sampled_from(["1001", "1002"]))
    def rekey(self, data: st.DataObject, kind: tuple[IdentifierType, Form], account: str) -> None:
        address = data.draw(st.sampled_from(sorted(self.world.wishes)))
        self._wish(address, kind=kind, account_id=account, old=self.world.wishes[address])

    @precondition(lambda self: self.world.wishes)
    @rule(data=st.data())
    def remove_from_manifests(self, data: st.DataObject) -> None:
        del self.world.wishes[data.draw(st.sampled_from(sorted(self.world.wishes)))]

    @rule(size=st.integers(1, 5))
    def change_batch_size(self, size: int) -> None:
        self.world.batch_size = size

    @rule(seconds=st.sampled_from([1, 61, 700]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    def _wish(self, address: Address, old: Wish, **changes: object) -> None:
        self.world.wishes[address] = Wish(**(vars(old) | changes))

    # ---- what hands do at Criteo, more slowly than a late call lands

    @precondition(lambda self: self._ours())
    @rule(data=st.data(), name=st.sampled_from(["By hand", "By hand 2"]))
    def rename_by_hand(self, data: st.DataObject, name: str) -> None:
        self._late_calls_land()
        segment_id = data.draw(st.sampled_from(self._ours()))
        segment = self.world.criteo.segment(segment_id)
        if segment and not self.world.criteo.named(segment.account_id, name):
            self.world.criteo.rename(segment_id, name)

    @precondition(lambda self: self._ours())
    @rule(data=st.data())
    def delete_by_hand(self, data: st.DataObject) -> None:
        self._late_calls_land()
        self.world.criteo.delete(data.draw(st.sampled_from(self._ours())))

    def _late_calls_land(self) -> None:
        """Or a name that a hand lets go is taken by a late create: a stray that no tool could prevent."""
        self.world.clock.advance(self.world.criteo.late_seconds + 1)
        self.world.criteo.land()

    def _ours(self) -> list[str]:
        receipts = self.world.store.saved_receipts.values()
        ids = {holding.segment_id for receipt in receipts for holding in receipt.holdings}
        return sorted(one for one in ids if self.world.criteo.segment(one))

    # ---- what goes wrong

    @precondition(lambda self: self.world.wishes)
    @rule(number=st.integers(1, 40), after=st.booleans())
    def run_and_crash(self, number: int, after: bool) -> None:
        crash = CrashAt(number, after)
        store, criteo = self.world.store, self.world.criteo
        store.before_write, store.after_write = crash.before_write, crash.after_write
        criteo.fault = crash.fault
        self._run()

    @precondition(lambda self: self.world.wishes)
    @rule(faults=st.lists(st.one_of(st.none(), st.sampled_from(FAULTS)), max_size=12))
    def run_with_faults(self, faults: list[str | None]) -> None:
        pending = iter(faults)
        self.world.criteo.fault = lambda operation: (
            next(pending, None) if operation in {"create", "update", "add", "remove"} else None
        )
        self._run()

    @precondition(lambda self: self.world.wishes)
    @rule()
    def run_in_peace(self) -> None:
        self._run()

    def _run(self) -> None:
        try:
            self.world.run()
        except Crash:
            self.world.die()
        except RefusedError:
            pass
        finally:
            self.world.criteo.fault = lambda _operation: None
            self.world.store.before_write = self.world.store.after_write = lambda _step: None

    # ---- what must hold

    @invariant()
    def nothing_foreign_was_touched(self) -> None:
        assert self.foreign.name == "Someone else's"
        assert self.foreign.members == {"theirs"}

    def teardown(self) -> None:
        if not self.world.wishes:
            return
        self._clean_run()
        self._late_calls_land()
        by_address = self.world.store.saved_receipts
        for address, wish in self.world.wishes.items():
            segment = self.world.criteo.segment(by_address[address].current.segment_id)
            assert segment is not None
            assert segment.members == self.world.members(address)
            assert (segment.name, segment.description) == (wish.title, wish.description)
            assert segment.account_id == wish.account_id
        self._no_segment_is_nobodys()
        after = self.world.plan()
        assert (after.changes, after.blocked) == ((), ())
        self._an_empty_plan_writes_nothing()

    def _clean_run(self) -> None:
        """One clean run. A refusal must name its way out, and that way must lead out."""
        for attempt in range(4):
            try:
                report = self.world.run()
            except RefusedError as error:
                for finding in error.findings:
                    self._follow(finding, attempt)
            else:
                assert not report.errors
                return
        raise AssertionError("the ways out lead nowhere")

    def _follow(self, finding: Finding, attempt: int) -> None:
        if "plan again after" in finding.remedy:
            self.world.clock.advance(self.world.quiet.total_seconds())
        else:
            assert "change the title" in finding.remedy, finding
            address = Address.parse(finding.where)
            self._wish(address, title=f"{address} another {attempt}", old=self.world.wishes[address])

    def _no_segment_is_nobodys(self) -> None:
        """Late and repeated creates leave no strays; a create may be unanswered when it is forgotten."""
        receipts = self.world.store.saved_receipts.values()
        ours = {holding.segment_id for receipt in receipts for holding in receipt.holdings}
        asked = {
            holding.intent.name for receipt in receipts for holding in receipt.holdings if holding.intent
        }
        strays = [
            segment
            for segments in self.world.criteo.accounts.values()
            for segment in segments.values()
            if segment.id not in ours | {self.foreign.id} and segment.name not in asked
        ]
        assert strays == []

    def _an_empty_plan_writes_nothing(self) -> None:
        before, written = list(self.world.criteo.writes), []
        self.world.store.after_write = written.append
        self.world.run()
        assert self.world.criteo.writes == before
        assert written == []


Histories.TestCase.settings = settings(
    max_examples=int(os.environ.get("HISTORIES", "1000")),
    stateful_step_count=25,
    deadline=timedelta(seconds=20),
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestHistories = Histories.TestCase
