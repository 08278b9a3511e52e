"""The consent page: its content, its redirects, and the errors that it never answers with a redirect."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.consenting_user import BACK, STATE, ConsentingUser, Form, brought, s256
from support.emulator import ACCOUNT, World, mounted

OTHER = "42"
VERIFIER = "w" * 50


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with mounted(tmp_path) as world:
        world.emulator.ensure_account(OTHER, [], name="Beta")
        yield world


@pytest.fixture
def person(world: World) -> ConsentingUser:
    return ConsentingUser(world.client)


def test_the_page_lists_the_accounts_ticked(person: ConsentingUser) -> None:
    """By name and id, with what is asked for and where the browser will go."""
    page = person.sees()
    form = Form(page.text)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert form.ticked == [ACCOUNT, OTHER]
    for shown in ("Acme", "Beta", ACCOUNT, OTHER, "RetailMedia_Audience_Manage", BACK):
        assert shown in form.text
    assert form.hidden == person.asked()


def test_it_can_be_used_without_seeing_or_a_mouse(person: ConsentingUser) -> None:
    """A language, a title, one heading, labels round their boxes, a legend, and buttons; no script."""
    html = person.sees().text
    tags = Form(html).tags
    assert {"html", "title", "main", "h1", "fieldset", "legend", "label", "button"} <= tags
    assert '<html lang="en">' in html
    assert html.count("<label><input ") == 2
    assert not tags & {"script", "img", "link", "iframe", "object"}


@pytest.mark.parametrize(
    ("uri", "source"),
    [(BACK, "https://hooks.acme.example"), ("http://localhost:5000/back", "http://localhost:5000")],
)
def test_the_page_is_not_kept_framed_or_scripted(person: ConsentingUser, uri: str, source: str) -> None:
    """And its form leads nowhere but to this page and from there to the application."""
    headers = person.sees(redirect_uri=uri).headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "style-src 'unsafe-inline'", "frame-ancestors 'none'"} <= set(policy)
    assert policy[-1] == f"form-action 'self' {source}"


def test_allow_sends_a_code_and_the_state_back(person: ConsentingUser) -> None:
    """The state as it came; no other parameter."""
    state = "a&b=c <é>\" '%0d"
    sent = person.answers(person.sees(state=state), "allow")
    assert (sent.status_code, sent.headers["cache-control"]) == (303, "no-store")
    assert sent.headers["location"].startswith(f"{BACK}?")
    answer = brought(sent)
    assert answer.keys() == {"code", "state"}
    assert answer["state"] == state
    assert len(answer["code"]) >= 32


def test_deny_says_so(person: ConsentingUser, world: World) -> None:
    """No code, and no consent."""
    sent = person.answers(person.sees(), "deny")
    assert sent.status_code == 303
    assert brought(sent) == {"error": "access_denied", "state": STATE}
    assert world.emulator.revoke_consents() == 0


def test_a_request_without_a_state_is_answered_without_one(person: ConsentingUser) -> None:
    assert brought(person.answers(person.sees(state=""), "allow")).keys() == {"code"}


def test_a_query_of_the_application_is_kept(person: ConsentingUser) -> None:
    sent = person.answers(person.sees(redirect_uri=f"{BACK}?tenant=7"), "deny")
    assert brought(sent) == {"tenant": "7", "error": "access_denied", "state": STATE}


def test_markup_stays_text(person: ConsentingUser, world: World) -> None:
    """In a state, an account's name and an address."""
    markup = "\"><script>alert('x')</script>"
    world.emulator.ensure_account(OTHER, [], name=f"Beta {markup}")
    page = person.sees(state=markup, redirect_uri=f"{BACK}?a='b'&c=d")
    form = Form(page.text)
    assert "script" not in form.tags
    assert f"Beta {markup}" in form.text
    assert form.hidden["state"] == markup
    assert brought(person.answers(page, "allow"))["state"] == markup


