"""The authorization URL and the redirect URL: what is accepted, and what is refused."""

import base64
import hashlib
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes.clock import NOON

from reconciler.core.consent.authorization_url import (
    NONCE,
    URL_LIFETIME,
    ConsentSubject,
    OAuthClient,
    RedirectResult,
    authorization_url,
    is_answer,
    parse_redirect,
)
from reconciler.core.errors import AuthenticationError
from reconciler.core.secret import Secret

pytestmark = pytest.mark.promise("credentials")

KEY, CHANCE = b"k" * 32, b"n" * NONCE
SUBJECT = ConsentSubject("sandbox", "criteo", planning=False)
BACK = "https://hooks.acme.example/criteo"
AGAIN = "`reconciler auth login sandbox criteo`"


def asked(*, pkce: bool = False, nonce: bytes = CHANCE) -> dict[str, str]:
    made = authorization_url(
        "https://consent.criteo.com/request",
        OAuthClient(Secret("id+1"), BACK, pkce),
        KEY,
        nonce,
        SUBJECT,
        NOON,
    )
    assert made.startswith("https://consent.criteo.com/request?response_type=code&client_id=id%2B1&")
    return {name: value for name, [value] in parse_qs(urlsplit(made).query).items()}


def back(**query: str) -> str:
    return f"{BACK}?{urlencode(query)}"


def came(
    redirected: str, subject: ConsentSubject = SUBJECT, after: timedelta = timedelta(0)
) -> RedirectResult:
    return parse_redirect(redirected, KEY, subject, NOON + after, AGAIN)


def refused(
    redirected: str, subject: ConsentSubject = SUBJECT, after: timedelta = timedelta(0)
) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        came(redirected, subject, after)
    assert caught.value.exit_code == 4
    assert "hunter2" not in f"{caught.value.problem} {caught.value.remedy}"
    return caught.value


def test_the_matching_redirect_is_accepted() -> None:
    query = asked()
    assert query["redirect_uri"] == BACK
    assert "code_challenge" not in query
    assert came(f"  {back(code='a b', state=query['state'])}#_=_\n").code.reveal() == "a b"


def test_the_verifier_matches_the_sent_challenge() -> None:
    query = asked(pkce=True)
    verifier = came(back(code="c", state=query["state"])).verifier.reveal()
    digest = hashlib.sha256(verifier.encode()).digest()
    assert query["code_challenge_method"] == "S256"
    assert query["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert len(verifier) == 43
    assert verifier not in urlencode(query)


def test_no_two_addresses_share_a_verifier() -> None:
    one, other = asked(pkce=True), asked(pkce=True, nonce=b"m" * NONCE)
    assert one["code_challenge"] != other["code_challenge"]


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_state_changed_on_the_way_is_refused(position: int, change: int) -> None:
    state = bytearray(asked()["state"].encode())
    state[position % len(state)] ^= change
    text = state.decode(errors="replace")
    assert "not one that was given out here" in refused(back(code="hunter2", state=text)).problem


@pytest.mark.parametrize("state", ["x", "ä", "A" * 200, "====", "\ud800"])
def test_a_foreign_state_parameter_is_refused(state: str) -> None:
    query = urlencode({"code": "hunter2", "state": state}, errors="replace")
    assert "not one that was given out here" in refused(f"{BACK}?{query}").problem


@pytest.mark.parametrize(
    "subject",
    [
        ConsentSubject("production", "criteo", planning=False),
        ConsentSubject("sandbox", "other", planning=False),
        ConsentSubject("sandbox", "criteo", planning=True),
    ],
)
def test_a_state_is_for_one_application_of_one_environment(subject: ConsentSubject) -> None:
    error = refused(back(code="hunter2", state=asked()["state"]), subject)
    assert AGAIN in error.remedy


def test_an_address_waits_a_week_and_no_longer() -> None:
    redirected = back(code="hunter2", state=asked()["state"])
    came(redirected, after=URL_LIFETIME)
    assert "more than 7 days ago" in refused(redirected, after=URL_LIFETIME + timedelta(seconds=1)).problem


@pytest.mark.parametrize(
    ("error", "why"),
    [("access_denied", "consent was denied"), ("hunter2", "for a reason of its own")],
)
def test_a_denial_says_what_to_do(error: str, why: str) -> None:
    found = refused(back(error=error, error_description="hunter2", state=asked()["state"]))
    assert why in found.problem
    assert AGAIN in found.remedy


@pytest.mark.parametrize(
    "pasted", ["", "hunter2", BACK, f"{BACK}?state=hunter2", f"{BACK}?code=hunter2", "https://[", "\udcff?"]
)
def test_something_else_that_was_pasted_is_not_repeated(pasted: str) -> None:
    assert "holds no answer" in refused(pasted).problem
    assert not is_answer(pasted)


def test_what_a_mail_put_around_it_is_ignored() -> None:
    redirected = back(code="c", state=asked()["state"])
    for pasted in (f'"{redirected}"', f"<{redirected}>", f" '{redirected}' "):
        assert is_answer(pasted)
        assert came(pasted).code.reveal() == "c"


def test_the_address_to_open_is_distinguished_from_the_one_to_paste() -> None:
    pasted = f"https://consent.criteo.com/request?{urlencode(asked())}"
    assert "this is the address to open" in refused(pasted).problem


def test_bytes_that_are_no_text_are_no_state() -> None:
    assert "not one that was given out here" in refused(f"{BACK}?code=hunter2&state=\udcff").problem


def test_each_address_is_distinguished_from_all_others() -> None:
    one, other = (came(back(code="c", state=asked(nonce=bytes([n]) * NONCE)["state"])) for n in (1, 2))
    assert one.login != other.login
