"""A stored consent is read back, also if it was added manually; damage is reported without the content."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes.clock import NOON

from reconciler.core.consent.model import (
    REFRESH_TOKEN_LIFETIME,
    RENEWAL_AGE,
    Consent,
    expires_soon,
    expiry_note,
    is_expired,
    renewed,
)
from reconciler.core.errors import AuthenticationError
from reconciler.core.secret import Secret
from reconciler.credentials.consent_store import decode, encode

pytestmark = pytest.mark.promise("credentials")

times = st.none() | st.datetimes(timezones=st.just(UTC))
tokens = st.text(st.characters(codec="ascii", min_codepoint=0x21), min_size=1).filter(
    lambda text: not text.startswith("{")
)


def parts(consent: Consent) -> tuple[object, ...]:
    return (
        consent.refresh_token.reveal(),
        consent.obtained_at,
        consent.consented_at,
        consent.accounts,
        consent.obtained_by,
        consent.login,
    )


@given(tokens, times, times, st.lists(st.text()), st.text(), st.text())
def test_what_is_kept_is_read_again(
    token: str,
    obtained: datetime | None,
    consented: datetime | None,
    accounts: list[str],
    how: str,
    login: str,
) -> None:
    consent = Consent(Secret(token), obtained, consented, tuple(accounts), how, login)
    assert parts(decode(encode(consent), "")) == parts(consent)
    assert repr(consent).startswith("Consent(refresh_token=<secret>, ")


@given(tokens)
def test_a_bare_token_was_added_manually(token: str) -> None:
    consent = decode(Secret(token), "")
    assert parts(consent) == (token, None, None, (), "put there by hand", "")
    assert (expires_soon(consent, NOON), is_expired(consent, NOON), consent.ends_at) == (False, False, None)


@pytest.mark.parametrize(
    "text",
    ["{", "{}", '{"refreshToken": "hunter2"}', '{"refreshToken": "hunter2", "obtainedAt": "tomorrow"}',
     '{"refreshToken": null, "obtainedAt": null, "consentedAt": null, "accounts": [], "how": "hunter2"}',
     '{"refreshToken": "hunter2", "obtainedAt": "2026-11-24", "consentedAt": null, "accounts": [], "how":""}',
     '{"refreshToken": "hunter2", "obtainedAt": 7, "consentedAt": null, "accounts": [], "how": ""}',
     '{"refreshToken": "hunter2", "accounts": ' + "[" * 100_000],
)  # fmt: skip
def test_something_else_in_its_place_is_said_and_not_shown(text: str) -> None:
    with pytest.raises(AuthenticationError, match="holds something else") as caught:
        decode(Secret(text), "ask again")
    assert caught.value.remedy == "ask again"
    assert "hunter2" not in str(caught.value)


def test_a_consent_warns_from_day_150_and_ends_on_day_180() -> None:
    consent = Consent(Secret("first"), obtained_at=NOON)
    assert [expires_soon(consent, NOON + timedelta(days=day)) for day in (0, 149, 150)] == [
        False,
        False,
        True,
    ]
    assert [is_expired(consent, NOON + timedelta(days=day)) for day in (0, 179, 180)] == [False, False, True]
    assert (RENEWAL_AGE.days, REFRESH_TOKEN_LIFETIME.days) == (150, 180)
    assert expiry_note(consent, "criteo", "`login`", NOON) == ""
    assert expiry_note(consent, "criteo", "`login`", NOON + RENEWAL_AGE) == (
        "criteo: the refresh token ends on 2027-05-23; ask for consent before then: `login`"
    )


def test_a_renewed_token_is_young_and_keeps_what_is_known_of_the_consent() -> None:
    consent = Consent(Secret("first"), NOON, NOON, ("1",), "auth login")
    later = NOON + timedelta(days=1)
    assert parts(renewed(consent, Secret("second"), later)) == (
        "second",
        later,
        NOON,
        ("1",),
        "auth login",
        "",
    )
    assert renewed(consent, Secret("first"), later) is consent
    assert renewed(consent, None, later) is consent
