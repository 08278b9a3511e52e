"""The changes that an apply may send: approved, members only, or confirmed at the terminal."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, assert_never

import click

from reconciler.commands.support.admin_approvals import check_admins, context_of
from reconciler.commands.support.plan_files import AGAIN, read_approvals
from reconciler.commands.support.planning import PlanResult
from reconciler.core.approval.approved_changes import is_pinned
from reconciler.core.approval.check import ApprovalCheck, check_approvals, needs_approval
from reconciler.core.approval.completion import NAMED
from reconciler.core.approval.members_only import not_members_only, to_members_only
from reconciler.core.approval.model import RECORD_RETENTION, ApprovalRecord, ApprovedPlan
from reconciler.core.approval.validity import wrong_target
from reconciler.core.audit.model import is_actor_name
from reconciler.core.errors import Finding, NotApprovedError
from reconciler.core.model import Address, Environment
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.plan.changes import Change, Update, address_of
from reconciler.core.plan.parts import restricted, without
from reconciler.core.ports import StateWriter
from reconciler.render.document.model import DocumentType
from reconciler.render.numbers import counted
from reconciler.workspace import Workspace

NOBODY = "-"
"""The logins of an approval that CI names no approver of."""
NOT_APPROVED = "the plan differs from the approved plan"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


Approved = Annotated[
    tuple[str, ...],
    click.option(
        "--approved",
        multiple=True,
        metavar="FILE",
        help="Apply only changes approved in FILE. Repeatable.",
    ),
]
ApprovedDigest = Annotated[
    tuple[str, ...],
    click.option(
        "--approved-digest",
        multiple=True,
        metavar="DIGEST",
        help="The approved digest, from a protected source: one per --approved, in the same order.",
    ),
]


ApprovedBy = Annotated[
    tuple[str, ...],
    click.option(
        "--approved-by",
        multiple=True,
        metavar="LOGINS",
        help="Who approved, as CI states it: logins with commas, or -. One per --approved, in order.",
    ),
]


@dataclass(frozen=True, slots=True)
class ApprovalOptions:
    """The approvals given as options."""

    approved: Approved
    approved_digest: ApprovedDigest
    approved_by: ApprovedBy
    members_only: Annotated[
        bool,
        click.option(
            "--members-only",
            is_flag=True,
            help="Change members only; report and skip addresses with other changes.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class Interactive:
    """No approvals were given: the user confirms at the terminal."""


@dataclass(frozen=True, slots=True)
class MembersOnly:
    """Members, and nothing else."""


@dataclass(frozen=True, slots=True)
class WithApprovals:
    """Approvals by file name, and the logins that approved each, as CI states them.

    `unfit` states why other given files are not approvals for this run.
    """

    approvals: Mapping[str, ApprovedPlan]
    unfit: tuple[Finding, ...]
    approved_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


Terms = Interactive | MembersOnly | WithApprovals


@dataclass(frozen=True, slots=True)
class AcceptedPlan:
    """The plan that may be carried out, by which approvals, and those of which nothing is left to do then.

    `admin_approved` are the addresses whose change an admin approved.
    """

    planned: PlanResult
    digests: tuple[str, ...] = ()
    finished: tuple[str, ...] = ()
    admin_approved: frozenset[Address] = frozenset()


def check_terms(options: ApprovalOptions, data_root: str | None, directory: Path) -> None:
    """UsageError for what makes no sense together."""
    files, digests = options.approved, options.approved_digest
    if files and options.members_only:
        raise click.UsageError("--members-only needs no --approved: give one of the two")
    if len({(directory / file).resolve() for file in files}) < len(files):
        raise click.UsageError("--approved names one file twice")
    if data_root and (files or options.members_only):
        raise click.UsageError("--data-root reads other files than those that were approved: leave it out")
    if digests and len(digests) != len(files):
        raise click.UsageError("give one --approved-digest for each --approved, in the same order")
    if options.approved_by and len(options.approved_by) != len(files):
        raise click.UsageError("give one --approved-by for each --approved, in the same order")
    if not all(is_actor_name(one) for logins in options.approved_by for one in _logins(logins)):
        raise click.UsageError("--approved-by names no logins: write them with commas, or - for nobody")
    if not all(map(DIGEST.fullmatch, digests)):
        raise click.UsageError("--approved-digest is no digest: write sha256: and 64 hex digits")


def _logins(text: str) -> tuple[str, ...]:
    return () if text == NOBODY else tuple(text.split(","))


def terms_of(
    options: ApprovalOptions, directory: Path, environment: str, kind: DocumentType = DocumentType.PLAN
) -> Terms:
    """Reads what was approved. StaleError when a file is not what it was when it was approved."""
    if options.approved:
        files = {file: directory / file for file in options.approved}
        read = read_approvals(files, options.approved_digest, environment, kind)
        approved_by = dict(zip(options.approved, map(_logins, options.approved_by), strict=False))
        return WithApprovals(read.approvals, read.unfit, approved_by)
    return MembersOnly() if options.members_only else Interactive()


def refills(terms: Terms) -> frozenset[Address]:
    """Addresses of which an approved plan found that Criteo had lost members: that is looked at again."""
    approvals = terms.approvals.values() if isinstance(terms, WithApprovals) else ()
    changes = (one for approved in approvals for one in approved.changes)
    return frozenset(one.address for one in changes if one.kind == ChangeKind.REFILL)


def check_place(terms: Terms, environment: Environment) -> None:
    """StaleError when no approval is one for this environment as it is: before any secret is read or sent."""
    if not isinstance(terms, WithApprovals):
        return
    found = {name: wrong_target(one, environment) for name, one in terms.approvals.items()}
    if all(found.values()):
        findings = [Finding(name, why) for name, why in found.items()]
        _refuse((*findings, *terms.unfit), NOT_APPROVED, AGAIN)


def approvers_of(terms: Terms) -> dict[str, tuple[str, ...]]:
    """Return the logins that approved each approval, by its digest."""
    if not isinstance(terms, WithApprovals):
        return {}
    return {one.digest: terms.approved_by.get(name, ()) for name, one in terms.approvals.items()}


def accept(terms: Terms, planned: PlanResult, space: Workspace, *, whole: bool) -> AcceptedPlan:
    """What may be applied, without the addresses that need an approval; StaleError where nothing is left.

    RefusedError if nothing is left without an admin's approval. `whole`: of all addresses.
    """
    given = terms if isinstance(terms, WithApprovals) else WithApprovals({}, ())
    checked = check_admins(planned, given.approvals, given.approved_by, space, whole=whole)
    accepted = _accept(terms, checked.planned, space, whole=whole)
    return replace(accepted, admin_approved=checked.approved)


def _accept(terms: Terms, planned: PlanResult, space: Workspace, *, whole: bool) -> AcceptedPlan:
    match terms:
        case Interactive():
            refused = needs_approval(planned.plan)
            allowed = _without(planned, refused, space)
            if not (allowed.plan.changes or allowed.plan.removals):
                remedy = "save the plan with --out, have it approved, and apply it with --approved"
                _refuse(_flat(refused), "this needs an approved plan", remedy)
            return AcceptedPlan(allowed)
        case MembersOnly():
            refused = not_members_only(planned.plan, planned.observed.resources)
            allowed = _refreshed(_without(planned, refused, space), space)
            if not (allowed.plan.changes or allowed.plan.removals):
                _refuse(_flat(refused), "changes other than members are due", AGAIN)
            return AcceptedPlan(allowed)
        case WithApprovals():
            return _as_approved(terms, planned, space, whole=whole)
        case _:
            assert_never(terms)


def _as_approved(terms: WithApprovals, planned: PlanResult, space: Workspace, *, whole: bool) -> AcceptedPlan:
    plan, environment = planned.plan, space.desired.environment
    now = context_of(planned, space, whole=whole)
    judgement = check_approvals(plan, terms.approvals, now)
    if judgement.findings:
        _refuse((*judgement.findings, *terms.unfit), NOT_APPROVED, AGAIN)
    allowed = _without(planned, judgement.refused, space)
    going = tuple(one for one in allowed.plan.changes if address_of(one) in judgement.covered)
    left = [one for one in plan.changes if address_of(one) in judgement.deferred]
    unfit = (*judgement.not_requested, *(terms.unfit if judgement.refused else ()))
    overtaken = _overtaken(terms, judgement, planned)
    notes = (
        *_left_out(left, environment.name),
        *_not_refilled(overtaken, environment.name),
        *(f"{one.where}: {one.problem}" for one in unfit),
    )
    return AcceptedPlan(_only(allowed, going, space, notes), judgement.used_digests, judgement.completed)


class ApprovalRecorder:
    """Writes to the state that approvals were started or completed."""

    def __init__(self, planned: PlanResult, state: StateWriter, space: Workspace, terms: Terms) -> None:
        head, approvals = planned.observed.head, terms.approvals if isinstance(terms, WithApprovals) else {}
        self._overrides = {one.digest: one.overrides for one in approvals.values()}
        self._uses = {use.digest: use for use in (head.approvals if head else ())}
        self._state, self._space = state, space

    def begin(self, digests: Iterable[str]) -> None:
        for digest in digests:
            if digest not in self._uses:
                self._note(self._begun(digest))

    def complete(self, digests: Iterable[str]) -> None:
        for digest in digests:
            now = self._space.clock.now()
            self._note(replace(self._uses.get(digest, self._begun(digest)), completed_at=now))

    def _begun(self, digest: str) -> ApprovalRecord:
        return ApprovalRecord(digest, self._space.clock.now(), overrides=self._overrides.get(digest, ()))

    def _note(self, use: ApprovalRecord) -> None:
        kept = max(RECORD_RETENTION, self._space.desired.environment.approval_limits.max_age)
        self._state.record_approval(use, self._space.clock.now() - kept)
        self._uses[use.digest] = use


def _without(
    planned: PlanResult, refused: Mapping[Address, Sequence[Finding]], space: Workspace
) -> PlanResult:
    if not refused:
        return planned
    return replace(planned, plan=without(planned.plan, refused, space.desired.environment.api))


def _flat(refused: Mapping[Address, Sequence[Finding]]) -> tuple[Finding, ...]:
    return tuple(finding for findings in refused.values() for finding in findings)


def _refuse(findings: Sequence[Finding], problem: str, remedy: str) -> None:
    if findings:
        raise NotApprovedError(problem, remedy=remedy, findings=findings)


def _refreshed(planned: PlanResult, space: Workspace) -> PlanResult:
    changes, name = planned.plan.changes, space.desired.environment.name
    going = tuple(sent for one in changes if not is_pinned(one) and (sent := to_members_only(one)))
    pinned = [one for one in changes if is_pinned(one)]
    return _only(planned, going, space, (*_others(pinned), *_renamed(changes, name)))


def _left_out(left: Sequence[Change], environment: str) -> tuple[str, ...]:
    """Return the notes about changes that the approvals do not contain."""
    notes = []
    if moving := sum(to_members_only(one) is not None for one in left if not is_pinned(one)):
        many = counted(moving, "address has", "addresses have")
        notes.append(f"{many} deferred member changes: run `reconciler apply {environment} --members-only`")
    return (*notes, *_others(one for one in left if is_pinned(one)), *_renamed(left, environment))


def _overtaken(terms: WithApprovals, judgement: ApprovalCheck, planned: PlanResult) -> tuple[Address, ...]:
    """Addresses of approved refills that no run began, and that count as done: members were sent since."""
    head = planned.observed.head
    known = {use.digest for use in (head.approvals if head else ())}
    finished = [one for one in terms.approvals.values() if one.digest in judgement.completed]
    refilled = refills(
        replace(terms, approvals={one.digest: one for one in finished if one.digest not in known})
    )
    return tuple(sorted(refilled - judgement.covered))


def _not_refilled(overtaken: Sequence[Address], environment: str) -> tuple[str, ...]:
    if not overtaken:
        return ()
    many = counted(len(overtaken), "approved refill was", "approved refills were")
    where = ", ".join(map(str, overtaken[:NAMED])) + (" and more" if len(overtaken) > NAMED else "")
    why = f"members were sent to {where} since that plan, and Criteo's count is older"
    again = f"run `reconciler plan {environment} --statistics` after the next computation"
    return (f"{many} not sent: {why}; {again}",)


def _others(pinned: Iterable[Change]) -> tuple[str, ...]:
    moving = sum(to_members_only(one) is not None for one in pinned)
    if not moving:
        return ()
    many = counted(moving, "address has", "addresses have")
    return (f"{many} other members in a pinned source: {AGAIN} to send them",)


def _renamed(changes: Iterable[Change], environment: str) -> tuple[str, ...]:
    renamed = sum(isinstance(one, Update) and bool(one.steps.setup) for one in changes)
    if not renamed:
        return ()
    many = counted(renamed, "address has", "addresses have")
    message = f"{many} a name or description at Criteo that is to be set again, and stays as it is for now"
    return (f"{message}: see `reconciler drift {environment}`",)


def _only(
    planned: PlanResult, going: tuple[Change, ...], space: Workspace, notes: tuple[str, ...]
) -> PlanResult:
    if going == planned.plan.changes and not notes:
        return planned
    return replace(planned, plan=restricted(planned.plan, going, space.desired.environment.api, notes))
