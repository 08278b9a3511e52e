"""Plans as values: one for each situation of a reader."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from reconciler.core.adoption import Adoption, Baseline, adopted_resource
from reconciler.core.errors import Finding
from reconciler.core.members import EMPTY_SNAPSHOT, NO_DELTA, Delta, DropReason, SnapshotRef, TargetMembers
from reconciler.core.model import (
    Address,
    Api,
    Audience,
    Environment,
    Guards,
    Hashing,
    IdentifierType,
    Seat,
    SegmentKey,
    SegmentSpec,
    Source,
    SourceLocation,
)
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import (
    Adopt,
    AttributeChange,
    Change,
    Create,
    Delete,
    Empty,
    Emptying,
    Forget,
    MemberChange,
    PartChange,
    PlannedOutcome,
    Refill,
    Removal,
    Replace,
    SegmentChange,
    Unchanged,
    Undecided,
    Update,
    address_of,
)
from reconciler.core.plan.cost import cost
from reconciler.core.plan.guards import GuardInput, relaxed_guards, stale_sources, violations
from reconciler.core.plan.losses import MemberCounts
from reconciler.core.plan.model import Blocked, Plan, PlanInputs
from reconciler.core.plan.observed import Departure, MemberDiff
from reconciler.core.plan.reasons import (
    ApplyResumed,
    DefinitionChanged,
    DefinitionOnly,
    KeyChanged,
    ManagedAgain,
    Reason,
    Removed,
    RemovedAndKept,
    RemovedAndMissing,
    SegmentAdopted,
    SegmentMissing,
    SourceChanged,
    UnknownMembersRemain,
)
from reconciler.core.plan.steps import (
    CreateSegment,
    DiscardReplacement,
    MoveState,
    PromoteReplacement,
    RecordAdoption,
    SendMembers,
    SetupPhase,
    Steps,
    UpdateSegment,
)
from reconciler.core.remote import RateLimit

NOW = datetime(2026, 11, 24, 9, 4, tzinfo=UTC)
SEAT = Seat("368477501993431040", "3239117063738827231")
ENVIRONMENT = Environment(
    name="production",
    api=Api("https://api.criteo.com"),
    state_url="file:.reconciler/state/production",
    data_root="data",
    seats=(("acme", SEAT),),
)
SANDBOX = replace(ENVIRONMENT, name="sandbox", api=Api("emulator"), sample_rows=1000)
SEATED = replace(ENVIRONMENT, seats=(("acme", SEAT), ("beta", Seat("41", "7"))))

EMAIL = SegmentKey(SEAT.account_id, SEAT.retailer_id, IdentifierType.EMAIL, Hashing.SHA256)
CUSTOMER = SegmentKey(SEAT.account_id, SEAT.retailer_id, IdentifierType.CUSTOMER_ID, Hashing.NONE)
DROPS = (
    (DropReason.FILTERED, 12_034),
    (DropReason.EXCLUDED, 151),
    (DropReason.EMPTY, 310),
    (DropReason.MALFORMED, 87),
)


def spec(audience: str, title: str, key: SegmentKey = EMAIL, destination: str = "") -> SegmentSpec:
    where = destination or ("offsite-email" if key.identifier_type == "Email" else "onsite-customer")
    place = SourceLocation(f"environments/production/audiences/{audience}.yaml", 2, 1)
    declared = Audience(audience, title, "", Source(("customers/*.csv",), place=place), (), place=place)
    return SegmentSpec(Address(where, audience), title, "", key, "criteo", declared, place=place)


def target(count: int, drops: tuple[tuple[DropReason, int], ...] = DROPS, hashed: int = 0) -> TargetMembers:
    rows = count + sum(number for _, number in drops)
    members = SnapshotRef("ab" * 16, count)
    return TargetMembers(members, EMPTY_SNAPSHOT, rows, drops, hashed=hashed, newest=NOW - timedelta(hours=2))


def members(before: int | None, after: int, delta: Delta, **more: object) -> MemberChange:
    return MemberChange(before, target(after), delta, **more)


def few(before: int, after: int, delta: Delta) -> MemberChange:
    return MemberChange(before, target(after, DROPS[:2]), delta)


def sending(change: MemberChange) -> SendMembers:
    comparison = MemberDiff(
        EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, change.delta, resumes=change.done > 0
    )
    return SendMembers("current", change.target.members, comparison, change.not_before)


def create(one: SegmentSpec, count: int, reason: Reason | None = None) -> Create:
    change = members(0, count, Delta(0, count, 0))
    step = CreateSegment("current", one.key, one.name, one.description)
    return Create(one, change, Steps((step,), sending(change)), reason)


def update(
    one: SegmentSpec, change: MemberChange, *attributes: AttributeChange, reason: Reason | None = None
) -> Update:
    patch = UpdateSegment("current", one.key.account_id, one.name)
    steps = Steps((patch,) if attributes else (), sending(change) if change.delta.total else None)
    return Update(one, attributes, change, steps, reason)


def replacement(one: SegmentSpec, count: int) -> Replace:
    change = members(412_006, count, Delta(0, count, 0))
    account = one.key.account_id
    finish = (
        UpdateSegment("current", account, name=f"{one.name} (retired 2026-11-24)"),
        UpdateSegment("replacement", account, name=one.name, description=one.description),
        PromoteReplacement(old_segment_remains=True),
    )
    step = CreateSegment("replacement", one.key, f"{one.name} (new)", one.description)
    attributes = (
        AttributeChange("identifier type", "CustomerId", "Email"),
        AttributeChange("hashing", "none", "sha256"),
    )
    reason = KeyChanged(("identifier type", "form"))
    steps = Steps((step,), replace(sending(change), slot="replacement"), finish)
    return Replace(one, attributes, change, steps, reason)


def _shrunk() -> MemberChange:
    """Of which two guards disapprove."""
    read = target(152_000, (*DROPS[:3], (DropReason.MALFORMED, 22_700)))
    return MemberChange(390_000, read, Delta(0, 2_000, 240_000))


def _emptied() -> MemberChange:
    return MemberChange(390_000, replace(target(0, ()), members=EMPTY_SNAPSHOT), Delta(0, 0, 390_000))


def _letting(one: SegmentSpec, guards: Guards) -> SegmentSpec:
    return replace(one, audience=replace(one.audience, guards=guards))


def _fresh(one: SegmentSpec) -> SegmentSpec:
    """Its source was to be written within the last ninety minutes."""
    source = replace(one.audience.source, max_age=timedelta(minutes=90))
    return replace(one, audience=replace(one.audience, source=source))


def forgotten(one: SegmentSpec, count: int) -> Forget:
    return Forget(one.address, count, drop_state=False, reason=Removed())


def emptying(one: SegmentSpec, count: int | None, removes: int, done: int = 0, **more: object) -> Emptying:
    diff = MemberDiff(EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, Delta(0, 0, removes), resumes=done > 0)
    transfers = (SendMembers("current", EMPTY_SNAPSHOT, diff, **more),) if removes else ()
    return Emptying(one.name, one.key, "criteo", count, removes, done, transfers)


def torn_down() -> Plan:
    """A test environment of which one segment is emptied already, and one is missing."""
    later = NOW + timedelta(minutes=12)
    return plan(
        Empty(LAPSED.address, emptying(LAPSED, 990, 990), ("88001",)),
        Empty(HIGH.address, emptying(HIGH, None, 400, 590), ("88002",), UnknownMembersRemain()),
        Delete(GOLD.address, emptying(GOLD, 990, 990, not_before=later), ("88003", "88004")),
        Forget(Address("offsite-email", "cat-owners"), 11, drop_state=True, reason=SegmentMissing("88121")),
    )


def _question(one: SegmentChange) -> GuardInput:
    return GuardInput(
        one.spec, one.members, one.members.before or None, isinstance(one, Create | Refill), NOW
    )


def _against(held: PlannedOutcome) -> Iterator[Blocked]:
    """What the guards say."""
    match held:
        case Unchanged():
            found = stale_sources(held.spec, held.target, NOW)
        case Create() | Adopt() | Update() | Replace() | Refill():
            found = violations(_question(held))
        case _:
            found = ()
    return (Blocked(address_of(held), finding, Cause.GUARD) for finding in found)


def plan(
    *changes: Change,
    unchanged: int = 0,
    blocked: tuple[Blocked, ...] = (),
    guarded: tuple[PlannedOutcome, ...] = (),
    problems: tuple[Finding, ...] = (),
    notes: tuple[str, ...] = (),
    environment: Environment = ENVIRONMENT,
    serial: int = 118,
    paused: tuple[PlannedOutcome, ...] = (),
) -> Plan:
    rates = {"criteo": RateLimit(10, 4)} if serial else {}
    basis = PlanInputs(environment.name, date(2026, 11, 24), NOW, "7f3a2b1c9d" if serial else "", serial)
    same = tuple(Unchanged(spec(f"same-{number}", "Same"), target(5_000)) for number in range(unchanged))
    price = cost(changes, environment.api, rates, NOW)
    sent = [
        one for one in (*changes, *guarded) if isinstance(one, Create | Adopt | Update | Replace | Refill)
    ]
    allowed = {one.spec.address: relaxed_guards(_question(one), environment.guards) for one in sent}
    return Plan(
        basis=basis,
        changes=changes,
        unchanged=same,
        blocked=(*blocked, *(one for held in guarded for one in _against(held))),
        cost=price,
        notes=notes,
        problems=problems,
        blocked_outcomes=(*guarded, *paused),
        paused=tuple(map(address_of, paused)),
        relaxed_guards={address: said for address, said in allowed.items() if said},
    )


LAPSED = spec("lapsed-90d", "Lapsed buyers, 90 days (offsite-email)")
HIGH = spec("high-value", "High value 2026 (offsite-email)")
CATS = spec("cat-owners", "Cat owners (offsite-email)")
GOLD = spec("loyalty-gold", "Loyalty gold (onsite-customer)", CUSTOMER)
CHANGED = members(412_006, 427_335, Delta(0, 18_240, 2_911))
RENAMED = AttributeChange("name", "High value (offsite-email)", HIGH.name)
DESCRIBED = AttributeChange("description", "", "Spent more than 500 in a year")
STILL = members(80_112, 80_112, NO_DELTA)
LOST = Finding(
    "",
    "2 of 4 segments of account 368477501993431040 are missing at Criteo (limit 10%, maxMissing): "
    "access may be lost",
    "check the consent and the account in Criteo; if the segments really were deleted: if intended, append "
    '`--- {kind: Override, address: "*", guards: {maxMissing: 50%}, reason: "…", expires: "2026-12-01"}` to '
    "environments/production/overrides.yaml, with your reason",
)


def adopting(one: SegmentSpec, segment_id: str, baseline: Baseline, change: MemberChange) -> Adopt:
    """Return the change that adopts a segment of another tool."""
    adoption = Adoption(one.address, segment_id, baseline, one.place)
    tagged = AttributeChange("description", "by another tool", "[reconciler 7f3a9c21b4-7f3a]")
    patch = UpdateSegment("current", one.key.account_id, description=one.description)
    setup = (RecordAdoption(adoption, adopted_resource(adoption, one, NOW)), patch)
    reason = SegmentAdopted(segment_id, baseline)
    return Adopt(one, (tagged,), change, Steps(setup, sending(change)), reason)


def replacing(one: SegmentSpec, segment_id: str) -> Replace:
    """Return the change that adopts a segment of another tool and replaces it."""
    adoption = Adoption(one.address, segment_id, Baseline.REPLACE, one.place)
    change, step = replacement(one, 38_212), RecordAdoption(adoption, adopted_resource(adoption, one, NOW))
    steps = replace(change.steps, setup=(step, *change.steps.setup))
    reason, unknown = SegmentAdopted(segment_id, Baseline.REPLACE), replace(change.members, before=None)
    return replace(change, attributes=(), members=unknown, steps=steps, reason=reason)


def _blocked(address: Address, *findings: tuple[str, str]) -> tuple[Blocked, ...]:
    return tuple(Blocked(address, Finding(str(address), *finding), Cause.NAME) for finding in findings)


def _of_cause(cause: Cause, number: int, *finding: str) -> tuple[Blocked, ...]:
    named = (Address("offsite-email", f"{cause}-{at}") for at in range(number))
    said, *advice = finding
    return tuple(Blocked(at, Finding(str(at), said.format(at.audience), *advice), cause) for at in named)


EVERY_CAUSE = (
    *_of_cause(Cause.SOURCE, 5, "no file matches {}.csv", "check the path: it is relative to data.root"),
    *_of_cause(Cause.GUARD, 4, "about 34% of members would be removed: 340 of 1,000 (limit 20%, maxShrink)"),
    *_of_cause(Cause.SEGMENT, 1, "segment 88121 is read-only at Criteo", "ask the owner of the account"),
    *_of_cause(Cause.NAME, 2, "Criteo already has a segment named “{}”", "change the title"),
    *_of_cause(Cause.DEPENDENCY, 1, "its name becomes free only once offsite-email/guard-0 is renamed"),
    *_of_cause(Cause.APPROVAL, 1, "its source is pinned: only approved members may be sent"),
)


def _sixty() -> Plan:
    changes = []
    for number in range(60):
        one = spec(f"audience-{number:02}", f"Audience {number}", EMAIL if number % 3 else CUSTOMER)
        adds, removes = 137 * number, 11 * number if number % 2 else 0
        if number % 10 == 0:
            changes.append(create(one, 1_000 * (number + 1)))
        else:
            before = 20_000 + number
            changes.append(update(one, members(before, before + adds - removes, Delta(0, adds, removes))))
    return plan(*changes, unchanged=140)


def _guard_changed(number: int) -> Plan:
    """Guards are part of a definition: one edit of them is all that most addresses see."""
    same = [
        update(spec(f"audience-{at:02}", f"Audience {at}"), STILL, reason=DefinitionOnly())
        for at in range(number)
    ]
    return plan(update(LAPSED, CHANGED), *same, unchanged=3)


def _redefined() -> Plan:
    """One edit of a guard for all, and another of one source."""
    guard = PartChange("guards.maxShrink", "20%", "35%")
    made = plan(
        update(LAPSED, CHANGED, reason=DefinitionChanged()),
        update(HIGH, STILL, reason=DefinitionOnly()),
        update(GOLD, STILL, reason=DefinitionOnly()),
        unchanged=5,
    )
    source = PartChange("source.where", "", "last_order < :today - interval 90 day")
    return replace(
        made, redefined={LAPSED.address: (guard, source), HIGH.address: (guard,), GOLD.address: (guard,)}
    )


def _gates_weakened() -> Plan:
    """One edit of the gates beside a change of an audience."""
    soak, own = PartChange("promotion.soak", "24h", "1h"), PartChange("promotion.own", "", "title")
    made = plan(
        update(LAPSED, CHANGED, reason=DefinitionChanged()),
        update(HIGH, STILL, reason=DefinitionOnly()),
        update(GOLD, STILL, reason=DefinitionOnly()),
        notes=(
            "promotion gate weakened: promotion.soak 24h → 1h",
            f"promotion gate weakened for {LAPSED.address}: promotion.own none → title",
        ),
    )
    return replace(
        made, redefined={LAPSED.address: (own, soak), HIGH.address: (soak,), GOLD.address: (soak,)}
    )


def _paused() -> Plan:
    """Three paused audiences: one would change, one would not, and the source of one can't be read."""
    change = update(LAPSED, CHANGED, reason=DefinitionChanged())
    made = plan(
        unchanged=5,
        paused=(change, Unchanged(GOLD, target(1_204_331)), Undecided(HIGH)),
        notes=("paused, and a source or an exclusion list can't be read: offsite-email/high-value",),
    )
    gone = Departure("current", EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, SnapshotRef("cd" * 16, 120))
    return replace(made, suppressed={LAPSED.address: Removal(LAPSED, (gone,))})


