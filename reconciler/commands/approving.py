"""What an apply may do: what was approved, a refresh, or what the person at the terminal says yes to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from reconciler import __version__
from reconciler.commands.planning import Planned
from reconciler.core.approval import Approved, Use
from reconciler.core.envelope import Now, Verdict, beyond_refresh, judge, needs_approval
from reconciler.core.errors import Finding, StaleError
from reconciler.core.planner import restricted
from reconciler.core.ports import StateWriter
from reconciler.disk.atomic import read_file
from reconciler.manifests.schema import published_schema
from reconciler.render.figures import counted
from reconciler.render.saved import DIGEST, Saved, decoded, digest_of
from reconciler.wiring import Workspace

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
    """The plan that may be carried out, and the digests of the approvals that cover it."""

    planned: Planned
    digests: tuple[str, ...]


def terms_of(flags: dict[str, Any], directory: Path) -> Terms:
    """Reads what was approved. StaleError when a file is not what it was when it was approved."""
    files, digests = flags["approved"], flags["approved_digest"]
    if files and flags["refresh"]:
        raise click.UsageError("--refresh needs no --approved: give one of the two")
    if digests and len(digests) != len(files):
        raise click.UsageError("give one --approved-digest for each --approved, in the same order")
    if not files:
        return Terms(None, flags["refresh"])
    expected = digests or [None] * len(files)
    pairs = zip(files, expected, strict=True)
    return Terms(tuple(_approval(directory / file, digest) for file, digest in pairs), refresh=False)


def accepted(terms: Terms, planned: Planned, space: Workspace, state: StateWriter) -> Accepted:
    """StaleError, with all that is not covered, before anything is sent."""
    plan, receipts = planned.plan, planned.observed.receipts
    if terms.refresh:
        _refuse(beyond_refresh(plan, receipts), "this is more than a refresh")
        return Accepted(planned, ())
    if terms.approvals is None:
        _refuse(needs_approval(plan), "this needs an approved plan")
        return Accepted(planned, ())
    head, environment = state.head(), space.desired.environment
    lineage, uses = (head.lineage, head.uses) if head else ("", ())
    now = Now(environment, lineage, uses, receipts, plan.basis.made_at)
    verdict = judge(plan, terms.approvals, now)
    _refuse(verdict.findings, "what is to be done is not what was approved")
    return Accepted(_covered(planned, verdict, space), verdict.digests)


def mark(digests: Sequence[str], state: StateWriter, space: Workspace, *, completed: bool = False) -> None:
    """That these approvals are in use, or used up."""
    head, now = state.head(), space.clock.now()
    started = {use.digest: use for use in (head.uses if head else ())}
    for digest in digests:
        use = started.get(digest, Use(digest, now))
        if completed or digest not in started:
            state.mark(replace(use, completed_at=now) if completed else use)


def read_saved(file: Path) -> Saved:
    """What a file holds that --out or --json wrote. StaleError when it is none, or was changed since."""
    content = read_file(file)
    if content is None:
        raise StaleError(f"there is no saved plan {file}", remedy=NOT_OURS)
    try:
        data = json.loads(content)
        valid = published_schema("plan").is_valid(data)
    except (ValueError, RecursionError):
        valid = False
    if not valid:
        raise StaleError(f"{file} is no plan that this version of reconciler reads", remedy=NOT_OURS)
    if digest_of(data) != data[DIGEST]:
        raise StaleError(f"{file} was changed after it was saved", remedy="plan again, and approve that")
    return decoded(data)


def _approval(file: Path, digest: str | None) -> Approved:
    saved = read_saved(file)
    if digest is not None and digest != saved.digest:
        raise StaleError(
            f"{file} is not the plan that was approved: its digest is another one",
            remedy="take the file from the run that made the approved plan, or plan again",
        )
    if saved.approved is None:
        raise StaleError(f"{file} holds nothing that can be applied", remedy="mend what stood against it")
    if saved.version.partition(".")[0] != __version__.partition(".")[0]:
        raise StaleError(
            f"{file} was made by reconciler {saved.version}, and this is {__version__}",
            remedy="plan again with this version",
        )
    return saved.approved


def _refuse(findings: Sequence[Finding], problem: str) -> None:
    if findings:
        raise StaleError(problem, findings=findings)


def _covered(planned: Planned, verdict: Verdict, space: Workspace) -> Planned:
    if not verdict.left:
        return planned
    many = counted(len(verdict.left), "address has", "addresses have")
    note = f"{many} new members that were not part of the approval: the next `apply --refresh` sends them"
    batch_size = space.desired.environment.api.batch_size
    return replace(planned, plan=restricted(planned.plan, verdict.covered, batch_size, note))
