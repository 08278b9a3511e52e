"""A whole environment in memory: manifests as values, fakes as edges, and runs that may crash."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from support.fakes import members as source
from support.fakes.clock import FakeClock
from support.fakes.crash import Crash
from support.fakes.criteo import FakeCriteo
from support.fakes.members import Found, ListFile, MemoryEngine, People, Row
from support.fakes.state import MemoryStore

from reconciler.apply import ApplyContext, Report, apply
from reconciler.apply.erase import remove_erased
from reconciler.apply.readings import store_readings
from reconciler.core.adoption import Adoption
from reconciler.core.credential import Application, Credential
from reconciler.core.desired_state import DesiredState
from reconciler.core.erasure import ErasedType, ErasureList, ErasureRequest, Erasures, requested
from reconciler.core.events import Event
from reconciler.core.lifecycle import MovedAudience, RemovedAudience
from reconciler.core.model import (
    Address,
    Api,
    Audience,
    Environment,
    Exclusion,
    Guards,
    Hashing,
    IdentifierType,
    ListKind,
    RepairMode,
    Retention,
    SegmentKey,
    SegmentSpec,
    Source,
    SourceLocation,
)
from reconciler.core.overridden import with_overrides
from reconciler.core.override import Override
from reconciler.core.plan.deadline import before_deadline
from reconciler.core.plan.model import Plan
from reconciler.core.plan.observed import TeardownEnd
from reconciler.core.plan.planner import create_plan
from reconciler.core.plan.teardown import create_teardown
from reconciler.core.ports import StateReader, StateWriter
from reconciler.core.state.ownership_tag import tag, with_tag
from reconciler.operations.erase_again import request_again
from reconciler.operations.erase_people import ErasurePlan, ErasureResult, carry_out, places
from reconciler.operations.observe import LoadedState, observe
from reconciler.operations.observe_teardown import observe_teardown
from reconciler.operations.read_sources import NO_READINGS, EarlierReadings

OPEN = Guards(max_shrink=1e9, max_growth=1e9, min_members=1, max_invalid=1.0, max_missing=1.0)
Kind = tuple[IdentifierType, Hashing]
EMAIL = (IdentifierType.EMAIL, Hashing.SHA256)
CREDENTIAL = "criteo"
OPT_OUTS, SUPPRESSED, KEEPER = "opt-outs.csv", "suppressed.csv", "no customer"
MATCHED = (IdentifierType.PHONE_NUMBER, "phone")
"""What lists are matched by: no segment is sent it."""
EMPTY, MALFORMED, ANOTHERS = "", "malformed", "another's"
"""Values of that column that no list names."""


class Everything:
    """Selects all addresses."""

    def __contains__(self, _address: object) -> bool:
        return True


EVERYTHING = Everything()


def serial(groups: Sequence[Sequence[Callable[[], None]]], _workers: int) -> None:
    for jobs in groups:
        for job in jobs:
            job()


@dataclass(frozen=True)
class DesiredSegment:
    """The manifest of one address."""

    title: str
    description: str = ""
    account_id: str = "1001"
    retailer_id: str = "7"
    kind: Kind = EMAIL
    protect: bool = False


@dataclass
class InMemoryEnvironment:
    """Change `wishes` and `people`, or break a source, then `run`; CrashAt kills it at its n-th side effect.

    The `suppressed` members are on the exclusion list `OPT_OUTS` of an audience, with one non-customer.
    `lists` are further ones by file name, or that one as it is delivered, if it is not whole. `matches` are
    people with another value than their own in the column that lists are matched with; `second_rows` are
    people with a second row, and what that has there. `paused` are audiences; `all_paused`: the environment
    is paused. The people in the file of each of the `adoptions` are `assumed`. `suppression` is the
    suppression list of the environment, or None.
    """

    wishes: dict[Address, DesiredSegment] = field(default_factory=dict)
    people: dict[str, frozenset[str]] = field(default_factory=dict)
    suppressed: dict[str, frozenset[str]] = field(default_factory=dict)
    lists: dict[str, dict[str, ListFile]] = field(default_factory=dict)
    matches: dict[str, Mapping[str, str]] = field(default_factory=dict)
    second_rows: dict[str, Mapping[str, str]] = field(default_factory=dict)
    suppression: ListFile | None = None
    list_shrink: float = 1.0
    broken: set[str] = field(default_factory=set)
    batch_size: int = 3
    guards: Guards = OPEN
    quiet: timedelta = timedelta(minutes=10)
    clock: FakeClock = field(default_factory=FakeClock)
    on_plan: Callable[[Plan], None] = lambda _plan: None
    emit: Callable[[Event], None] = lambda _event: None
    environment: str = "test"
    adoptions: dict[Address, Adoption] = field(default_factory=dict)
    assumed: dict[Address, frozenset[str]] = field(default_factory=dict)
    deadline: datetime | None = None
    paused: set[str] = field(default_factory=set)
    all_paused: bool = False
    removed: tuple[RemovedAudience, ...] = ()
    moved: tuple[MovedAudience, ...] = ()
    repair: RepairMode = RepairMode.ASK
    overrides: tuple[Override, ...] = ()
    keep: Retention | None = None
    _erasable: dict[str, frozenset[str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.criteo = FakeCriteo(self.clock, account_ids=("1001", "1002"))
        self.store = MemoryStore(invent=lambda size: b"k" * size, keep=self.keep, now=self.clock.now)
        self.engine = MemoryEngine()

    def desired(self) -> DesiredState:
        api = Api("emulator", batch_size=self.batch_size, grace_period=self.quiet)
        environment = Environment(
            self.environment,
            api,
            "file:state",
            "data",
            (),
            guards=self.guards,
            paused=self.all_paused,
            suppression_lists=self._suppression_lists(),
            repair=self.repair,
        )
        specs = tuple(self._spec(address, wish) for address, wish in sorted(self.wishes.items()))
        adoptions = tuple(one for address, one in self.adoptions.items() if address in self.wishes)
        credential = Credential(CREDENTIAL, Application("clientCredentials", "env:ID", "env:SECRET"))
        declared = DesiredState(
            environment,
            (credential,),
            specs,
            removed=self.removed,
            moved=self.moved,
            adoptions=adoptions,
            overrides=self.overrides,
        )
        return with_overrides(declared, self.clock.now().date(), None)

    def _spec(self, address: Address, wish: DesiredSegment) -> SegmentSpec:
        audience = Audience(
            address.audience,
            wish.title,
            wish.description,
            Source(("x.csv",)),
            (MATCHED,),
            exclusion_lists=tuple(
                Exclusion(
                    (f"{address.audience}/{name}",),
                    (MATCHED,),
                    SourceLocation(name, 1, 1),
                    max_shrink=self.list_shrink,
                )
                for name in sorted(self.lists_of(address.audience))
            ),
            guards=self.guards,
            paused=self.all_paused or address.audience in self.paused,
            protected=wish.protect,
            suppression_lists=self._suppression_lists(),
        )
        key = SegmentKey(wish.account_id, wish.retailer_id, *wish.kind)
        return SegmentSpec(address, wish.title, wish.description, key, CREDENTIAL, audience)

    def _suppression_lists(self) -> tuple[Exclusion, ...]:
        if self.suppression is None:
            return ()
        place = SourceLocation(SUPPRESSED, 1, 1)
        return (Exclusion((SUPPRESSED,), (MATCHED,), place, kind=ListKind.SUPPRESSION, name="opted-out"),)

    def described(self, address: Address) -> str:
        """Return a segment's description at Criteo."""
        head = self.store.reader().head()
        lineage = head.lineage if head else ""
        return with_tag(self.wishes[address].description, tag(self.environment, address, lineage))

    def _sources(self) -> None:
        """Return the sources: every identifier type has the same members, under other names."""
        self.engine.broken = self.broken
        if self._erasable:
            self.engine.erasures = self.store.saved_erasures
        wanted = {wish.kind for wish in self.wishes.values()}
        held = (one.key for resource in self.store.saved_resources.values() for one in resource.segments)
        listed = wanted | {(key.identifier_type, key.hashing) for key in held}
        self.engine.people = {"": self._without_source(listed)}
        for address in self.assumed.keys() & self.wishes.keys():
            kind = self.wishes[address].kind
            self.engine.people[str(address)] = People({kind: self.wire(self.assumed[address], kind)})
        for audience in {address.audience for address in self.wishes}:
            rows, out = self.rows(audience), self.kept_out(audience)
            lists = {self._path(audience, name): one for name, one in self.delivered(audience).items()}
            kept = source.kept(rows, self.named(audience))
            kinds = {wish.kind for address, wish in self.wishes.items() if address.audience == audience}
            self.engine.people[audience] = People(
                {kind: self.wire(kept, kind) for kind in kinds},
                {kind: self.wire(out, kind) for kind in listed},
                lists,
                {
                    (kind, name): self.wire(file.members, kind)
                    for kind in listed
                    for name, file in lists.items()
                },
                {name: self._found(rows, file, kinds) for name, file in lists.items()},
            )

    def _without_source(self, kinds: set[Kind]) -> People:
        """Return the suppression list, which is read for forgotten segments too."""
        if self.suppression is None:
            return People({})
        written = {(kind, SUPPRESSED): self.wire(self.suppression.members, kind) for kind in kinds}
        return People({}, lists={SUPPRESSED: self.suppression}, written=written)

    def _path(self, audience: str, name: str) -> str:
        return name if name == SUPPRESSED else f"{audience}/{name}"

    def _found(self, rows: list[Row], file: ListFile, kinds: set[Kind]) -> Found:
        there = [row.match for row in rows]
        out = source.excluded(rows, file.members)
        return Found(
            file.members & frozenset(there),
            {kind: self.wire(out, kind) for kind in kinds},
            len(rows),
            there.count(EMPTY),
            there.count(MALFORMED),
        )

    def rows(self, audience: str) -> list[Row]:
        """Return an audience's source: a row for each member, and second rows."""
        people, matches = self.people[audience], self.matches.get(audience, {})
        first = [Row(person, matches.get(person, person)) for person in sorted(people)]
        second = self.second_rows.get(audience, {})
        return [*first, *(Row(person, second[person]) for person in sorted(people & second.keys()))]

    def lists_of(self, audience: str) -> dict[str, ListFile]:
        """Return the delivered exclusion lists by file name."""
        whole = ListFile(self.suppressed.get(audience, frozenset()) | {KEEPER})
        return {OPT_OUTS: whole} | self.lists.get(audience, {})

    def delivered(self, audience: str) -> dict[str, ListFile]:
        """Return the delivered lists by file name: the suppression list, and exclusion lists."""
        suppression = {} if self.suppression is None else {SUPPRESSED: self.suppression}
        return suppression | self.lists_of(audience)

    def named(self, audience: str) -> frozenset[str]:
        """Return the members on the delivered lists."""
        return frozenset[str]().union(*(one.members for one in self.delivered(audience).values()))

    def kept_out(self, audience: str) -> frozenset[str]:
        """Return the members on lists whose rows can still be matched."""
        return self.named(audience) - (self.people[audience] & self.matches.get(audience, {}).keys())

    def wire(self, people: frozenset[str], kind: Kind) -> frozenset[str]:
        return frozenset(f"{kind[0]}:{kind[1]}:{person}" for person in people)

    def members(self, address: Address) -> frozenset[str]:
        """Return the desired members of an address."""
        kept = self.people[address.audience] - self.kept_out(address.audience) - self.erased
        return self.wire(kept, self.wishes[address].kind)

    @property
    def erased(self) -> frozenset[str]:
        """Return the people whose identifiers are on the erasure list of the state."""
        if not self._erasable:
            return frozenset()
        known = {one for erased in self.store.saved_erasures.content.erased for one in erased.digests}
        return frozenset(person for person, digests in self._erasable.items() if digests <= known)

    def plan(self, counted: Container[Address] = ()) -> Plan:
        self._sources()
        return self._planned(self.store.reader(), EVERYTHING, counted)

    def _planned(self, state: StateReader, only: Container[Address], counted: Container[Address]) -> Plan:
        """Return the plan. If it reuses readings, it must be the plan that reads all sources.

        Only the cost differs: the second plan took calls of the budget.
        """
        earlier = EarlierReadings(state.key(), state.read_records())
        planned = self._planned_from(state, only, counted, earlier)
        if planned.reused:
            seen = self._observed
            again = self._planned_from(state, only, counted, NO_READINGS)
            assert planned == replace(again, reused=planned.reused, cost=planned.cost)
            self._observed = seen
        return planned

    def _planned_from(
        self,
        state: StateReader,
        only: Container[Address],
        counted: Container[Address],
        earlier: EarlierReadings,
    ) -> Plan:
        desired, readers, known = self.desired(), {CREDENTIAL: self.criteo.reader}, LoadedState.of(state)
        self._observed = observe(
            desired,
            only,
            readers,
            known,
            self.engine,
            self.clock,
            lambda _text: None,
            lambda: None,
            counted,
            earlier,
        )
        return create_plan(desired, self._observed, only)

    def run(self, only: Container[Address] = EVERYTHING, counted: Container[Address] = ()) -> Report:
        """Plan and apply under the lock; crashes and errors are raised.

        `counted`: the addresses whose member counts are read from Criteo.
        """
        self._sources()
        with self.store.lock("test") as state:
            planned = self._planned(state, only, counted)
            self.on_plan(planned)
            if self.deadline:
                planned = before_deadline(planned, self.batch_size, self.deadline)
            request_again(planned, self._observed, state, self.engine, self.clock.now())
            report = self._applied(planned, state)
            if report.stopped is None:
                declared, found = self.desired().segments, self._observed.records
                store_readings(state, declared, found, planned, report.outcomes)
            return report

    def teardown_plan(self, end: TeardownEnd, only: Container[Address] = EVERYTHING) -> Plan:
        return self._teardown(self.store.reader(), end, only)

    def _teardown(self, state: StateReader, end: TeardownEnd, only: Container[Address]) -> Plan:
        desired, readers, known = self.desired(), {CREDENTIAL: self.criteo.reader}, LoadedState.of(state)
        seen = observe_teardown(
            desired, only, end, readers, known, self.engine, self.clock, lambda _text: None, lambda: None
        )
        self._observed = seen.observed
        return create_teardown(desired, seen.observed, seen.diffs, only, end, CREDENTIAL)

    def tear_down(self, end: TeardownEnd, only: Container[Address] = EVERYTHING) -> Report:
        """Plan and apply a teardown under the lock; crashes and errors are raised."""
        with self.store.lock("test") as state:
            planned = self._teardown(state, end, only)
            self.on_plan(planned)
            return self._applied(planned, state)

    def _applied(self, planned: Plan, state: StateWriter) -> Report:
        return apply(planned, self._observed.resources, self._tools(state), serial)

    def _tools(self, state: StateWriter) -> ApplyContext:
        return ApplyContext(
            api=self.desired().environment.api,
            state=state,
            engine=self.engine,
            readers={CREDENTIAL: self.criteo.reader},
            writers={CREDENTIAL: self.criteo.writer},
            clock=self.clock,
            emit=self.emit,
        )

    def erase(self, people: frozenset[str], kinds: Iterable[Kind]) -> ErasureResult:
        """Erase people, of whom any of these identifiers may be known, and resume what is pending."""
        self._sources()
        with self.store.lock("erase") as state:
            planned = self._planned_erasure(state, people, kinds)
            readers, tools = {CREDENTIAL: self.criteo.reader}, self._tools(state)
            resources = {one.address: one for one in state.resources()}
            remove = partial(remove_erased, tools, self.environment, resources)
            return carry_out(planned, self.desired(), state, readers, remove, self.clock)

    def _planned_erasure(
        self, state: StateReader, people: frozenset[str], kinds: Iterable[Kind]
    ) -> ErasurePlan:
        """Return the plan of an erasure. Its list has the digests of identifiers as the fakes write them."""
        before = state.erasures()
        listed = before if before.keys else ErasureList(Erasures(keys=1), (b"k" * 32,))
        found = {one.identifier_type: set(one.digests) for one in listed.content.erased}
        for person in people:
            forms = {(kind[0], one) for kind in kinds for one in self.wire(frozenset({person}), kind)}
            forms.add((MATCHED[0], person))
            for form in forms:
                found.setdefault(form[0], set()).add(listed.digest(form))
            self._erasable[person] = frozenset(map(listed.digest, forms))
        erased = tuple(ErasedType(one, (Hashing.NONE,), tuple(sorted(found[one]))) for one in sorted(found))
        listed = replace(listed, content=replace(listed.content, erased=erased))
        self.engine.erasures = listed
        if people or not listed.is_pending:
            lines = tuple(tuple(sorted(self._erasable[person])) for person in sorted(people))
            request = ErasureRequest(self.clock.now(), lines, places(state, self.engine))
            listed = requested(listed, request)
        return ErasurePlan(listed, self.engine, len(people))

    def die(self) -> None:
        """Simulate a lost machine: only the state remains."""
        kept = self.store.saved_snapshots
        survivor = MemoryEngine()
        survivor._sets |= {digest: self.engine._sets[digest] for digest in kept}
        self.engine = survivor
        self.store.crash()
        self.store.before_write = self.store.after_write = lambda _step: None


@dataclass
class CrashAt:
    """Counts side effects, and crashes before or after the nth."""

    number: int
    after: bool
    seen: int = 0

    def before_write(self, step: str) -> None:
        self.seen += 1
        if self.seen == self.number and not self.after:
            raise Crash(step)

    def after_write(self, step: str) -> None:
        if self.seen == self.number and self.after:
            raise Crash(step)

    def fault(self, operation: str) -> str | None:
        self.seen += 1
        if self.seen == self.number:
            return "crash-after" if self.after else "crash-before"
        return None


__all__ = ["EMAIL", "CrashAt", "DesiredSegment", "InMemoryEnvironment", "Kind", "replace"]
