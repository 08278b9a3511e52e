"""Checks a new plan against approved plans: which changes are covered, deferred or refused.

An approval:

    saved plan ─► valid ─► started ─► completed          all of its changes are applied
                    │        │  ▲
                    │        ▼  │
                    │     interrupted                    the next run resumes it
                    ├────────┴─────────► expired         older than `approval.maxAge`
                    └──────────────────► other target    other environment, endpoint, seat or lineage

A change of the new plan:

    a valid approval has an entry that it matches ──────► covered: apply sends it
    it only moves members, and either no approval
    names it or members were sent since the plan  ──────► deferred: the next members-only apply sends it
    otherwise  ─────────────────────────────────────────► refused, with the changes that depend on it

Example: tolerance 2 %, maxAge 72h. The approved plan adds 400 members to an audience and removes 100; the
segment then has 10,300. Counts may differ by 206, which is 2 % of 10,300. The new plan of an apply may say:

    1 hour later, add 500                   covered; afterwards, the approval is completed
    1 hour later, add 700                   refused: 300 more than approved
    1 hour later, also add a new audience   the new audience is refused, the approved change is covered
    73 hours later, add 400                 refused: the approval has expired
    after its completion, add 50            refused: the approval is completed
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.core.approval.approved_changes import is_pinned
from reconciler.core.approval.completion import is_done, not_before, not_requested, open_addresses
from reconciler.core.approval.context import CheckContext
from reconciler.core.approval.differences import differences
from reconciler.core.approval.members_only import is_independent
from reconciler.core.approval.model import ApprovedChange, ApprovedPlan
from reconciler.core.approval.validity import why_invalid, wrong_state
from reconciler.core.errors import Finding
from reconciler.core.model import Address
from reconciler.core.plan.changes import Change, address_of
from reconciler.core.plan.model import Plan
from reconciler.core.plan.parts import dependents


@dataclass(frozen=True, slots=True)
class ApprovalCheck:
    """The result of the check. If `findings` is empty, the `covered` addresses may be applied.

    `refused` are the changes that no approval covers, with the reasons. The next members-only apply may send
    the `deferred` addresses. `used_digests` are the approvals that cover a change. After the covered changes
    are applied, the approvals in `completed` have no changes left. `not_requested` states why other approvals
    cover nothing, or which of their changes the manifests do not contain.
    """

    findings: tuple[Finding, ...] = ()
    refused: Mapping[Address, tuple[Finding, ...]] = field(default_factory=dict)
    covered: frozenset[Address] = frozenset()
    deferred: tuple[Address, ...] = ()
    used_digests: tuple[str, ...] = ()
    completed: tuple[str, ...] = ()
    not_requested: tuple[Finding, ...] = ()


def check_approvals(
    plan: Plan, approvals: Mapping[str, ApprovedPlan], context: CheckContext
) -> ApprovalCheck:
    """Return the result of checking a plan against approvals, which are keyed by file name.

    Beside a valid approval, invalid approvals are ignored.
    """
    invalid = {name: why for name, one in approvals.items() if (why := why_invalid(one, context))}
    valid = {name: one for name, one in approvals.items() if name not in invalid}
    if not valid:
        return _check_without_valid(plan, approvals, invalid, context)
    refused: dict[Address, tuple[Finding, ...]] = {}
    covered: dict[Address, ApprovedPlan] = {}
    deferred: list[Change] = []
    for change in plan.changes:
        address = address_of(change)
        named = [(one, entry) for one in valid.values() if (entry := _open_entry(one, change, context))]
        against = [list(differences(change, entry, one, context)) for one, entry in named]
        good = [one for (one, _), refusals in zip(named, against, strict=True) if not refusals]
        if good:
            covered[address] = good[-1]
        elif _is_deferred(change, [one for one, _ in named], context):
            deferred.append(change)
        else:
            refused[address] = tuple(_refusals(address, against))
    for waiting in dependents(plan, refused):
        covered.pop(waiting, None)
    here = [one for one in approvals.values() if not wrong_state(one, context)]
    held = (*plan.paused, *(one.address for one in plan.blocked))
    stopped = frozenset((*refused, *held))
    open_ = (
        {name: open_addresses(one, here, covered, context, stopped) for name, one in valid.items()}
        if context.all_addresses
        else {}
    )
    covering = {one.digest for one in covered.values()}
    invalid_findings = _invalid_findings(invalid) if refused else ()
    asked = frozenset((*map(address_of, plan.changes), *held))
    check = ApprovalCheck(
        findings=(*_flat(refused), *invalid_findings) if not covered else (),
        refused=refused,
        covered=frozenset(covered),
        deferred=tuple(map(address_of, deferred)),
        used_digests=tuple(one.digest for one in valid.values() if one.digest in covering),
        completed=tuple(valid[name].digest for name, addresses in open_.items() if not addresses),
        not_requested=(*invalid_findings, *not_requested(open_, valid, asked, context)),
    )
    if covered or check.completed or any(context.is_completed(one) for one in approvals.values()):
        return check
    return replace(check, findings=check.findings or check.not_requested)


def _check_without_valid(
    plan: Plan, approvals: Mapping[str, ApprovedPlan], invalid: Mapping[str, str], context: CheckContext
) -> ApprovalCheck:
    """Return the result if no approval is valid.

    Nothing is refused if an approval is completed and the plan changes only other addresses, all deferred.
    """
    named = {entry.address for one in approvals.values() for entry in one.changes if entry.is_change}
    deferred = [
        one for one in plan.changes if address_of(one) not in named and is_independent(one, context.resources)
    ]
    done = any(context.is_completed(one) or _has_no_changes_left(one, context) for one in approvals.values())
    if done and len(deferred) == len(plan.changes):
        return ApprovalCheck(deferred=tuple(map(address_of, deferred)))
    strange = [one for one in plan.changes if one not in deferred and address_of(one) not in named]
    strange_findings = (finding for one in strange for finding in _refusals(address_of(one), ()))
    return ApprovalCheck(findings=(*strange_findings, *_invalid_findings(invalid)))


def _has_no_changes_left(approved: ApprovedPlan, context: CheckContext) -> bool:
    """Return whether an expired approval has no changes left."""
    return (
        context.all_addresses
        and not wrong_state(approved, context)
        and not open_addresses(approved, [approved], {}, context)
    )


def _open_entry(approved: ApprovedPlan, change: Change, context: CheckContext) -> ApprovedChange | None:
    """Return the entry of an approval for this change; None if it has none, or if its change is done."""
    entry = approved.change(address_of(change))
    return entry if entry and entry.is_change and not is_done(entry, change, approved, context) else None


def _is_deferred(change: Change, named: Sequence[ApprovedPlan], context: CheckContext) -> bool:
    """Return whether the change waits for a members-only apply.

    It only moves members. Either no approval names it, or members were sent since the newest that does.
    """
    if not is_independent(change, context.resources):
        return False
    if not named:
        return True
    newest, current = max(named, key=lambda one: one.made_at), context.resources[address_of(change)].current
    started = context.record(newest.digest) is not None and bool(current.transfer or current.uncertain)
    return (started or not_before(current.last_changed_at, newest.made_at)) and not is_pinned(change)


def needs_approval(plan: Plan) -> dict[Address, tuple[Finding, ...]]:
    """Return a finding for each change of a pinned source: its apply needs an approved plan."""
    why = "its source is pinned: only approved members may be sent"
    pinned = (address_of(change) for change in plan.changes if is_pinned(change))
    return {address: (Finding(str(address), why),) for address in pinned}


def _refusals(address: Address, refusals: Iterable[Iterable[str]]) -> Iterator[Finding]:
    reasons = list(dict.fromkeys(why for against in refusals for why in against))
    for why in reasons or ["this change was not approved"]:
        yield Finding(str(address), why)


def _flat(refused: Mapping[Address, Sequence[Finding]]) -> Iterator[Finding]:
    return (finding for findings in refused.values() for finding in findings)


def _invalid_findings(invalid: Mapping[str, str]) -> tuple[Finding, ...]:
    return tuple(Finding(name, why) for name, why in invalid.items())