WRONG = {
    "no client": {"client_id": ""},
    "another client": {"client_id": "0" * 32},
    "no address": {"redirect_uri": ""},
    "an address without https": {"redirect_uri": "http://hooks.acme.example/"},
    "an address of no browser": {"redirect_uri": "javascript:alert(1)"},
    "no response type": {"response_type": ""},
    "another response type": {"response_type": "token"},
    "an unknown method": {"code_challenge": s256(VERIFIER), "code_challenge_method": "S512"},
    "a method without a challenge": {"code_challenge_method": "S256"},
    "a challenge too short": {"code_challenge": "short", "code_challenge_method": "S256"},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_is_never_redirected(person: ConsentingUser, world: World, case: str) -> None:
    """Neither a request for the page, nor a manipulated form."""
    posted = {**person.asked(**WRONG[case]), "account": ACCOUNT, "decision": "allow"}
    for answer in (person.sees(**WRONG[case]), world.client.http.post("/request", data=posted)):
        assert (answer.status_code, "location" in answer.headers) == (400, False)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"].endswith("form-action 'none'")
        assert 'role="alert"' in answer.text
        assert "form" not in Form(answer.text).tags
    assert world.emulator.revoke_consents() == 0


def test_a_parameter_may_not_come_twice(person: ConsentingUser, world: World) -> None:
    """Or two readers would take different ones."""
    twice = [*person.asked().items(), ("redirect_uri", "https://evil.example/")]
    assert world.client.http.get("/request", params=twice).status_code == 400


def test_switches_narrow_what_is_acceptable(person: ConsentingUser, world: World) -> None:
    """The application's own addresses, no plain http to this machine, no request without a challenge."""
    local = {"redirect_uri": "http://127.0.0.1:5000/"}
    assert person.sees(**local).status_code == 200
    world.switch(loopback_redirects=False)
    assert person.sees(**local).status_code == 400
    world.switch(redirect_uris=("https://declared.example/",))
    assert person.sees().status_code == 400
    assert person.sees(redirect_uri="https://declared.example/").status_code == 200
    world.switch(redirect_uris=(), pkce_required=True)
    assert person.sees().status_code == 400
    assert person.sees(code_challenge=s256(VERIFIER), code_challenge_method="S256").status_code == 200


def test_someone_must_say_which_accounts(person: ConsentingUser, world: World) -> None:
    """Without one the page is shown again; one that doesn't exist is no answer of this page."""
    form = {**person.asked(), "decision": "allow"}
    again = world.client.http.post("/request", data=form)
    assert again.status_code == 400
    assert "Tick at least one account" in again.text
    assert Form(again.text).hidden == person.asked()
    for wrong in ({"account": [ACCOUNT, "7"]}, {"account": ACCOUNT, "decision": "perhaps"}):
        answer = world.client.http.post("/request", data={**form, **wrong})
        assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert world.emulator.revoke_consents() == 0


def test_a_link_allows_nothing(person: ConsentingUser, world: World) -> None:
    """A decision in the query is a request to see the page."""
    query = {**person.asked(), "account": ACCOUNT, "decision": "allow"}
    assert world.client.http.get("/request", params=query).status_code == 200
    assert world.client.http.post("/request", params=query).status_code == 400
    assert world.emulator.revoke_consents() == 0


def test_an_account_that_withdrew_can_not_be_ticked(person: ConsentingUser, world: World) -> None:
    page = person.sees()
    world.emulator.withdraw_account(OTHER)
    assert Form(person.sees().text).ticked == [ACCOUNT]
    assert person.answers(page, "allow").status_code == 400


def test_the_history_tells_decisions_and_no_parameter(person: ConsentingUser, world: World) -> None:
    """The path without its query, and what was clicked if it was one of the two."""
    before = len(world.emulator.history())
    person.answers(person.sees(), "allow")
    person.answers(person.sees(), STATE)
    calls = world.emulator.history()[before:]
    assert [(call.method, call.path, call.operation, call.action, call.status) for call in calls] == [
        ("GET", "/request", "consent", "", 200),
        ("POST", "/request", "consent", "allow", 303),
        ("GET", "/request", "consent", "", 200),
        ("POST", "/request", "consent", "", 400),
    ]
    assert STATE not in repr(calls)


def test_a_fault_of_every_call_spares_the_page(person: ConsentingUser, world: World) -> None:
    """A star is for calls of the API: a person is not bothered."""
    world.emulator.fault("500-before")
    assert person.sees().status_code == 200
