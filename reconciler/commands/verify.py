"""`verify`: checks that what was sent arrived at Criteo, and keeps the result beside the state."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.audited import Caller, locked
from reconciler.commands.support.json_output import json_output
from reconciler.commands.support.notifying import is_wanted, notify, origin_of
from reconciler.commands.support.options import (
    ActorName,
    AsJson,
    CommonOptions,
    Environment,
    Only,
    with_options,
)
from reconciler.commands.support.selection import selected
from reconciler.commands.support.session import Session, open_session
from reconciler.core.audit.model import RunCommand
from reconciler.core.endpoints import EndpointKind, endpoint_kind
from reconciler.core.errors import LockedError, NotComputedError, NotVerifiedError
from reconciler.core.model import Address
from reconciler.core.notifications import newly_usable
from reconciler.core.promotion.proofs import proofs_of
from reconciler.core.receivers import NotificationKind
from reconciler.core.series import PointKind, SeriesRun, verified_points
from reconciler.core.verification import VerificationOutcome
from reconciler.operations.store_points import store_points
from reconciler.operations.verify_members import (
    Checks,
    check_members,
    is_open,
    store_verifications,
    wait_for_computation,
)
from reconciler.render.json.values import DocumentKind
from reconciler.render.json.verification import verification_values
from reconciler.render.numbers import counted, stamp
from reconciler.render.terminal.verification import print_verification, verification_rows


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """The addresses, and whether to wait for Criteo."""

    environment: Environment
    wait: Annotated[
        bool,
        click.option("--wait", is_flag=True, help="Wait until Criteo has computed what was sent."),
    ]
    actor: ActorName
    as_json: AsJson
    only: Only
    common: CommonOptions


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of the results: `stored` ones, and ones of addresses that another run `changed`.

    `refused`: another run holds the state, so nothing was stored.
    """

    stored: frozenset[Address]
    changed: frozenset[Address]
    refused: LockedError | None = None


@click.command(name="verify")
@with_options(VerifyOptions)
@click.pass_obj
def command(stop: object, /, options: VerifyOptions) -> None:
    """Check that the members of applied audiences arrived at Criteo, and that enough of them match.

    Criteo computes at 00:00 and 12:00 UTC. Once a computation includes the last acknowledgement, members
    are compared. Criteo must count all acknowledged members without the rejected ones, and 0.1% of them
    must match. Exit 0 if all addresses are verified, 5 if one failed, 11 if Criteo has not computed one
    yet. The state keeps each final result; `status` shows it.
    """
    with (
        json_output(DocumentKind.VERIFICATION, wanted=options.as_json) as page,
        open_session(stop, options.environment, options.common) as session,
    ):
        with session.shown.progress:
            checks = _checks(session, options)
        notifies = is_wanted(session.space, session.settings, NotificationKind.USABLE)
        before = session.space.store.reader().verifications().by_address() if notifies else {}
        kept = _kept(session, checks, Caller.of(RunCommand.VERIFY, session.settings, options.actor))
        now, figures = session.space.clock.now(), session.shown.figures
        results, kind = [one.result for one in checks], endpoint_kind(session.space.desired.environment.api)
        page.content = verification_values(options.environment, kind, results, kept.stored, now, figures)
        if not options.as_json:
            rows = verification_rows(
                options.environment, ((one.result, one.resource) for one in checks), now, figures
            )
            print_verification(options.environment, rows, _note(options, kept), figures, session.shown.out)
        if notifies:
            origin = origin_of(session.space, session.settings, "verify")
            stored = (one for one in checks if one.spec.address in kept.stored)
            outcomes = {one.spec.address: one.result.outcome for one in stored}
            notify(session.space, session.settings, newly_usable(origin, before, outcomes))
        if kept.refused:
            raise kept.refused
        _check_all(options, kind, checks)


def _checks(session: Session, options: VerifyOptions) -> Checks:
    space, progress = session.space, session.shown.progress.doing
    declared = frozenset(spec.address for spec in space.desired.segments)
    only, readers = selected(options.only, declared), space.readers()

    def check(addresses: Container[Address]) -> Checks:
        return check_members(space.desired, addresses, readers, space.store.reader(), space.clock, progress)

    found = check(only)
    return wait_for_computation(found, check, readers.values(), space.clock) if options.wait else found


def _kept(session: Session, checks: Checks, caller: Caller) -> Kept:
    """Store final results. The lock is held for this write only."""
    if not any(one.result.outcome.is_kept for one in checks):
        return Kept(frozenset(), frozenset())
    environment = session.space.desired.environment.name
    try:
        with locked(session.space, caller) as (state, entry):
            stored, changed = store_verifications(state, session.space.desired, checks)
            entry.changed("verified", stored)
            proofs = proofs_of(state.verifications().verifications)
            points = verified_points((one.result for one in checks if one.spec.address in stored), proofs)
            now = session.space.clock.now()
            store_points(state, SeriesRun(entry.id, PointKind.VERIFY, now, points))
            return Kept(stored, changed)
    except LockedError as error:
        return Kept(
            frozenset(),
            frozenset(),
            LockedError(
                f"the results are not kept: {error.problem}",
                remedy=f"run `reconciler verify {environment}` again after that run",
            ),
        )


def _note(options: VerifyOptions, kept: Kept) -> str:
    if kept.changed:
        changed = counted(len(kept.changed), "address was", "addresses were")
        return f"{changed} applied meanwhile: those results are not kept."
    return f"`reconciler status {options.environment}` shows the kept results." if kept.stored else ""


def _check_all(options: VerifyOptions, kind: EndpointKind, checks: Checks) -> None:
    """Raise unless all addresses are verified. A failure outweighs a computation to come."""
    open_ = [one.result for one in checks if is_open(one.result)]
    failed = sum(one.result.outcome is not VerificationOutcome.VERIFIED for one in checks) - len(open_)
    environment, total = options.environment, counted(len(checks), "address", "addresses")
    if failed:
        raise NotVerifiedError(
            f"{environment}: {failed:,} of {total} failed verification",
            remedy="fix what the report names for each address, then verify again",
        )
    if open_:
        due = max((one.due_at for one in open_ if one.due_at), default=None)
        again = f"run `reconciler verify {environment}` again" + (f" after {stamp(due)}" if due else "")
        emulated = kind is EndpointKind.EMULATOR
        raise NotComputedError(
            f"{environment}: Criteo has not computed {len(open_):,} of {total} yet",
            remedy=f"{again}, or move the clock: `reconciler emulator advance {environment} 12h`"
            if emulated
            else f"{again}, or pass --wait",
        )