def _moved() -> Plan:
    """Two audiences with another name; one gets a new segment at the same time."""
    tags = (f"Spent a lot [reconciler 7f3a9c21b{at}-1a2b]" for at in "45")
    step = MoveState(Address("offsite-email", "big-spenders"))
    change = update(HIGH, CHANGED, AttributeChange("description", *tags))
    other = replacement(LAPSED, 427_335)
    from_lapsed = MoveState(Address("offsite-email", "lapsed"))
    return plan(
        replace(change, steps=replace(change.steps, setup=(step, *change.steps.setup))),
        replace(other, steps=replace(other.steps, setup=(from_lapsed, *other.steps.setup))),
        unchanged=3,
    )


def _removed() -> Plan:
    """What `Removed` documents ask for: to keep, to empty, and to delete."""
    return plan(
        Forget(Address("offsite-email", "dog-owners"), 38_212, drop_state=False, reason=RemovedAndKept()),
        Empty(LAPSED.address, emptying(LAPSED, 990, 990), ("88001",)),
        Delete(GOLD.address, emptying(GOLD, 990, 0), ("88003",)),
        unchanged=5,
        notes=("environments/production/changes.yaml:3:10: the state has no address offsite-email/cats",),
    )


def _hard() -> Plan:
    """All at once, in an account with two seats."""
    key = replace(EMAIL, account_id="41", retailer_id="7", hashing=Hashing.SHA256_OF_MD5)
    swapped = update(spec("swapped", "Second"), STILL, AttributeChange("name", "First", "Second"))
    release = UpdateSegment("current", "41", "Second (renaming 881)", turn=SetupPhase.FREE_NAMES)
    swapped = replace(swapped, steps=replace(swapped.steps, setup=(release, *swapped.steps.setup)))
    given_up = UpdateSegment("replacement", "41", name="Given up (retired 2026-11-24)")
    back = update(spec("back", "Back to e-mail"), STILL, reason=DefinitionChanged())
    back = replace(back, steps=Steps((given_up, DiscardReplacement(old_segment_remains=True))))
    return plan(
        create(spec("of-another-seat", "Beta’s people", key, destination="beta-email"), 40),
        swapped,
        back,
        update(LAPSED, members(1_000, 997, Delta(2, 0, 1))),
        unchanged=1,
        environment=SEATED,
    )


