"""Without a receiver that wants it, a run reads no consent and reports its own end only."""

from types import SimpleNamespace

import pytest

from reconciler.commands.support.notifying import is_wanted, notified
from reconciler.core.receivers import NotificationForm, NotificationKind, Receiver
from reconciler.render.document.apply_report import RunTotals


class Space:
    """A workspace whose consents may not be read."""

    def __init__(self, *kinds: NotificationKind) -> None:
        wants = [Receiver("ci", "env:HOOK", NotificationForm.JSON, frozenset(kinds))] if kinds else []
        self.desired = SimpleNamespace(environment=SimpleNamespace(name="sandbox", receivers=tuple(wants)))
        self.clock = SimpleNamespace(now=lambda: None)

    def consents(self):
        raise AssertionError("a consent is read for nobody")


SETTINGS = SimpleNamespace(emulate=False, who="ci")
RUN = SimpleNamespace(tally=RunTotals(), seconds=0.0)


@pytest.mark.parametrize("space", [Space(), Space(NotificationKind.BLOCKED)])
def test_a_consent_is_read_only_for_a_receiver_of_consents(space):
    assert notified(space, SETTINGS, "apply", RUN, lambda: 0) == 0


def test_a_receiver_of_consents_makes_a_run_read_them():
    with pytest.raises(AssertionError, match="read for nobody"):
        notified(Space(NotificationKind.CONSENT), SETTINGS, "apply", RUN, lambda: 0)


def test_nothing_is_wanted_of_a_run_on_a_throw_away_emulator():
    space = Space(NotificationKind.DRIFT)
    assert is_wanted(space, SETTINGS, NotificationKind.DRIFT)
    assert not is_wanted(space, SETTINGS, NotificationKind.BLOCKED)
    assert not is_wanted(space, SimpleNamespace(emulate=True), NotificationKind.DRIFT)
