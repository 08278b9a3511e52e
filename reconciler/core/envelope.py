"""Whether what is to be done is what was approved: the bounds within which a plan may be made again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from reconciler.core.approval import Approved, ApprovedChange, ChangeKind, Use, apart, largest
from reconciler.core.errors import Finding
from reconciler.core.model import Address, Environment
from reconciler.core.plan import (
    Adopt,
    Change,
    Create,
    Forget,
    PatchSegment,
    Plan,
    Replace,
    Sending,
    Steps,
    Turn,
    Update,
    address_of,
)
from reconciler.core.quantities import percent, shown
from reconciler.core.receipt import CLOCK_SKEW, Holding, Receipt, remaining

AGAIN = "plan again, have that approved, and apply it"
FEW, FEW_SHARE = 100, 0.1
"""A small audience may move by a tenth, and by no more than a hundred."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`covered` are the addresses that were approved, by `digests`.

    Left out are new members that nobody was asked about: `left` to the next refresh, `pinned` to an approval.
    `held` are all approvals that still hold.
    """

    findings: tuple[Finding, ...] = ()
    covered: frozenset[Address] = frozenset()
    left: tuple[Address, ...] = ()
    pinned: tuple[Address, ...] = ()
    digests: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Now:
    """What an approval is held against."""

    environment: Environment
    lineage: str
    uses: tuple[Use, ...]
    receipts: Mapping[Address, Receipt]
    moment: datetime

    def use(self, digest: str) -> Use | None:
        return next((one for one in self.uses if one.digest == digest), None)


def approved_changes(plan: Plan, receipts: Mapping[Address, Receipt]) -> tuple[ApprovedChange, ...]:
    """What applying this plan will be held to; all addresses, those that don't change included."""
    changes = (_approved(change, plan.basis.lineage, receipts) for change in plan.changes)
    unchanged = (
        ApprovedChange(
            one.spec.address,
            ChangeKind.UNCHANGED,
            one.spec.definition,
            0,
            0,
            shown(one.target.members.count),
            one.target.members.digest if plan.basis.lineage else "",
        )
        for one in plan.unchanged
    )
    return tuple(sorted((*changes, *unchanged), key=lambda one: one.address))


def judge(plan: Plan, approvals: Sequence[Approved], now: Now) -> Verdict:
    """Holds a new plan against what was approved.

    Every change must be covered by an approval that still holds, or be no more than what a refresh does
    and named as a change by none: that is left out. Anything else is a finding. Beside approvals that hold,
    those that don't are as good as not given.
    """
    unfit = {one.digest: why for one in approvals if (why := _unfit(one, now))}
    asked = [one for one in approvals if one.digest not in unfit] or approvals
    findings: list[Finding] = []
    covered: dict[Address, str] = {}
    left: list[Change] = []
    for change in plan.changes:
        address = address_of(change)
        named = [
            (one, said)
            for one in approvals
            if (said := one.change(address)) and _moves(said) and not _is_done(said, one, now)
        ]
        if _stands_alone(change, now.receipts) and not any(one in asked for one, _ in named):
            left.append(change)
            continue
        refusals = [
            [unfit[one.digest]] if one.digest in unfit else list(_strays(change, said, one, now))
            for one, said in named
        ]
        good = [one for (one, _), against in zip(named, refusals, strict=True) if not against]
        if good:
            covered[address] = good[-1].digest
        else:
            findings += _told(address, refusals)
    held = tuple(one.digest for one in approvals if one.digest not in unfit)
    return Verdict(
        findings=tuple(findings),
        covered=frozenset(covered),
        left=tuple(address_of(one) for one in left if not is_pinned(one)),
        pinned=tuple(address_of(one) for one in left if is_pinned(one)),
        digests=tuple(digest for digest in held if digest in covered.values()),
        held=held,
    )


def needs_approval(plan: Plan) -> tuple[Finding, ...]:
    """Changes of pinned sources, which nobody may apply without an approved plan."""
    return tuple(
        Finding(
            str(address_of(change)),
            "its source is pinned: only people that were approved may be sent",
            "save the plan with --out, have it approved, and apply it with --approved",
        )
        for change in plan.changes
        if is_pinned(change)
    )