CASES: dict[str, tuple[Plan, Environment]] = {
    "first-create": (plan(create(LAPSED, 427_335), create(GOLD, 1_204_331), serial=0), ENVIRONMENT),
    "no-change": (plan(unchanged=8), ENVIRONMENT),
    "sources-unchanged": (
        replace(
            plan(unchanged=8), reused={"lapsed": NOW - timedelta(days=1), "loyal": NOW - timedelta(hours=3)}
        ),
        ENVIRONMENT,
    ),
    "adds-and-removes": (plan(update(LAPSED, CHANGED), unchanged=7), ENVIRONMENT),
    "rename": (plan(update(HIGH, STILL, RENAMED, DESCRIBED), unchanged=7), ENVIRONMENT),
    "replace": (plan(replacement(LAPSED, 427_335), unchanged=3), ENVIRONMENT),
    "forget": (
        plan(
            Forget(
                Address("offsite-email", "dog-owners"),
                38_212,
                drop_state=False,
                reason=Removed(),
            ),
            Forget(
                Address("offsite-email", "cat-owners"),
                11,
                drop_state=True,
                reason=RemovedAndMissing("88121"),
            ),
        ),
        ENVIRONMENT,
    ),
    "adopt": (
        plan(
            Adopt(
                HIGH,
                (RENAMED,),
                members(79_000, 80_112, Delta(0, 2_000, 888)),
                Steps((UpdateSegment("current", EMAIL.account_id, HIGH.name),)),
                ManagedAgain(datetime(2026, 10, 2, tzinfo=UTC)),
            )
        ),
        ENVIRONMENT,
    ),
    "adopt-segments": (
        plan(
            adopting(LAPSED, "88120", Baseline.REUSE, members(None, 412_006, Delta(0, 412_006, 0))),
            adopting(HIGH, "88121", Baseline.ASSUME, members(None, 80_112, Delta(0, 80_112, 2_911))),
            replacing(GOLD, "88122"),
            blocked=_blocked(
                CATS.address,
                (
                    "segment 88123 has the ownership tag of another environment or address",
                    "if nothing else manages it, delete the tag from its description in Criteo",
                ),
            ),
        ),
        ENVIRONMENT,
    ),
    "blocked-by-guards": (
        plan(
            update(HIGH, STILL, RENAMED),
            forgotten(GOLD, 38_212),
            unchanged=6,
            guarded=(update(LAPSED, _shrunk()),),
        ),
        ENVIRONMENT,
    ),
    "blocked-by-cause": (plan(update(HIGH, CHANGED), unchanged=280, blocked=EVERY_CAUSE), ENVIRONMENT),
    "all-blocked": (plan(blocked=EVERY_CAUSE), ENVIRONMENT),
    "guard-let-down": (
        plan(
            update(_letting(LAPSED, Guards(max_shrink=0.75)), few(170, 50, Delta(0, 0, 120))),
            update(_letting(HIGH, Guards(max_shrink=0.2)), few(44, 40, Delta(0, 1, 5))),
            unchanged=6,
        ),
        ENVIRONMENT,
    ),
    "swapped-people": (
        plan(
            unchanged=6,
            guarded=(
                update(_letting(LAPSED, Guards(max_growth=0.5)), few(4_240, 3_950, Delta(0, 3_950, 3_950))),
            ),
        ),
        ENVIRONMENT,
    ),
    "few-people": (
        plan(
            unchanged=6,
            guarded=(
                update(_letting(LAPSED, Guards(max_shrink=0.02)), few(44, 43, Delta(0, 0, 1))),
                update(_letting(HIGH, Guards(max_growth=0.02)), few(44, 45, Delta(0, 1, 0))),
            ),
        ),
        ENVIRONMENT,
    ),
    "empty-source": (plan(guarded=(update(LAPSED, _emptied()),), unchanged=7), ENVIRONMENT),
    "stale-source": (
        plan(
            guarded=(Unchanged(_fresh(LAPSED), target(4_300)), create(_fresh(GOLD), 4_300)),
        ),
        ENVIRONMENT,
    ),
    "lost-access": (
        plan(
            create(LAPSED, 170, SegmentMissing("88121")),
            create(GOLD, 165, SegmentMissing("88122")),
            unchanged=2,
            problems=(LOST,),
        ),
        ENVIRONMENT,
    ),
    "refill": (
        plan(
            Refill(
                LAPSED,
                (),
                members(50, 170, Delta(0, 170, 0)),
                Steps((), sending(members(50, 170, Delta(0, 170, 0)))),
                MemberCounts(170, 50),
            ),
            unchanged=7,
        ),
        ENVIRONMENT,
    ),
    "undoes-drift": (
        plan(
            update(LAPSED, CHANGED),
            update(HIGH, members(80_112, 80_112, NO_DELTA), replace(RENAMED, drifted=True)),
            unchanged=6,
        ),
        ENVIRONMENT,
    ),
    "foreign-name": (
        plan(
            unchanged=6,
            blocked=_blocked(
                GOLD.address,
                (
                    (
                        "Criteo already has a segment named 'Loyalty gold (onsite-customer)' (88121) that "
                        "this tool never created"
                    ),
                    (
                        "change the title or the destination's nameSuffix, or rename or delete that segment "
                        "in Criteo"
                    ),
                ),
            ),
        ),
        ENVIRONMENT,
    ),
    "gone-at-criteo": (
        plan(
            create(LAPSED, 427_335, SegmentMissing("88121")),
            unchanged=12,
        ),
        ENVIRONMENT,
    ),
    "resumed": (
        plan(
            update(
                LAPSED,
                members(0, 1_000_000, Delta(0, 400_000, 0), done=600_000),
                reason=ApplyResumed(),
            )
        ),
        ENVIRONMENT,
    ),
    "waits": (
        plan(
            update(
                LAPSED,
                replace(CHANGED, not_before=NOW + timedelta(minutes=7, seconds=12)),
                reason=SourceChanged(),
            )
        ),
        ENVIRONMENT,
    ),
    "mixed-column": (
        plan(
            create(LAPSED, 812),
            notes=(
                (
                    "lapsed-90d: some values of the Email column came already hashed, the others plain; "
                    "none is hashed twice (`reconciler explain` counts them)"
                ),
            ),
            environment=SANDBOX,
        ),
        SANDBOX,
    ),
    "sixty-addresses": (_sixty(), ENVIRONMENT),
    "guard-changed": (_guard_changed(58), ENVIRONMENT),
    "guard-changed-for-few": (_guard_changed(3), ENVIRONMENT),
    "redefined": (_redefined(), ENVIRONMENT),
    "gates-weakened": (_gates_weakened(), ENVIRONMENT),
    "paused": (_paused(), ENVIRONMENT),
    "moved": (_moved(), ENVIRONMENT),
    "looks-renamed": (
        replace(
            plan(create(HIGH, 80_112), forgotten(LAPSED, 427_335), unchanged=3),
            resembling={HIGH.address: LAPSED.address},
        ),
        ENVIRONMENT,
    ),
    "removed": (_removed(), ENVIRONMENT),
    "two-seats": (_hard(), SEATED),
}
