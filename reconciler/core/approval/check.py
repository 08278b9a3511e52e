"""Whether what is to be done is what was approved: the bounds within which a plan may be made again."""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.core.approval.exclusions import FEW, FEW_SHARE, approved_lists, both, lists_lost
from reconciler.core.approval.members_only import is_independent
from reconciler.core.approval.model import (
    ApprovalRecord,
    ApprovedChange,
    ApprovedPlan,
    distance,
    largest,
)
from reconciler.core.errors import Finding
from reconciler.core.model import Address, ApprovalLimits, Environment, Seat
from reconciler.core.parts import dependents
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.plan.changes import Change, Forget, Replace, SegmentChange, Update, address_of, kind_of
from reconciler.core.plan.model import Plan
from reconciler.core.rounding import duration, format_limit, rounded_count
from reconciler.core.state.resource import CLOCK_SKEW, ResourceState, SegmentState, remaining

NAMED = 5
"""So many addresses are named."""
LINEAGE = 8
"""So much of a lineage is shown."""


@dataclass(frozen=True, slots=True)
class ApprovalCheck:
    """`covered` are the approved addresses, by digest; the next members-only apply may send `deferred`.

    `refused` are changes that no approval covers: they are left out, and the covered ones are applied. Where
    none is covered, `findings` say why nothing is. Once the covered ones are applied,
    the approvals in `completed` have no changes left. `not_requested` says why other approvals cover
    nothing, or what they approve that the manifests do not contain.
    """

    findings: tuple[Finding, ...] = ()
    refused: Mapping[Address, tuple[Finding, ...]] = field(default_factory=dict)
    covered: frozenset[Address] = frozenset()
    deferred: tuple[Address, ...] = ()
    used_digests: tuple[str, ...] = ()
    completed: tuple[str, ...] = ()
    not_requested: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What an approval is held against. `all_addresses`: the plan is one of all addresses."""

    environment: Environment
    lineage: str
    uses: tuple[ApprovalRecord, ...]
    resources: Mapping[Address, ResourceState]
    moment: datetime
    all_addresses: bool = True

    def use(self, digest: str) -> ApprovalRecord | None:
        return next((one for one in self.uses if one.digest == digest), None)

    def is_used_up(self, approved: ApprovedPlan) -> bool:
        use = self.use(approved.digest)
        return use is not None and use.completed_at is not None


def approved_changes(plan: Plan, resources: Mapping[Address, ResourceState]) -> tuple[ApprovedChange, ...]:
    """What applying this plan will be held to; all addresses, those that don't change included."""
    changes = (_approved(change, plan.basis.lineage, resources) for change in plan.changes)
    unchanged = (
        ApprovedChange(
            one.spec.address,
            ChangeKind.UNCHANGED,
            one.spec.definition,
            0,
            0,
            rounded_count(one.target.members.count),
            one.target.members.digest if plan.basis.lineage else "",
        )
        for one in plan.unchanged
    )
    return tuple(sorted((*changes, *unchanged), key=lambda one: one.address))


def check_approvals(plan: Plan, approvals: Mapping[str, ApprovedPlan], now: CheckContext) -> ApprovalCheck:
    """Holds a new plan against what was approved. Approvals are keyed by what they are called.

    A valid approval covers a change. A change that a members-only apply may send is deferred if no approval
    names it, or if it has started since. Any other change is refused, with the changes that depend on it.
    Beside valid approvals, the others are ignored.
    """
    unfit = {name: why for name, one in approvals.items() if (why := _unfit(one, now))}
    fit = {name: one for name, one in approvals.items() if name not in unfit}
    if not fit:
        return _without_any(plan, approvals, unfit, now)
    refused: dict[Address, tuple[Finding, ...]] = {}
    covered: dict[Address, ApprovedPlan] = {}
    left: list[Change] = []
    for change in plan.changes:
        address = address_of(change)
        named = [(one, said) for one in fit.values() if (said := _said(one, change, now))]
        against = [list(_strays(change, said, one, now)) for one, said in named]
        good = [one for (one, _), refusals in zip(named, against, strict=True) if not refusals]
        if good:
            covered[address] = good[-1]
        elif _may_wait(change, [one for one, _ in named], now):
            left.append(change)
        else:
            refused[address] = tuple(_unapproved(address, against))
    for waiting in dependents(plan, refused):
        covered.pop(waiting, None)
    here = [one for one in approvals.values() if not wrong_state(one, now)]
    stopped = frozenset((*refused, *(one.address for one in plan.blocked)))
    open_ = (
        {name: _open(one, here, covered, now, stopped) for name, one in fit.items()}
        if now.all_addresses
        else {}
    )
    digests = {one.digest for one in covered.values()}
    unfit_findings = _unfit_findings(unfit) if refused else ()
    asked = frozenset((*map(address_of, plan.changes), *(one.address for one in plan.blocked)))
    judgement = ApprovalCheck(
        findings=(*_flat(refused), *unfit_findings) if not covered else (),
        refused=refused,
        covered=frozenset(covered),
        deferred=tuple(map(address_of, left)),
        used_digests=tuple(one.digest for one in fit.values() if one.digest in digests),
        completed=tuple(fit[name].digest for name, addresses in open_.items() if not addresses),
        not_requested=(*unfit_findings, *_unmet(open_, fit, asked, now)),
    )
    if covered or judgement.completed or any(now.is_used_up(one) for one in approvals.values()):
        return judgement
    return replace(judgement, findings=judgement.findings or judgement.not_requested)