def beyond_refresh(plan: Plan, receipts: Mapping[Address, Receipt]) -> tuple[Finding, ...]:
    """Changes that a refresh may not make: all but new members of what was applied in full before."""
    return tuple(
        Finding(
            str(address_of(change)),
            f"{_WHY_NOT[kind_of(change)]}, and a refresh only brings members up to date",
            AGAIN,
        )
        for change in plan.changes
        if not is_refresh(change, receipts)
    )


_WHY_NOT = {
    ChangeKind.CREATE: "it is to be created",
    ChangeKind.ADOPT: "it is to be managed again",
    ChangeKind.UPDATE: "its definition is not the one that was applied",
    ChangeKind.REPLACE: "it is to be replaced",
    ChangeKind.FORGET: "it is to be forgotten",
}


def is_refresh(change: Change, receipts: Mapping[Address, Receipt]) -> bool:
    """Members of a segment whose definition was applied in full; a name that differs since is let alone."""
    if not isinstance(change, Update) or change.steps.finish:
        return False
    receipt = receipts.get(change.spec.address)
    patches = all(isinstance(step, PatchSegment) and step.slot == "current" for step in change.steps.prelude)
    return patches and receipt is not None and receipt.definition == change.spec.definition


def _stands_alone(change: Change, receipts: Mapping[Address, Receipt]) -> bool:
    """Nothing else depends on what it does: no name is let go for another address."""
    prelude = change.steps.prelude if isinstance(change, Update) else ()
    released = any(isinstance(step, PatchSegment) and step.turn == Turn.RELEASE for step in prelude)
    return is_refresh(change, receipts) and not released


def members_only(change: Change) -> Update | None:
    """What a refresh does of a change; None where members don't change."""
    if not isinstance(change, Update) or change.steps.transfer is None:
        return None
    return replace(change, attributes=(), steps=Steps(transfer=change.steps.transfer))


def kind_of(change: Change) -> ChangeKind:
    match change:
        case Create():
            return ChangeKind.CREATE
        case Adopt():
            return ChangeKind.ADOPT
        case Update():
            return ChangeKind.UPDATE
        case Replace():
            return ChangeKind.REPLACE
        case Forget():
            return ChangeKind.FORGET
        case _:
            assert_never(change)


def _approved(change: Change, lineage: str, receipts: Mapping[Address, Receipt]) -> ApprovedChange:
    if isinstance(change, Forget):
        return ApprovedChange(change.address, ChangeKind.FORGET, _end(change), 0, 0, shown(change.count))
    target = change.members.target.members
    adds, removes = _whole(change, receipts.get(change.spec.address))
    return ApprovedChange(
        change.spec.address,
        kind_of(change),
        change.spec.definition,
        shown(adds),
        shown(removes),
        shown(target.count),
        target.digest if lineage else "",
    )


def _end(change: Forget) -> str:
    """What stands for the definition of an address that has none any more."""
    return "gone" if change.drop else "there"


def _whole(change: Sending, receipt: Receipt | None) -> tuple[int, int]:
    """Members in and out, with what an interrupted run has sent of it already."""
    delta, done = change.members.delta, (0, 0)
    if receipt and (holding := _receiving(change, receipt)) and holding.transfer:
        size, left = holding.transfer.size, remaining(holding.transfer)
        done = (size.adds - left.adds, size.out - left.out)
    return delta.adds + done[0], delta.out + done[1]


def _receiving(change: Sending, receipt: Receipt) -> Holding | None:
    return receipt.successor if isinstance(change, Replace) else receipt.current


def _moves(said: ApprovedChange) -> bool:
    return said.kind != ChangeKind.UNCHANGED


def is_pinned(change: Change) -> bool:
    return not isinstance(change, Forget) and change.spec.audience.source.pinned


def _is_done(said: ApprovedChange, approved: Approved, now: Now) -> bool:
    """A run that began with this approval has done this part: it covers nothing more of that address."""
    use, receipt = now.use(approved.digest), now.receipts.get(said.address)
    if use is None or use.completed_at or receipt is None or said.kind == ChangeKind.FORGET:
        return False
    current = receipt.current
    touched = current.settled_at if said.adds or said.removes else current.touched_at
    whole = receipt.definition == said.definition and current.transfer is None
    return whole and touched is not None and touched >= use.started_at


