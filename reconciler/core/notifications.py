"""Which notifications a run sends to receivers, and what they state. They contain no members."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.events import AddressBlocked, ChangeEnded, ChangeOutcome, RunOutcome
from reconciler.core.model import Address
from reconciler.core.receivers import NotificationKind, Receiver
from reconciler.core.verification import Verification, VerificationOutcome

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing that happened in an environment, and the addresses or credentials that it concerns.

    `run` is the job's URL, or a user and a machine.
    """

    kind: NotificationKind
    environment: str
    command: str
    run: str
    at: datetime
    addresses: tuple[Address, ...] = ()
    credentials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """The run that notifications come from."""

    environment: str
    command: str
    run: str
    at: datetime

    def says(
        self, kind: NotificationKind, addresses: Iterable[Address] = (), credentials: Iterable[str] = ()
    ) -> Notification:
        return Notification(
            kind,
            self.environment,
            self.command,
            self.run,
            self.at,
            tuple(sorted(set(addresses))),
            tuple(sorted(credentials)),
        )


def of_run(
    origin: Origin, outcome: RunOutcome, blocked: Iterable[AddressBlocked], ended: Iterable[ChangeEnded]
) -> tuple[Notification, ...]:
    """Return the notifications of an apply or a teardown. A cancelled run sends none: somebody stopped it.

    Blocked addresses and failures are separate, because they have different readers.
    """
    if outcome is RunOutcome.CANCELLED:
        return ()
    stuck = {one.address for one in blocked}
    failed = {one.address for one in ended if one.outcome is not ChangeOutcome.APPLIED}
    applied = any(one.outcome is ChangeOutcome.APPLIED for one in ended)
    found = []
    if stuck or outcome is RunOutcome.REFUSED:
        found.append(origin.says(NotificationKind.BLOCKED, stuck))
    if failed or outcome is RunOutcome.FAILED:
        kind = NotificationKind.PARTIALLY_APPLIED if applied else NotificationKind.FAILED
        found.append(origin.says(kind, failed))
    return tuple(found)


def newly_usable(
    origin: Origin, before: Mapping[Address, Verification], results: Mapping[Address, VerificationOutcome]
) -> tuple[Notification, ...]:
    """Return a notification about addresses that were verified now, and were not before."""
    verified = VerificationOutcome.VERIFIED
    found = [
        address
        for address, outcome in results.items()
        if outcome is verified and not (address in before and before[address].outcome is verified)
    ]
    return (origin.says(NotificationKind.USABLE, found),) if found else ()


def wanted(receiver: Receiver, found: Iterable[Notification]) -> tuple[Notification, ...]:
    return tuple(one for one in found if one.kind in receiver.kinds)
