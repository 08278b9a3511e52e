"""Codes and refresh tokens work once, for a limited time, for one application, and are never stored."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.consenting_user import BACK, STATE, VERIFIER, ConsentingUser, brought, s256
from support.emulator import ACCOUNT, World, mounted, sha256

DAY = 86_400


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with mounted(tmp_path) as world:
        yield world


@pytest.fixture
def person(world: World) -> ConsentingUser:
    return ConsentingUser(world.client)


def error(answer: httpx.Response) -> tuple[int, str]:
    """Errors have the form of OAuth."""
    assert set(answer.json()) == {"error", "error_description", "error_uri"}
    return answer.status_code, answer.json()["error"]


GONE = (400, "invalid_grant")


# -- codes -----------------------------------------------------------------------------------------


def test_a_code_is_exchanged_for_tokens(person: ConsentingUser, world: World) -> None:
    answer = person.exchanges(person.code())
    reported = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert (reported["token_type"], reported["expires_in"]) == ("Bearer", 900)
    assert len({reported["access_token"], reported["refresh_token"]}) == 2
    person.authorizes_with(reported)
    assert world.client.search().status_code == 200
    world.emulator.advance(900)
    assert world.client.search().json()["errors"][0]["code"] == "authorization-token-expired"


def test_a_code_is_good_for_a_minute(person: ConsentingUser, world: World) -> None:
    """Or for as long as a switch says."""
    code = person.code()
    world.emulator.advance(59)
    assert person.exchanges(code).status_code == 200
    late = person.code()
    world.emulator.advance(60)
    assert error(person.exchanges(late)) == GONE
    world.switch(code_seconds=600)
    longer = person.code()
    world.emulator.advance(599)
    assert person.exchanges(longer).status_code == 200


def test_a_reused_code_revokes_its_tokens(person: ConsentingUser, world: World) -> None:
    """A reused code revokes its tokens: a thief may have them. Another consent stays valid."""
    other = person.consents()
    code = person.code()
    tokens = person.exchanges(code).json()
    person.authorizes_with(tokens)
    assert world.client.search().status_code == 200
    assert error(person.exchanges(code)) == GONE
    assert world.client.search().status_code == 403
    assert error(person.refreshes(tokens["refresh_token"])) == GONE
    person.authorizes_with(other)
    assert world.client.search().status_code == 200


@pytest.mark.parametrize("uri", [BACK + "/", "https://evil.example/", BACK.upper()])
def test_a_code_is_for_the_address_it_was_sent_to(person: ConsentingUser, uri: str) -> None:
    """The code stays valid for a request with the right values."""
    code = person.code()
    assert error(person.exchanges(code, redirect_uri=uri)) == GONE
    assert person.exchanges(code).status_code == 200


def test_an_unknown_code_is_refused(person: ConsentingUser) -> None:
    assert error(person.exchanges("x" * 43)) == GONE


@pytest.mark.parametrize("missing", ["code", "redirect_uri", "grant_type"])
def test_what_is_missing_is_named(person: ConsentingUser, missing: str) -> None:
    right = {"grant_type": "authorization_code", "code": person.code(), "redirect_uri": BACK}
    answer = person.client.token(**right | {missing: ""})
    assert error(answer) == (400, "invalid_request")
    assert missing in answer.json()["error_description"]


def test_a_parameter_may_not_come_twice(world: World, person: ConsentingUser) -> None:
    """Whichever was meant."""
    given = world.emulator.credentials
    form = {
        "grant_type": "authorization_code",
        "client_id": given.client_id,
        "client_secret": given.client_secret,
        "code": [person.code(), "another"],
        "redirect_uri": BACK,
    }
    assert error(world.client.http.post("/oauth2/token", data=form)) == (400, "invalid_request")


@pytest.mark.parametrize("wrong", [{"client_secret": "wrong"}, {"client_secret": ""}, {"client_id": "wrong"}])
def test_the_application_must_authenticate(person: ConsentingUser, wrong: dict[str, str]) -> None:
    """For every grant; a stranger uses up nothing."""
    code = person.code()
    assert error(person.exchanges(code, **wrong)) == (401, "invalid_client")
    tokens = person.exchanges(code).json()
    refused = person.client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"], **wrong)
    assert error(refused) == (401, "invalid_client")
    assert person.refreshes(tokens["refresh_token"]).status_code == 200


# -- proof of who asked ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "challenge",
    [
        {"code_challenge": s256(VERIFIER), "code_challenge_method": "S256"},
        {"code_challenge": VERIFIER, "code_challenge_method": "plain"},
        {"code_challenge": VERIFIER},
    ],
    ids=["S256", "plain", "plain by default"],
)
@pytest.mark.parametrize("required", [False, True])
def test_a_challenge_wants_its_verifier(
    person: ConsentingUser, world: World, challenge: dict[str, str], required: bool
) -> None:
    world.switch(pkce_required=required)
    code = person.code(**challenge)
    for wrong in ({}, {"code_verifier": "x" * 43}, {"code_verifier": s256(VERIFIER)}, {"code_verifier": "v"}):
        assert error(person.exchanges(code, **wrong)) == GONE
    assert person.exchanges(code, code_verifier=VERIFIER).status_code == 200


def test_a_verifier_without_a_challenge_is_refused(person: ConsentingUser) -> None:
    """An attacker removed the challenge from the URL of the page."""
    assert error(person.exchanges(person.code(), code_verifier=VERIFIER)) == GONE


# -- refresh tokens --------------------------------------------------------------------------------


def test_each_refresh_gives_a_new_one_and_ends_the_old(person: ConsentingUser, world: World) -> None:
    first = person.consents()
    second = person.refreshes(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert error(person.refreshes(first["refresh_token"])) == GONE
    third = person.refreshes(second["refresh_token"])
    assert third.status_code == 200
    for tokens in (first, second, third.json()):
        person.authorizes_with(tokens)
        assert world.client.search().status_code == 200


def test_without_rotation_the_same_one_stays_good(person: ConsentingUser, world: World) -> None:
    world.switch(rotate_refresh_tokens=False)
    tokens = person.consents()
    for _ in range(3):
        assert person.refreshes(tokens["refresh_token"]).json()["refresh_token"] == tokens["refresh_token"]


@pytest.mark.parametrize("rotates", [True, False])
def test_a_refresh_token_lives_180_days(person: ConsentingUser, world: World, rotates: bool) -> None:
    """A new one its own 180; the same one is not made younger by use."""
    world.switch(rotate_refresh_tokens=rotates)
    tokens, unused = person.consents(), person.consents()
    world.emulator.advance(180 * DAY - 1)
    renewed = person.refreshes(tokens["refresh_token"]).json()
    world.emulator.advance(1)
    assert error(person.refreshes(unused["refresh_token"])) == GONE
    assert person.refreshes(renewed["refresh_token"]).status_code == (200 if rotates else 400)


def test_the_number_of_days_is_a_switch(person: ConsentingUser, world: World) -> None:
    world.switch(refresh_token_days=1)
    tokens = person.consents()
    world.emulator.advance(DAY)
    assert error(person.refreshes(tokens["refresh_token"])) == GONE


@pytest.mark.parametrize("revokes", [False, True])
def test_a_replaced_refresh_token_may_end_the_consent(
    person: ConsentingUser, world: World, revokes: bool
) -> None:
    """By a switch: then the new one is worth nothing either."""
    world.switch(reuse_revokes=revokes)
    first = person.consents()
    second = person.refreshes(first["refresh_token"]).json()
    assert error(person.refreshes(first["refresh_token"])) == GONE
    person.authorizes_with(second)
    assert world.client.search().status_code == (403 if revokes else 200)
    assert person.refreshes(second["refresh_token"]).status_code == (400 if revokes else 200)


def test_token_types_are_not_interchangeable(person: ConsentingUser, world: World) -> None:
    """Nor is a code for either."""
    code = person.code()
    tokens = person.exchanges(code).json()
    for wrong in (code, tokens["access_token"]):
        assert error(person.refreshes(wrong)) == GONE
    person.authorizes_with({"access_token": tokens["refresh_token"]})
    assert world.client.search().status_code == 401


def test_client_credentials_give_no_refresh_token(world: World) -> None:
    assert world.client.token().json()["refresh_token"] is None
    missing = world.client.token(grant_type="refresh_token")
    assert error(missing) == (400, "invalid_request")


@pytest.mark.parametrize(("kind", "left"), [("500-before", 200), ("500-after", 400)])
def test_an_answer_may_be_lost_after_a_refresh(
    person: ConsentingUser, world: World, kind: str, left: int
) -> None:
    """The old token is used up, and the new token is lost: the price of rotation."""
    tokens = person.consents()
    world.emulator.fault(kind, "token")  # type: ignore[arg-type] # one of its kinds
    assert person.refreshes(tokens["refresh_token"]).status_code == 500
    assert person.refreshes(tokens["refresh_token"]).status_code == left


def test_an_answer_may_never_come(person: ConsentingUser, world: World) -> None:
    """Silence, after the code was used."""
    code = person.code()
    world.emulator.fault("timeout-after", "token")
    with pytest.raises(httpx.ReadTimeout):
        person.exchanges(code)
    assert world.emulator.history()[-1].fault == "timeout-after"
    assert error(person.exchanges(code)) == GONE


# -- what is kept ----------------------------------------------------------------------------------


def test_everything_survives_the_process(tmp_path: Path) -> None:
    with mounted(tmp_path) as world:
        person = ConsentingUser(world.client)
        tokens, code = person.consents(), person.code()
    with mounted(tmp_path) as again:
        person = ConsentingUser(again.client)
        assert person.refreshes(tokens["refresh_token"]).status_code == 200
        assert person.exchanges(code).status_code == 200


def test_a_reset_removes_consents(person: ConsentingUser, world: World) -> None:
    tokens, code = person.consents(), person.code()
    world.emulator.reset()
    assert world.emulator.revoke_consents() == 0
    for _ in range(2):
        person.consents()  # of the same numbers as those that were forgotten
    assert error(person.refreshes(tokens["refresh_token"])) == GONE
    assert error(person.exchanges(code)) == GONE
    person.authorizes_with(tokens)
    assert world.client.search().status_code == 401


def test_the_history_names_the_grant(person: ConsentingUser, world: World) -> None:
    """If it is one of the three: a client may send anything."""
    tokens = person.consents()
    person.refreshes(tokens["refresh_token"])
    world.client.token(grant_type=STATE)
    calls = [call for call in world.emulator.history() if call.operation == "token"]
    assert [(call.path, call.action, call.status) for call in calls] == [
        ("/oauth2/token", "client_credentials", 200),
        ("/oauth2/token", "authorization_code", 200),
        ("/oauth2/token", "refresh_token", 200),
        ("/oauth2/token", "", 400),
    ]


def test_no_secret_is_reported_or_kept(tmp_path: Path) -> None:
    """Nowhere in the file, nor in any answer but the one that gives it."""
    with mounted(tmp_path) as world:
        person, reported = ConsentingUser(world.client), []
        code = person.code(code_challenge=VERIFIER, code_challenge_method="plain")
        reported += [
            person.exchanges(code, code_verifier="x" * 43),
            person.exchanges(code, redirect_uri=STATE),
        ]
        tokens = person.exchanges(code, code_verifier=VERIFIER).json()
        renewed = person.refreshes(tokens["refresh_token"]).json()
        reported += [
            person.refreshes(tokens["refresh_token"]),
            person.exchanges(code, code_verifier=VERIFIER),
        ]
        reported += [person.exchanges(STATE), person.refreshes(STATE), person.sees(client_id=STATE)]
        denied = person.answers(person.sees(), "deny")
        secret = world.emulator.credentials.client_secret
        assert brought(denied)["state"] == STATE
    found = {secret, code, VERIFIER, STATE, BACK}
    found |= {one[name] for one in (tokens, renewed) for name in ("access_token", "refresh_token")}
    with sqlite3.connect(tmp_path / "emulator.db") as db:
        dumped = "\n".join(db.iterdump())
    db.close()
    assert {one for one in found if one in dumped} == {secret}  # which is the emulator's own
    assert sha256(code) in dumped
    assert ACCOUNT in dumped
    assert not [one for answer in reported for one in found if one in answer.text]