def _without_any(
    plan: Plan, approvals: Mapping[str, ApprovedPlan], unfit: Mapping[str, str], now: CheckContext
) -> ApprovalCheck:
    """None holds any more: all is well where it was done, and nothing of what it named changes again."""
    named = {said.address for one in approvals.values() for said in one.changes if _moves(said)}
    left = [
        one for one in plan.changes if address_of(one) not in named and is_independent(one, now.resources)
    ]
    done = any(now.is_used_up(one) or _was_done(one, now) for one in approvals.values())
    if done and len(left) == len(plan.changes):
        return ApprovalCheck(deferred=tuple(map(address_of, left)))
    strange = [one for one in plan.changes if one not in left and address_of(one) not in named]
    strange_findings = (finding for one in strange for finding in _unapproved(address_of(one), ()))
    return ApprovalCheck(findings=(*strange_findings, *_unfit_findings(unfit)))


def _was_done(approved: ApprovedPlan, now: CheckContext) -> bool:
    """Of an approval that is too old: nothing of it was left to do."""
    return now.all_addresses and not wrong_state(approved, now) and not _open(approved, [approved], {}, now)


def _said(approved: ApprovedPlan, change: Change, now: CheckContext) -> ApprovedChange | None:
    """What an approval says of a change, as long as that isn't done."""
    said = approved.change(address_of(change))
    return said if said and _moves(said) and not _is_done(said, change, approved, now) else None


def _may_wait(change: Change, named: Sequence[ApprovedPlan], now: CheckContext) -> bool:
    """Return whether the change waits: nobody was asked, or part of it was sent, and nobody saw the rest."""
    if not is_independent(change, now.resources):
        return False
    if not named:
        return True
    newest, current = max(named, key=lambda one: one.made_at), now.resources[address_of(change)].current
    started = now.use(newest.digest) is not None and bool(current.transfer or current.uncertain)
    return (started or _not_before(current.last_changed_at, newest.made_at)) and not is_pinned(change)


def _open(
    approved: ApprovedPlan,
    all_: Collection[ApprovedPlan],
    covered: Mapping[Address, ApprovedPlan],
    now: CheckContext,
    stopped: Container[Address] = (),
) -> tuple[Address, ...]:
    """Return the addresses with changes left once the covered ones are applied: at least the `stopped`.

    The newest approval of an address counts. An address for which a newer plan had no change has none left.
    """
    every = [(one, {said.address: said for said in one.changes}) for one in all_]

    def is_met(said: ApprovedChange) -> bool:
        return any(
            (covered.get(said.address) is one or _is_carried_out(then, one, now.resources.get(said.address)))
            and (then.definition == said.definition or one.made_at >= approved.made_at)
            if _moves(then)
            else one.made_at > approved.made_at
            for one, changes in every
            if (then := changes.get(said.address))
        )

    moving = (said for said in approved.changes if _moves(said))
    return tuple(said.address for said in moving if said.address in stopped or not is_met(said))


def _is_carried_out(said: ApprovedChange, approved: ApprovedPlan, resource: ResourceState | None) -> bool:
    """Return whether the resource state shows it; for a refill, only whether members were sent since."""
    if said.kind == ChangeKind.FORGET:
        return resource is None or resource.forgotten_at is not None
    if resource is None or resource.forgotten_at is not None:
        return False
    if said.kind == ChangeKind.REFILL and not _not_before(resource.current.completed_at, approved.made_at):
        return False
    return resource.definition == said.definition and resource.current.transfer is None


def _unmet(
    open_: Mapping[str, Sequence[Address]],
    fit: Mapping[str, ApprovedPlan],
    changing: Container[Address],
    now: CheckContext,
) -> Iterator[Finding]:
    for name, addresses in open_.items():
        left = [one for one in addresses if one not in changing]
        recovered = [one for one in left if _recovered(fit[name].change(one), now.resources.get(one))]
        if foreign := [one for one in left if one not in recovered]:
            yield Finding(name, f"it approves what the manifests here don't ask for: {_listed(foreign)}")
        if recovered:
            problem = "Criteo's count changed since this plan, and a refill is no longer due"
            yield Finding(name, f"{problem}: {_listed(recovered)}")


