"""Notifies the receivers of an environment. A receiver that fails is a warning, and changes no exit code."""

from collections.abc import Callable, Sequence
from functools import partial

import click

from reconciler.commands.support.run import Run, exit_code_of
from reconciler.core.consent.model import expires_soon
from reconciler.core.errors import ReconcilerError
from reconciler.core.events import ChangeOutcome, run_ended
from reconciler.core.model import Address
from reconciler.core.notifications import Notification, Origin, of_run, wanted
from reconciler.core.receivers import NotificationKind
from reconciler.settings import Settings
from reconciler.system_errors import BUG
from reconciler.workspace import Workspace


def origin_of(space: Workspace, settings: Settings, command: str) -> Origin:
    return Origin(space.desired.environment.name, command, settings.who, space.clock.now())


def is_wanted(space: Workspace, settings: Settings, kind: NotificationKind) -> bool:
    """Return whether a receiver wants such notifications. A run with `--emulate` sends none."""
    return not settings.emulate and any(kind in one.kinds for one in space.desired.environment.receivers)


def notify(space: Workspace, settings: Settings, found: Sequence[Notification]) -> None:
    """Send each notification to the receivers that want it."""
    chosen = {one: wanted(one, found) for one in space.desired.environment.receivers}
    if settings.emulate or not any(chosen.values()):
        return
    from reconciler.notify.webhooks import Delivery, deliver
    from reconciler.render.notifications import body

    secrets = space.secrets()
    problems = deliver(
        [
            Delivery(one.name, partial(secrets.fetch, one.url), [body(each, one.form) for each in sent])
            for one, sent in chosen.items()
            if sent
        ]
    )
    for name, problem in sorted(problems.items()):
        click.echo(f"Warning: {name} was not notified: {problem}. The run is not affected.", err=True)


def notified(space: Workspace, settings: Settings, command: str, run: Run, work: Callable[[], int]) -> int:
    """Do the work of a run that writes, and notify of its outcome, whatever ends it."""
    code = BUG
    try:
        code = work()
    except BaseException as error:
        code = exit_code_of(error)
        raise
    finally:
        tally, origin = run.tally, origin_of(space, settings, command)
        outcome = run_ended(code, tally.counts, tally.work, run.seconds).ending
        ended = [each for one in ChangeOutcome for each in tally.ended(one)]
        notify(
            space,
            settings,
            (*of_run(origin, outcome, tally.blocked, ended), *_ending_consents(space, settings, origin)),
        )
    return code


def notify_of_drift(space: Workspace, settings: Settings, addresses: Sequence[Address]) -> None:
    if addresses:
        drift = origin_of(space, settings, "drift").says(NotificationKind.DRIFT, addresses)
        notify(space, settings, [drift])


def _ending_consents(space: Workspace, settings: Settings, origin: Origin) -> tuple[Notification, ...]:
    """Read no consent for nobody: it may be in Vault or AWS."""
    if not is_wanted(space, settings, NotificationKind.CONSENT):
        return ()
    now = space.clock.now()
    try:
        ending = [str(role) for role, consent in space.consents() if expires_soon(consent, now)]
    except ReconcilerError:  # the run itself reported that
        return ()
    return (origin.says(NotificationKind.CONSENT, credentials=ending),) if ending else ()
