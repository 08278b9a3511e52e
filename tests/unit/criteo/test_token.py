"""How a token is requested, stored, shared, renewed, and refused."""

import socket
import threading
from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import pytest
from support.fakes.clock import FakeClock
from support.fakes.scripted_criteo import SECRET, TOKEN, Script, answer, connected, problem

from reconciler.core.errors import AuthenticationError, ReconcilerError, RemoteError
from reconciler.core.secret import Secret
from reconciler.criteo.connection import connect
from reconciler.criteo.grants import ClientCredentials, ClientKeys
from reconciler.criteo.retries import ATTEMPTS
from reconciler.criteo.token_auth import MARGIN

pytestmark = pytest.mark.promise("client")

LISTED = answer(200, {"data": []})


def test_a_token_is_asked_for_as_a_form_that_keeps_the_plus() -> None:
    script = Script([LISTED])
    with connected(script, FakeClock()) as connection:
        connection.reader.segments("1")
    (asked,) = script.token_calls
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.content.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["client"],
        "client_secret": [SECRET],
    }
    assert script.calls[0].headers["authorization"] == f"Bearer {TOKEN}-1"
    assert script.calls[0].headers["user-agent"].startswith("criteo-reconciler/")
    assert script.calls[0].headers["content-type"] == "application/json"


def test_reader_and_writers_share_one_token_until_a_minute_before_its_end() -> None:
    script, clock = Script([LISTED]), FakeClock()
    with connected(script, clock) as connection:
        connection.reader.segments("1")
        clock.advance(900 - MARGIN.total_seconds() - 1)
        connection.reader.segments("1")
        assert len(script.token_calls) == 1
        clock.advance(1)
        connection.reader.segments("1")
    assert len(script.token_calls) == 2
    assert script.calls[-1].headers["authorization"] == f"Bearer {TOKEN}-2"


@pytest.mark.parametrize(("life", "fetched"), [(20, 2), (60, 1), (120, 1), (900, 1)])
def test_a_short_lived_token_serves_several_requests(life: int, fetched: int) -> None:
    """Thirty calls, one a second."""
    issued = answer(200, {"access_token": "short", "expires_in": life})
    script, clock = Script([LISTED], [issued]), FakeClock()
    with connected(script, clock) as connection:
        for _ in range(30):
            connection.reader.segments("1")
            clock.advance(1)
    assert len(script.token_calls) == fetched


@pytest.mark.parametrize(
    ("step", "token"),
    [
        (LISTED, answer(401, {"error": "invalid_client"})),
        (problem(401, "authorization-unknown"), None),
        (problem(403, "insufficient-scope"), None),
    ],
)
def test_a_refusal_names_the_credential_and_where_its_pair_is_read(
    step: httpx.Response, token: httpx.Response | None
) -> None:
    origin = "credential second (plan) reads clientId from env:A, clientSecret from a command"
    with (
        connect(
            base_url="https://api.example",
            version="2026-07",
            token_url="",
            grant=ClientCredentials(ClientKeys(Secret("client"), Secret(SECRET), origin)),
            timeout=timedelta(seconds=60),
            clock=FakeClock(),
            transport=httpx.MockTransport(Script([step], [token] if token else [])),
        ) as connection,
        pytest.raises(AuthenticationError) as caught,
    ):
        connection.reader.segments("1")
    assert caught.value.remedy.count(origin) == 1
    assert SECRET not in f"{caught.value.problem}{caught.value.remedy}"


def test_threads_fetch_one_token_together() -> None:
    script, clock = Script([LISTED]), FakeClock()
    with connected(script, clock) as connection:
        connection.reader.segments("1")
        clock.advance(900)
        barrier = threading.Barrier(8)

        def search() -> None:
            barrier.wait()
            connection.reader.segments("1")

        threads = [threading.Thread(target=search) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(script.token_calls) == 2
    assert len(script.calls) == 9


def failure(*tokens: httpx.Response | Exception) -> tuple[ReconcilerError, Script]:
    script = Script([LISTED], list(tokens))
    with connected(script, FakeClock()) as connection, pytest.raises(ReconcilerError) as caught:
        connection.reader.segments("1")
    assert script.calls == []
    message = f"{caught.value} {caught.value.remedy}"
    assert SECRET not in message
    assert "jane" not in message
    return caught.value, script


@pytest.mark.parametrize("status", [400, 401])
def test_a_wrong_pair_is_reported_as_such(status: int) -> None:
    body = {"error": "invalid_client", "error_description": "jane@example.com", "error_uri": None}
    error, script = failure(answer(status, body))
    assert isinstance(error, AuthenticationError)
    assert f"{status} invalid_client" in str(error)
    assert "clientSecret" in error.remedy
    assert len(script.token_calls) == 1


@pytest.mark.parametrize(
    "response",
    [
        answer(403, {"error": "jane@example.com"}),
        answer(200, {"access_token": None}),
        httpx.Response(200, content=b"<html>jane"),
        httpx.Response(404, content=b"[]"),
    ],
)
def test_other_answers_without_a_token_are_final(response: httpx.Response) -> None:
    error, script = failure(response)
    assert isinstance(error, AuthenticationError)
    assert len(script.token_calls) == 1


@pytest.mark.parametrize(
    "trouble", [answer(503), answer(429), httpx.ReadTimeout("jane"), httpx.ConnectError("jane")]
)
def test_a_token_error_leaves_no_unknown_outcome(trouble: httpx.Response | Exception) -> None:
    """The call was never sent, so even a create may follow once there is a token."""
    error, script = failure(trouble)
    assert error.exit_code == 9
    assert len(script.token_calls) == ATTEMPTS
    good = answer(200, {"access_token": TOKEN})
    script = Script([LISTED], [trouble, good])
    with connected(script, FakeClock()) as connection:
        assert connection.reader.segments("1") == ()


def test_a_token_url_of_its_own_is_used() -> None:
    script = Script([httpx.ConnectError("")])
    with (
        connect(
            base_url="https://api.example/",
            version="2026-07",
            token_url="https://login.example/oauth2/token",
            grant=ClientCredentials(ClientKeys(Secret("client"), Secret(SECRET))),
            timeout=timedelta(seconds=1),
            clock=FakeClock(),
            transport=httpx.MockTransport(script),
        ) as connection,
        pytest.raises(RemoteError),
    ):
        connection.reader.segments("1")
    assert script.token_calls[0].url.host == "login.example"
    assert script.calls[0].url.path == "/2026-07/retail-media/accounts/1/audience-segments/search"


def test_a_token_endpoint_that_says_nothing_is_not_waited_for_forever() -> None:
    """On a real socket: time-outs of a client don't reach what an auth flow sends."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with (
            connect(
                base_url=f"http://127.0.0.1:{silent.getsockname()[1]}",
                version="2026-07",
                token_url="",
                grant=ClientCredentials(ClientKeys(Secret("client"), Secret(SECRET))),
                timeout=timedelta(seconds=0.05),
                clock=FakeClock(),
            ) as connection,
            pytest.raises(RemoteError, match="the token endpoint can't be reached"),
        ):
            connection.reader.segments("1")