def _recovered(said: ApprovedChange | None, resource: ResourceState | None) -> bool:
    """Return whether an approved refill is not due any more, although nothing was sent."""
    if said is None or resource is None or said.kind != ChangeKind.REFILL:
        return False
    return resource.forgotten_at is None and resource.definition == said.definition


def _listed(addresses: Sequence[Address]) -> str:
    more = f" and {len(addresses) - NAMED} more" if len(addresses) > NAMED else ""
    return f"{', '.join(map(str, addresses[:NAMED]))}{more}"


def needs_approval(plan: Plan) -> dict[Address, tuple[Finding, ...]]:
    """Changes of pinned sources, which nobody may apply without an approved plan."""
    why = "its source is pinned: only people that were approved may be sent"
    pinned = (address_of(change) for change in plan.changes if is_pinned(change))
    return {address: (Finding(str(address), why),) for address in pinned}


def _approved(change: Change, lineage: str, resources: Mapping[Address, ResourceState]) -> ApprovedChange:
    if isinstance(change, Forget):
        return ApprovedChange(
            change.address, ChangeKind.FORGET, _end(change), 0, 0, rounded_count(change.count or 0)
        )
    target = change.members.target.members
    adds, removes = _whole(change, resources.get(change.spec.address))
    return ApprovedChange(
        change.spec.address,
        kind_of(change),
        change.spec.definition,
        rounded_count(adds),
        rounded_count(removes),
        rounded_count(target.count),
        target.digest if lineage else "",
        approved_lists(change),
    )


def _end(change: Forget) -> str:
    """What stands for the definition of an address that has none any more."""
    return "gone" if change.drop_state else "there"


def _whole(change: SegmentChange, resource: ResourceState | None) -> tuple[int, int]:
    """Members in and out, with what an interrupted run has sent of it already."""
    delta, done = change.members.delta, (0, 0)
    if resource and (holding := _receiving(change, resource)) and holding.transfer:
        size, left = holding.transfer.size, remaining(holding.transfer)
        done = (size.adds - left.adds, size.out - left.out)
    return delta.adds + done[0], delta.out + done[1]


def _receiving(change: SegmentChange, resource: ResourceState) -> SegmentState | None:
    return resource.replacement if isinstance(change, Replace) else resource.current


def _moves(said: ApprovedChange) -> bool:
    return said.kind != ChangeKind.UNCHANGED


def is_pinned(change: Change) -> bool:
    return not isinstance(change, Forget) and change.spec.audience.source.pinned


def _is_done(said: ApprovedChange, change: Change, approved: ApprovedPlan, now: CheckContext) -> bool:
    """This part was done since, by this approval or whatever else: it covers nothing more of that address.

    Where no member was to move, a call on the name tells it, or that there is none to make. Of a pinned
    source the very people say it.
    """
    use, resource = now.use(approved.digest), now.resources.get(said.address)
    if resource is None or isinstance(change, Forget) or not _is_carried_out(said, approved, resource):
        return False
    if use is None and is_pinned(change):
        return False
    since = min(use.started_at, approved.made_at) if use else approved.made_at
    if said.adds or said.removes:
        return _not_before(resource.current.completed_at, since)
    return not change.steps.setup or _not_before(
        resource.current.updated_at, use.started_at if use else since
    )


def _not_before(time: datetime | None, moment: datetime) -> bool:
    return time is not None and time >= moment


def wrong_state(approved: ApprovedPlan, now: CheckContext) -> str:
    """Why an approval is not one for this environment as it is; "" when it is."""
    if why := wrong_target(approved, now.environment):
        return why
    if approved.lineage and approved.lineage != now.lineage:
        there = f"lineage {now.lineage[:LINEAGE]}" if now.lineage else "none yet"
        return f"it was approved for a state of lineage {approved.lineage[:LINEAGE]}, and there is {there}"
    return ""


def wrong_target(approved: ApprovedPlan, environment: Environment) -> str:
    """The file and the manifests alone tell this: before any secret goes to where the manifests point now."""
    endpoint, seats = environment.api.endpoint, dict(environment.seats)
    if why := wrong_environment(approved, environment.name):
        return why
    if approved.endpoint != endpoint:
        return f"it was approved for {approved.endpoint}, and {environment.name} is at {endpoint}"
    for label, seat in approved.seats.items():
        if (today := seats.get(label)) != seat:
            return f"it was approved for seat {label} as {_at(seat)}, which is {_at(today)} now"
    return ""


