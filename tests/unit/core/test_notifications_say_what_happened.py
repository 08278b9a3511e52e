"""A run notifies of blocked addresses, failures, new usable addresses; of nothing else."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reconciler.core.endpoints import EndpointKind
from reconciler.core.events import AddressBlocked, ChangeEnded, ChangeOutcome, RunOutcome
from reconciler.core.model import Address, Seat
from reconciler.core.notifications import Notification, Origin, newly_usable, of_run, wanted
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.receivers import NotificationForm, NotificationKind, Receiver
from reconciler.core.verification import Verification, VerificationOutcome

NOW = datetime(2026, 11, 30, 6, tzinfo=UTC)
ORIGIN = Origin("production", "apply", "https://ci.example.com/7", NOW)
BUYERS, LAPSED = Address("email", "buyers"), Address("email", "lapsed")
BLOCKED = AddressBlocked(BUYERS, Cause.GUARD, "too few", "look")


def ended(address: Address, outcome: ChangeOutcome) -> ChangeEnded:
    return ChangeEnded(address, outcome)


APPLIED, FAILED = ended(LAPSED, ChangeOutcome.APPLIED), ended(BUYERS, ChangeOutcome.FAILED)
INTERRUPTED, SKIPPED = ended(BUYERS, ChangeOutcome.INTERRUPTED), ended(BUYERS, ChangeOutcome.SKIPPED)


@pytest.mark.parametrize(
    ("outcome", "blocked", "changes", "sent"),
    [
        (RunOutcome.DONE, [], [APPLIED], []),
        (RunOutcome.NO_CHANGES, [], [], []),
        (RunOutcome.REFUSED, [], [], [("blocked", ())]),
        (RunOutcome.REFUSED, [BLOCKED, BLOCKED], [], [("blocked", (BUYERS,))]),
        (RunOutcome.PARTIALLY_APPLIED, [BLOCKED], [APPLIED], [("blocked", (BUYERS,))]),
        (RunOutcome.PARTIALLY_APPLIED, [], [APPLIED, FAILED], [("partiallyApplied", (BUYERS,))]),
        (RunOutcome.PARTIALLY_APPLIED, [], [APPLIED, SKIPPED], [("partiallyApplied", (BUYERS,))]),
        (RunOutcome.PARTIALLY_APPLIED, [], [INTERRUPTED], [("failed", (BUYERS,))]),
        (RunOutcome.FAILED, [], [], [("failed", ())]),
        (RunOutcome.CANCELLED, [BLOCKED], [APPLIED, INTERRUPTED], []),
    ],
)
def test_each_outcome_of_a_run(outcome, blocked, changes, sent):
    found = of_run(ORIGIN, outcome, blocked, changes)
    assert [(one.kind.value, one.addresses) for one in found] == sent
    assert all((one.environment, one.command, one.at) == ("production", "apply", NOW) for one in found)


def verification(outcome: VerificationOutcome) -> Verification:
    return Verification(
        BUYERS, outcome, NOW, NOW, (), EndpointKind.CRITEO, Seat("1", "2"), None, "7", 1, 0, 1, 1
    )


@pytest.mark.parametrize("outcome", VerificationOutcome)
def test_an_address_is_usable_once_it_is_verified(outcome):
    verified = VerificationOutcome.VERIFIED
    first = newly_usable(ORIGIN, {}, {BUYERS: outcome})
    assert [one.addresses for one in first] == ([(BUYERS,)] if outcome is verified else [])
    assert newly_usable(ORIGIN, {BUYERS: verification(verified)}, {BUYERS: outcome}) == ()
    again = newly_usable(ORIGIN, {BUYERS: verification(VerificationOutcome.TOO_FEW)}, {BUYERS: outcome})
    assert again == first


def test_a_receiver_gets_what_it_asked_for():
    found = [Notification(kind, "production", "apply", "", NOW) for kind in NotificationKind]
    receiver = Receiver("channel", "env:URL", NotificationForm.SLACK, frozenset({NotificationKind.DRIFT}))
    assert wanted(receiver, found) == (replace(found[0], kind=NotificationKind.DRIFT),)
