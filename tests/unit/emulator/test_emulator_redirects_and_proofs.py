"""The allowed redirects of a consent, and the proof of the requester of a code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.consenting_user import VERIFIER, s256

from reconciler.emulator import Switches, pkce, redirects

AS_GUESSED = Switches()
words = st.text(st.sampled_from("abcXYZ019-._~"), min_size=43, max_size=128)


@pytest.mark.parametrize(
    "uri",
    [
        "https://hooks.acme.example/criteo",
        "https://hooks.acme.example",
        "https://hooks.acme.example:8443/a?b=c&d=e",
        "http://localhost:49152/callback",
        "http://127.0.0.1/callback",
        "http://[::1]:80/",
        "HTTPS://Hooks.Acme.Example/criteo",
    ],
)
def test_allowed_redirects(uri: str) -> None:
    assert redirects.acceptable(uri, AS_GUESSED)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/criteo",
        "//hooks.acme.example/criteo",
        "http://hooks.acme.example/criteo",
        "http://localhost.acme.example/",
        "http://127.0.0.1.acme.example/",
        "ftp://localhost/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://",
        "https://user@acme.example/",
        "https://@acme.example/",
        "https://acme.example/#part",
        "https://acme.example/#",
        "https://acme.example\\@evil.example/",
        "https://acme.example/\r\nset-cookie: a=b",
        "https://acme.example/ x",
        "https://acme.example;script-src/",
        "https://acme.example'/",
        "https://acme.example:port/",
        "https://acme.example:99999/",
        "https://acme.example:0/",
        "https://[::1/",
        "https://[x]/",
        "https://acmé.example/",
    ],
)
def test_these_may_not(uri: str) -> None:
    """No address, one without protection, or one that means two things to two readers."""
    assert not redirects.acceptable(uri, AS_GUESSED)


def test_this_machine_may_be_ruled_out() -> None:
    """By a switch; with https it is a place like any other."""
    switches = Switches(loopback_redirects=False)
    assert not redirects.acceptable("http://localhost/", switches)
    assert redirects.acceptable("https://localhost/", switches)


def test_declared_addresses_are_compared_letter_by_letter() -> None:
    """And a declared one must be right too."""
    switches = Switches(redirect_uris=("https://a.example/", "http://a.example/"))
    assert redirects.acceptable("https://a.example/", switches)
    for other in ("https://a.example", "https://a.example/x", "http://a.example/", "https://A.example/"):
        assert not redirects.acceptable(other, switches)


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("https://hooks.acme.example/criteo?a=b", "https://hooks.acme.example"),
        ("https://hooks.acme.example:8443/criteo", "https://hooks.acme.example:8443"),
        ("http://localhost:5000/", "http://localhost:5000"),
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
        ("http://[::1]:5000/", "http:"),
        ("https://192.0.2.1/", "https:"),
    ],
)
def test_a_policy_names_the_origin(uri: str, named: str) -> None:
    """Or its scheme only, where a policy can't name the host."""
    assert redirects.source(uri) == named


def test_an_answer_is_added_to_the_address() -> None:
    """Beside what it has, and spelled so that it stays one value."""
    answer = {"code": "c", "state": "a&b=c\r\n é"}
    assert redirects.with_answer(BARE, answer) == f"{BARE}?code=c&state=a%26b%3Dc%0D%0A+%C3%A9"
    assert redirects.with_answer(f"{BARE}?k=v", {"code": "c"}) == f"{BARE}?k=v&code=c"


BARE = "https://a.example/"


@given(words, words)
def test_only_the_verifier_answers_its_challenge(verifier: str, other: str) -> None:
    """In both methods, of which the stored form is one."""
    hashed = pkce.kept(s256(verifier), "S256")
    plain = pkce.kept(verifier, "plain")
    assert hashed == plain == pkce.kept(verifier, "")
    assert pkce.answers(verifier, hashed)
    assert pkce.answers(other, hashed) == (other == verifier)
    assert verifier not in plain


def test_a_verifier_and_a_challenge_come_together_or_not_at_all() -> None:
    assert pkce.answers("", "")
    assert not pkce.answers(VERIFIER, "")
    assert not pkce.answers("", s256(VERIFIER))
    assert not pkce.answers("short", s256("short"))