def wrong_environment(approved: ApprovedPlan, environment: str) -> str:
    """The file alone tells this."""
    if approved.environment == environment:
        return ""
    message = f"it was approved for {approved.environment}, and this is {environment}"
    return f"{message}: give the plan of {environment}"


def _at(seat: Seat | None) -> str:
    return f"account {seat.account_id}, retailer {seat.retailer_id}" if seat else "none"


def _unfit(approved: ApprovedPlan, now: CheckContext) -> str:
    """Why an approval covers nothing any more; "" when it does."""
    limit, use = _leeway(approved, now).max_age, now.use(approved.digest)
    if use and use.completed_at:
        return f"the approved plan was applied in full on {use.completed_at:%Y-%m-%d at %H:%M} UTC"
    if why := wrong_state(approved, now):
        return why
    if approved.made_at > now.moment + CLOCK_SKEW:
        return f"the approved plan is from the future, {approved.made_at:%Y-%m-%d %H:%M} UTC"
    if now.moment - approved.made_at > limit:
        made = f"{approved.made_at:%Y-%m-%d at %H:%M} UTC"
        return f"the approved plan was made on {made}, and holds for {duration(limit)} (approval.maxAge)"
    return ""


def _leeway(approved: ApprovedPlan, now: CheckContext) -> ApprovalLimits:
    """The narrower of what was said when it was approved, and what is said now."""
    then, today = approved.limits, now.environment.approval_limits
    return ApprovalLimits(min(then.tolerance, today.tolerance), min(then.max_age, today.max_age))


def _strays(change: Change, said: ApprovedChange, approved: ApprovedPlan, now: CheckContext) -> Iterator[str]:
    """In what a change differs from the approved one."""
    kind, started = kind_of(change), now.use(approved.digest) is not None
    resource = now.resources.get(said.address)
    if kind != said.kind and not (started and _remains(change, said, resource)):
        yield f"{said.kind} was approved, and now it is {kind}"
        return
    if isinstance(change, Forget):
        if said.definition != _end(change):
            yield f"forgetting it was approved while its segment was {said.definition}, and it isn't any more"
        return
    if change.spec.definition != said.definition:
        yield "its definition is not the one that was approved"
        return
    begun = started or (resource is not None and _not_before(resource.current.completed_at, approved.made_at))
    yield from _counts(change, said, resource, _leeway(approved, now).tolerance, begun=begun)
    yield from lists_lost(change, said, _leeway(approved, now).tolerance)
    if is_pinned(change) and change.members.target.members.digest != said.members_digest:
        yield (
            "its source is pinned, and its people are not the ones that were approved"
            if said.members_digest
            else "its source is pinned, and the plan was made before there was a state that can name people; "
            "apply it once without `pinned`"
        )


def _remains(change: Change, said: ApprovedChange, resource: ResourceState | None) -> bool:
    """What an interrupted run with the same approval has left to do."""
    if not isinstance(change, Update) or resource is None:
        return False
    if said.kind == ChangeKind.REFILL:
        return resource.current.transfer is not None
    return resource.definition != change.spec.definition or resource.current.completed_at is None


def _counts(
    change: SegmentChange,
    said: ApprovedChange,
    resource: ResourceState | None,
    tolerance: float,
    *,
    begun: bool,
) -> Iterator[str]:
    """`begun`: something was sent since the plan, so fewer is right. The state may no longer show it."""
    size = largest(said.size)
    limit = max(tolerance * size, min(FEW, FEW_SHARE * size))
    within = f"(approval.tolerance: {format_limit(tolerance)}, or a tenth up to {FEW} people)"
    adds, removes = _whole(change, resource)
    strays = False
    for verb, then, number in (("join", said.adds, adds), ("leave", said.removes, removes)):
        if distance(then, number) > limit and not (begun and number < largest(then)):
            strays = True
            yield f"approved to {verb}: {both(then, number)}; they may differ by {int(limit):,} {within}"
    target = change.members.target.members.count
    if not strays and distance(said.size, target) > 2 * limit:
        text = both(said.size, target)
        yield f"approved in all: {text}; they may differ by {int(2 * limit):,}, twice what joins may {within}"


def _unapproved(address: Address, refusals: Iterable[Iterable[str]]) -> Iterator[Finding]:
    reasons = list(dict.fromkeys(why for against in refusals for why in against))
    for why in reasons or ["this change was not approved"]:
        yield Finding(str(address), why)


def _flat(refused: Mapping[Address, Sequence[Finding]]) -> Iterator[Finding]:
    return (finding for findings in refused.values() for finding in findings)


def _unfit_findings(unfit: Mapping[str, str]) -> tuple[Finding, ...]:
    return tuple(Finding(name, why) for name, why in unfit.items())
