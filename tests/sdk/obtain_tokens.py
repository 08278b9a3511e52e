"""Run by `test_the_official_sdk_obtains_tokens.py`, once for each version of Criteo's SDK.

The SDK's own three ways to a token, at the emulator on a socket, each followed by a call on audiences;
a person allows on the consent page. Needs exactly one version of the SDK on its path.
"""

import contextlib
import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from sdk.sdk_client import build, complete, installed
from support.consenting_user import ConsentingUser
from support.emulator import ACCOUNT, OTHER_RETAILER, RETAILER, Client, Clock

from reconciler.emulator import Emulator, Switches

BACK = "http://localhost:49152/callback"
STRANGER = "42"


class Application:
    """What a user of the SDK writes: one client, built for one grant."""

    def __init__(self, emulator: Emulator, url: str) -> None:
        self.emulator = emulator
        self._url = url
        self._open = contextlib.ExitStack()

    def client(self, way: str, *given: str) -> Any:
        issued = self.emulator.credentials
        build = getattr(_module("api_client_builder").ApiClientBuilder, way)
        client = build(issued.client_id, issued.client_secret, *given, host=self._url)
        self._open.callback(client.close)
        self._open.callback(client.rest_client.pool_manager.clear)
        return client

    def person(self) -> ConsentingUser:
        http = self._open.enter_context(httpx.Client(base_url=self._url))
        return ConsentingUser(Client(self.emulator, http))

    def grants(self) -> list[str]:
        """Of the tokens that were given, in order."""
        calls = [call for call in self.emulator.history() if call.operation == "token"]
        return [call.action for call in calls if call.status == 200]

    def close(self) -> None:
        self._open.close()


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{installed()}.{name}")


def search(client: Any, account: str = ACCOUNT) -> Any:
    """A call on audiences, with every check of the SDK on."""
    api = _module("api.audience_api").AudienceApi(client)
    endpoint = api.search_audience_segments_endpoint
    (name,) = [key for key, place in endpoint.location_map.items() if place == "body"]
    wanted = {"data": {"attributes": {"audience_segment_types": ["ContactList"]}}}
    request = build(endpoint.openapi_types[name][0], wanted)
    body = api.search_audience_segments(account, request, _check_input_type=True, _check_return_type=True)
    complete(body)
    return body


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    with Emulator.open(tmp_path / "criteo.db", clock=Clock()) as emulator:
        emulator.ensure_account(ACCOUNT, [RETAILER, OTHER_RETAILER], name="Acme")
        emulator.ensure_account(STRANGER, [], name="Beta")
        with emulator.serving() as url:
            application = Application(emulator, url)
            yield application
            application.close()


def test_by_client_credentials(application: Application) -> None:
    client = application.client("WithClientCredentials")
    assert search(client).data == []
    assert client.get_refresh_token() is None
    assert application.grants() == ["client_credentials"]


def test_by_the_code_of_a_consent(application: Application) -> None:
    """For the account that was ticked, and with a refresh token to keep."""
    code = application.person().code(ACCOUNT, redirect_uri=BACK)
    client = application.client("WithAuthorizationCode", code, BACK)
    assert search(client).data == []
    assert client.get_refresh_token()
    assert application.grants() == ["authorization_code"]
    with pytest.raises(_module("exceptions").ForbiddenException):
        search(client, STRANGER)


def test_by_the_refresh_token_that_was_kept(application: Application) -> None:
    """A refresh returns the next token; it works, and the token before it is refused."""
    code = application.person().code(ACCOUNT, redirect_uri=BACK)
    first = application.client("WithAuthorizationCode", code, BACK)
    search(first)
    second = application.client("WithRefreshToken", first.get_refresh_token())
    assert search(second).data == []
    third = application.client("WithRefreshToken", second.get_refresh_token())
    assert search(third).data == []
    tokens = [client.get_refresh_token() for client in (first, second, third)]
    assert len(set(tokens)) == 3
    assert application.grants() == ["authorization_code", "refresh_token", "refresh_token"]
    refused(application.client("WithRefreshToken", tokens[0]), "invalid_grant")


def test_without_rotation_the_sdk_keeps_the_token_it_had(application: Application) -> None:
    application.emulator.configure(Switches(rotate_refresh_tokens=False))
    code = application.person().code(ACCOUNT, redirect_uri=BACK)
    first = application.client("WithAuthorizationCode", code, BACK)
    search(first)
    second = application.client("WithRefreshToken", first.get_refresh_token())
    search(second)
    assert second.get_refresh_token() == first.get_refresh_token()


def refused(client: Any, error: str) -> None:
    """As OAuth tells it, which the SDK can read."""
    with pytest.raises(_module("exceptions").ApiException) as caught:
        search(client)
    assert caught.value.status == 400
    reported = json.loads(caught.value.body)
    assert reported["error"] == error
    assert set(reported) == {"error", "error_description", "error_uri", "token_error"}


WRONG: dict[str, Callable[[str], tuple[str, str]]] = {
    "a code of nobody": lambda _code: ("x" * 43, BACK),
    "another address": lambda code: (code, BACK + "/"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_code_is_refused(application: Application, case: str) -> None:
    code = application.person().code(ACCOUNT, redirect_uri=BACK)
    refused(application.client("WithAuthorizationCode", *WRONG[case](code)), "invalid_grant")


def test_a_consent_taken_back_is_reported(application: Application) -> None:
    """403 to its token, and no other token."""
    code = application.person().code(ACCOUNT, redirect_uri=BACK)
    client = application.client("WithAuthorizationCode", code, BACK)
    search(client)
    application.emulator.revoke_consents()
    with pytest.raises(_module("exceptions").ForbiddenException):
        search(client)
    refused(application.client("WithRefreshToken", client.get_refresh_token()), "invalid_grant")