def _unfit(approved: Approved, now: Now) -> str:
    """Why an approval covers nothing any more; "" when it does."""
    environment, limit = now.environment, now.environment.leeway.max_age
    use, seats = now.use(approved.digest), dict(now.environment.seats)
    if approved.environment != environment.name:
        return f"the approved plan is one for {approved.environment}"
    if approved.endpoint != environment.api.endpoint:
        return f"the approved plan was made for {approved.endpoint}"
    if any(seats.get(label) != seat for label, seat in approved.seats.items()):
        return "the seats have changed since the plan was approved"
    if approved.lineage and approved.lineage != now.lineage:
        return "the approved plan was made from another state"
    if use and use.completed_at:
        return f"the approved plan was applied in full on {use.completed_at:%Y-%m-%d at %H:%M} UTC"
    if approved.made_at > now.moment + CLOCK_SKEW:
        return f"the approved plan is from the future, {approved.made_at:%Y-%m-%d %H:%M} UTC"
    if now.moment - approved.made_at > limit:
        hours, most = ((time.total_seconds() / 3600) for time in (now.moment - approved.made_at, limit))
        return (
            f"the approved plan is {hours:,.1f} hours old, where {most:,.1f} is the limit (approval.maxAge)"
        )
    return ""


def _strays(change: Change, said: ApprovedChange, approved: Approved, now: Now) -> Iterator[str]:
    """In what a change differs from the approved one."""
    kind, started = kind_of(change), now.use(approved.digest) is not None
    receipt = now.receipts.get(said.address)
    if kind != said.kind and not (started and _remains(change, receipt)):
        yield f"{said.kind} was approved, and now it is {kind}"
        return
    if isinstance(change, Forget):
        if said.definition != _end(change):
            yield f"forgetting it was approved while its segment was {said.definition}, and it isn't any more"
        return
    if change.spec.definition != said.definition:
        yield "its definition is not the one that was approved"
        return
    yield from _counts(change, said, receipt, now.environment.leeway.tolerance, started=started)
    if is_pinned(change) and change.members.target.members.digest != said.content:
        yield (
            "its source is pinned, and its people are not the ones that were approved"
            if said.content
            else "its source is pinned, and the plan was made before there was a state that can name people; "
            "apply it once without `pinned`"
        )


def _remains(change: Change, receipt: Receipt | None) -> bool:
    """What an interrupted run with the same approval has left to do."""
    if not isinstance(change, Update) or receipt is None:
        return False
    return receipt.definition != change.spec.definition or receipt.current.settled_at is None


def _counts(
    change: Sending, said: ApprovedChange, receipt: Receipt | None, tolerance: float, *, started: bool
) -> Iterator[str]:
    """Of what an interrupted run has done, no receipt may tell any more: fewer are right then."""
    size = largest(said.size)
    limit = max(tolerance * size, min(FEW, FEW_SHARE * size))
    adds, removes = _whole(change, receipt)
    strays = False
    for verb, then, number in (("join", said.adds, adds), ("leave", said.removes, removes)):
        if apart(then, number) > limit and not (started and number < largest(then)):
            strays, share = True, percent(limit / size) if size else "none"
            yield (
                f"{_text(then)} were approved to {verb}, and now {_text(shown(number))} would: "
                f"that is further apart than {share} of its members"
            )
    target = change.members.target.members.count
    if not strays and apart(said.size, target) > 2 * limit:
        now = shown(target)
        yield f"{_text(said.size)} members were approved in all, and now there would be {_text(now)}"


def _text(count: int | str) -> str:
    return count if isinstance(count, str) else f"{count:,}"


def _told(address: Address, refusals: Iterable[Iterable[str]]) -> Iterator[Finding]:
    reasons = list(dict.fromkeys(why for against in refusals for why in against))
    for why in reasons or ["this change was not approved"]:
        yield Finding(str(address), why, AGAIN)
