"""What an apply may do: what was approved, a refresh, or what the person at the terminal says yes to."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from reconciler import __version__
from reconciler.commands.planning import Planned
from reconciler.core.approval import KEPT, Approved, Use
from reconciler.core.envelope import Now, is_pinned, judge, needs_approval
from reconciler.core.errors import Finding, StaleError
from reconciler.core.plan import Change, Update, address_of
from reconciler.core.planner import restricted
from reconciler.core.ports import StateWriter
from reconciler.core.refresh import AGAIN, beyond_refresh, members_only
from reconciler.disk.atomic import read_file
from reconciler.manifests.schema import plan_schema
from reconciler.render.document import Subject
from reconciler.render.figures import counted
from reconciler.render.saved import Saved, decoded, digest_of
from reconciler.wiring import Workspace

LARGEST = 1 << 27
"""Bytes; a plan of a thousand addresses has one million."""
NOT_OURS = "save a plan with `reconciler plan ENV --out FILE`"
TERMS = (
    click.option(
        "--approved",
        multiple=True,
        metavar="FILE",
        help="Apply only what this saved plan approves; may be repeated, for several that await one merge.",
    ),
    click.option(
        "--approved-digest",
        multiple=True,
        metavar="DIGEST",
        help="The digest that was approved, from a protected place: one for each --approved, in that order.",
    ),
    click.option(
        "--refresh",
        is_flag=True,
        help="Only bring members up to date, where nothing else is to change; needs no approval.",
    ),
)


@dataclass(frozen=True, slots=True)
class Terms:
    """`approvals` None: nothing was approved beforehand."""

    approvals: tuple[Approved, ...] | None
    refresh: bool


@dataclass(frozen=True, slots=True)
class Accepted:
    """The plan that may be carried out, and the approvals that hold."""

    planned: Planned
    held: tuple[str, ...] = ()


def check_terms(flags: dict[str, Any]) -> None:
    """UsageError for what makes no sense together."""
    files, digests = flags["approved"], flags["approved_digest"]
    if files and flags["refresh"]:
        raise click.UsageError("--refresh needs no --approved: give one of the two")
    if digests and len(digests) != len(files):
        raise click.UsageError("give one --approved-digest for each --approved, in the same order")


def terms_of(flags: dict[str, Any], directory: Path) -> Terms:
    """Reads what was approved. StaleError when a file is not what it was when it was approved."""
    files, digests = flags["approved"], flags["approved_digest"]
    if not files:
        return Terms(None, flags["refresh"])
    pairs = zip(files, digests or [None] * len(files), strict=True)
    return Terms(tuple(_approval(directory / file, digest) for file, digest in pairs), refresh=False)


def accepted(terms: Terms, planned: Planned, space: Workspace, state: StateWriter) -> Accepted:
    """StaleError, with all that is not covered, before anything is sent."""
    plan, receipts = planned.plan, planned.observed.receipts
    if terms.refresh:
        _refuse(beyond_refresh(plan, receipts), "this is more than a refresh")
        return Accepted(_refreshed(planned, space))
    if terms.approvals is None:
        _refuse(needs_approval(plan), "this needs an approved plan")
        return Accepted(planned)
    head, environment = state.head(), space.desired.environment
    lineage, uses = (head.lineage, head.uses) if head else ("", ())
    now = Now(environment, lineage, uses, receipts, plan.basis.made_at)
    verdict = judge(plan, terms.approvals, now)
    _refuse(verdict.findings, "what is to be done is not what was approved")
    going = tuple(one for one in plan.changes if address_of(one) in verdict.covered)
    left = [one for one in plan.changes if address_of(one) in verdict.left]
    notes = (*_left_out(left, len(verdict.pinned)), *_renamed(left))
    return Accepted(_only(planned, going, space, notes), verdict.held)


def mark(digests: Iterable[str], state: StateWriter, space: Workspace, *, completed: bool = False) -> None:
    """That these approvals are in use, or used up."""
    head, now = state.head(), space.clock.now()
    started = {use.digest: use for use in (head.uses if head else ())}
    since = now - max(KEPT, space.desired.environment.leeway.max_age)
    for digest in dict.fromkeys(digests):
        use = started.get(digest, Use(digest, now))
        if completed or digest not in started:
            state.mark(replace(use, completed_at=now) if completed else use, since)


def read_saved(file: Path) -> Saved:
    """What a file holds that --out or --json wrote. StaleError when it is none, or was changed since."""
    if not file.is_file():
        raise StaleError(f"there is no saved plan {file}", remedy=NOT_OURS)
    content = read_file(file) if file.stat().st_size <= LARGEST else b""
    try:
        data = json.loads(content or b"", object_pairs_hook=_each_key_once)
        saved = decoded(data) if plan_schema().is_valid(data) else None
    except (ValueError, RecursionError):
        saved = None
    if saved is None:
        raise StaleError(f"{file} is no plan that this version of reconciler reads", remedy=NOT_OURS)
    if digest_of(data) != saved.digest:
        raise StaleError(f"{file} was changed after it was saved", remedy="plan again, and approve that")
    return saved


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A digest is of what is read; who reads the first of two would read something else."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError
    return dict(pairs)


def _approval(file: Path, digest: str | None) -> Approved:
    saved = read_saved(file)
    if digest is not None and digest != saved.digest:
        raise StaleError(
            f"{file} is not the plan that was approved: its digest is another one",
            remedy="take the file from the run that made the approved plan, or plan again",
        )
    if saved.document.header.subject != Subject.PLAN:
        raise StaleError(f"{file} was not saved by `plan`, and approves nothing", remedy=NOT_OURS)
    if saved.approved is None:
        raise StaleError(f"{file} is a plan that could not be made or applied", remedy=f"see `show {file}`")
    if saved.version.partition(".")[0] != __version__.partition(".")[0]:
        raise StaleError(
            f"{file} was made by reconciler {saved.version}, and this is {__version__}",
            remedy="plan again with this version",
        )
    return saved.approved


def _refuse(findings: Sequence[Finding], problem: str) -> None:
    if findings:
        raise StaleError(problem, findings=findings)


def _refreshed(planned: Planned, space: Workspace) -> Planned:
    changes = [one for one in planned.plan.changes if not is_pinned(one)]
    going = tuple(sent for one in changes if (sent := members_only(one)))
    notes = (*_left_out((), len(planned.plan.changes) - len(changes)), *_renamed(changes))
    return _only(planned, going, space, notes)


def _left_out(left: Sequence[Change], pinned: int) -> tuple[str, ...]:
    """What is said of people who join or leave and are not sent."""
    notes = []
    if moving := sum(members_only(one) is not None for one in left):
        many = counted(moving, "address has", "addresses have")
        notes.append(f"{many} other members, not part of the approval: `apply --refresh` sends them")
    if pinned:
        many = counted(pinned, "address has", "addresses have")
        notes.append(f"{many} other people in a pinned source, opt-outs included: {AGAIN} to send them")
    return tuple(notes)


def _renamed(changes: Sequence[Change]) -> tuple[str, ...]:
    renamed = sum(isinstance(one, Update) and bool(one.attributes) for one in changes)
    if not renamed:
        return ()
    many = counted(renamed, "address has", "addresses have")
    return (f"{many} another name or description at Criteo, which stays as it is for now: see `drift`",)


def _only(planned: Planned, going: tuple[Change, ...], space: Workspace, notes: tuple[str, ...]) -> Planned:
    if going == planned.plan.changes:
        return planned
    batch_size = space.desired.environment.api.batch_size
    return replace(planned, plan=restricted(planned.plan, going, batch_size, notes))
