"""Tokens by consent: requested under a lock, stored before use, and the errors if that fails."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import pytest
from support.fakes.clock import NOON, FakeClock
from support.fakes.consents import MemoryPlace
from support.fakes.scripted_criteo import TOKEN, Script, Step, answer

from reconciler.core.consent.model import Consent
from reconciler.core.errors import (
    AuthenticationError,
    CancelledError,
    LockedError,
    ReconcilerError,
    RemoteError,
)
from reconciler.core.secret import Secret
from reconciler.criteo.answers import LARGEST
from reconciler.criteo.connection import Connection, connect, redeem
from reconciler.criteo.grants import WRITES, AuthorizationCode, ClientKeys, Grant, RedirectCode, RefreshToken

pytestmark = pytest.mark.promise("credentials")

KEYS = ClientKeys(Secret("client"), Secret("hush"))
AGAIN = "`reconciler auth login sandbox criteo`"
LISTED = answer(200, {"data": []})
GONE = answer(400, {"error": "invalid_grant", "error_description": "first is not good"})


def granted(number: int, refresh_token: object) -> httpx.Response:
    body = {"access_token": f"{TOKEN}-{number}", "expires_in": 900, "refresh_token": refresh_token}
    return answer(200, body)


def garbled(_request: httpx.Request) -> httpx.Response:
    """Says to be gzip, and is not."""
    return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"hunter2"))


def larger(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, stream=httpx.ByteStream(b" " * (LARGEST + 1)))


@contextmanager
def connected(script: Script, clock: FakeClock, grant: Grant) -> Iterator[Connection]:
    with connect(
        base_url="https://api.example",
        version="2026-07",
        token_url="",
        grant=grant,
        timeout=timedelta(seconds=60),
        clock=clock,
        transport=httpx.MockTransport(script),
        chance=lambda: 1.0,
    ) as connection:
        yield connection


class World:
    """One stored consent, and a fake Criteo with scripted answers to token requests."""

    def __init__(self, *tokens: Step, **place: int) -> None:
        self.clock = FakeClock()
        self.place = MemoryPlace(Consent(Secret("first"), obtained_at=NOON), **place)
        self.script = Script([self._listed], list(tokens))
        self.grant = RefreshToken(KEYS, self.place, self.clock, AGAIN)
        self.kept_at_call: list[str] = []

    def search(self) -> None:
        with connected(self.script, self.clock, self.grant) as connection:
            connection.reader.segments("1")

    def refused(self) -> AuthenticationError:
        with pytest.raises(AuthenticationError) as caught:
            self.search()
        assert not self.place.held
        assert "first" not in f"{caught.value.problem} {caught.value.remedy}"
        return caught.value

    @property
    def kept(self) -> str:
        assert self.place.consent is not None
        return self.place.consent.refresh_token.reveal()

    @property
    def asked(self) -> list[dict[str, list[str]]]:
        return [parse_qs(call.content.decode()) for call in self.script.token_calls]

    def _listed(self, request: httpx.Request) -> httpx.Response:
        self.kept_at_call.append(self.kept)
        assert not self.place.held, "other runs wait while we use the token"
        return httpx.Response(200, content=LISTED.content)


def test_the_new_refresh_token_is_kept_before_the_access_token_is_used() -> None:
    world = World(granted(1, "second"), granted(2, "third"))
    with connected(world.script, world.clock, world.grant) as connection:
        connection.reader.segments("1")
        world.clock.advance(900)
        connection.reader.segments("1")
    assert [form["refresh_token"] for form in world.asked] == [["first"], ["second"]]
    assert world.asked[0]["grant_type"] == ["refresh_token"]
    assert world.kept_at_call == ["second", "third"]
    assert world.place.consent
    assert world.place.consent.obtained_at == NOON + timedelta(seconds=900)
    assert {secret.reveal() for secret in world.grant.secrets()} >= {"hush", "first", "second", "third"}


@pytest.mark.parametrize("unchanged", ["first", None])
def test_a_token_that_is_not_rotated_is_not_written_and_grows_no_younger(unchanged: str | None) -> None:
    world = World(granted(1, unchanged))
    world.clock.advance(3600)
    world.search()
    assert (world.place.written, world.kept) == ([], "first")
    assert world.place.consent
    assert world.place.consent.obtained_at == NOON


def test_a_run_waits_for_another_that_renews_the_same_token() -> None:
    world = World(granted(1, "second"), busy=3)
    world.search()
    assert world.kept == "second"
    assert [reason for _, reason in world.clock.waits] == ["another run renews the same token"] * 3


def test_a_run_that_hangs_with_the_lock_is_named_in_the_end() -> None:
    world = World(granted(1, "second"), busy=10**6)
    with pytest.raises(LockedError, match="another run renews it"):
        world.search()
    assert not world.script.token_calls


def test_a_place_that_refuses_for_a_moment_loses_nothing() -> None:
    world = World(granted(1, "second"), refuses=WRITES - 1)
    world.search()
    assert world.kept == "second"


def test_a_new_token_that_can_not_be_kept_is_said_and_not_used() -> None:
    world = World(granted(1, "second"), refuses=WRITES)
    error = world.refused()
    assert "a new refresh token that could not be kept: the disk is full" in error.problem
    assert error.remedy.startswith("free disk space; the old one may be used up")
    assert AGAIN in error.remedy
    assert not world.script.calls


def test_a_stop_while_it_is_being_kept_is_a_stop() -> None:
    world = World(granted(1, "second"), refuses=WRITES)
    world.clock.patience = 1
    with pytest.raises(CancelledError):
        world.search()


@pytest.mark.parametrize(
    ("age", "why"),
    [
        (timedelta(days=20), "consent was withdrawn, the role of who consented has changed, or a run was"),
        (timedelta(days=181), "it is older than six months"),
    ],
)
def test_a_refused_token_names_the_cause_and_the_contact(age: timedelta, why: str) -> None:
    world = World(GONE)
    world.clock.time = NOON + age
    error = world.refused()
    assert why in error.problem
    assert error.remedy == f"consent is needed again: {AGAIN}"
    assert (error.exit_code, world.kept) == (4, "first")


def test_a_token_refused_after_a_lost_answer_may_have_been_used_up() -> None:
    world = World(httpx.ReadTimeout(""), GONE)
    assert (
        "an earlier request got no answer, and Criteo may have used the token up" in world.refused().problem
    )


def test_a_lost_answer_is_forgotten_once_a_token_came() -> None:
    world = World(httpx.ReadTimeout(""), granted(1, "second"), GONE)
    with connected(world.script, world.clock, world.grant) as connection:
        connection.reader.segments("1")
        world.clock.advance(900)
        with pytest.raises(AuthenticationError, match="consent was withdrawn"):
            connection.reader.segments("1")


@pytest.mark.parametrize("lost", [garbled, larger, answer(200)])
def test_an_answer_that_can_not_be_read_may_have_used_the_token_up(lost: Step) -> None:
    world = World(lost, GONE)
    with connected(world.script, world.clock, world.grant) as connection:
        with suppress(AuthenticationError):  # one that may be a refusal isn't asked for again by itself
            connection.reader.segments("1")
        with pytest.raises(AuthenticationError, match="Criteo may have used the token up"):
            connection.reader.segments("1")
    assert world.kept == "first"


def test_the_result_of_a_code_is_reported() -> None:
    """One that never left can be tried again; one that may have been used needs another consent."""
    for lost, said in (
        (httpx.ConnectError(""), "the code was not sent, and is good for a short time"),
        (httpx.ReadTimeout(""), "the code may be used up"),
        (garbled, "what was kept before is unchanged, and the code may be used up"),
    ):
        place = MemoryPlace(Consent(Secret("before"), obtained_at=NOON))
        with pytest.raises(RemoteError) as caught:
            redeemed(place, lost)
        assert said in caught.value.remedy
        assert caught.value.remedy.endswith(AGAIN)
        assert (place.consent and place.consent.refresh_token.reveal(), place.written) == ("before", [])


def test_other_refusals_of_the_token_endpoint_are_reported_as_they_are() -> None:
    error = World(answer(401, {"error": "invalid_client"})).refused()
    assert "401 invalid_client" in error.problem
    assert "clientSecret" in error.remedy


def test_an_endpoint_that_is_down_leaves_the_token_where_it_is() -> None:
    world = World(answer(503))
    with pytest.raises(RemoteError, match="answers 503"):
        world.search()
    assert (world.kept, world.place.held) == ("first", False)


def test_nothing_kept_asks_for_consent() -> None:
    world = World(granted(1, "second"))
    world.place.consent = None
    with pytest.raises(AuthenticationError, match="nothing is kept"):
        world.search()
    assert not world.script.token_calls


def redeemed(place: MemoryPlace, given: Step, verifier: str | None = None) -> Script:
    script, proof = Script(tokens=[given]), Secret(verifier) if verifier else None
    brought = RedirectCode(Secret("c0de"), proof, "https://a.example/b", "the login")
    grant = AuthorizationCode(KEYS, brought, place, FakeClock(), AGAIN)
    try:
        redeem(
            base_url="https://api.example",
            token_url="",
            grant=grant,
            timeout=timedelta(seconds=60),
            transport=httpx.MockTransport(script),
        )
    finally:
        assert not place.held
        assert len(script.token_calls) == 1, "a code is good for one use, answered or not"
    return script


@pytest.mark.parametrize("verifier", [None, "veri"])
def test_a_code_is_exchanged_for_a_consent(verifier: str | None) -> None:
    place = MemoryPlace()
    script = redeemed(place, granted(1, "first"), verifier)
    asked = script.token_calls[0]
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    form = parse_qs(asked.content.decode())
    assert form.pop("code_verifier", [None]) == [verifier]
    assert form == {
        "grant_type": ["authorization_code"],
        "client_id": ["client"],
        "client_secret": ["hush"],
        "code": ["c0de"],
        "redirect_uri": ["https://a.example/b"],
    }
    assert place.consent is not None
    assert place.consent.refresh_token.reveal() == "first"
    assert (place.consent.obtained_at, place.consent.consented_at) == (NOON, NOON)
    assert place.consent.login == "the login"


@pytest.mark.parametrize(
    ("given", "problem", "code"),
    [
        (GONE, "it was used already, is too old", 4),
        (granted(1, None), "an access token and no refresh token", 4),
        (granted(1, "two words"), "an invalid refresh token", 9),
        (answer(401, {"error": "invalid_client"}), "401 invalid_client", 4),
        (answer(503), "answers 503", 9),
        (httpx.ReadTimeout("hunter2"), "the token endpoint gave no answer", 9),
        (httpx.ConnectError("hunter2"), "the token endpoint gave no answer", 9),
        (garbled, "the token endpoint answers, and the answer came garbled: a refresh token that came", 9),
        (larger, "the token endpoint answers, and the answer is larger than 8 MiB", 9),
    ],
)
def test_a_code_that_brings_no_consent_keeps_nothing(given: Step, problem: str, code: int) -> None:
    place = MemoryPlace()
    with pytest.raises(ReconcilerError, match=problem) as caught:
        redeemed(place, given)
    assert caught.value.exit_code == code
    assert "c0de" not in f"{caught.value.problem} {caught.value.remedy}"
    assert "hunter2" not in f"{caught.value.problem} {caught.value.remedy}"
    assert place.written == []


def test_a_concurrent_write_is_kept() -> None:
    """If a store detects it, the token is not written again."""
    world = World(granted(1, "second"))
    world.place.overwritten = True
    assert "somebody else" in world.refused().problem
    assert world.place.written == []
