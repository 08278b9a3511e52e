"""Tokens, versions, permissions, media types and sizes: each refusal has its documented status."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.emulator import World, contact_list, mounted

pytestmark = pytest.mark.promise("emulator-is-criteo")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with mounted(tmp_path) as world:
        yield world


def refusal(world: World) -> tuple[int, str]:
    answer = world.client.search()
    return answer.status_code, answer.json()["errors"][0]["code"]


def test_a_token_lives_900_seconds(world: World) -> None:
    """It expires; an older token that is still valid keeps working."""
    world.emulator.advance(899)
    assert world.client.search().status_code == 200
    world.emulator.advance(1)
    assert refusal(world) == (401, "authorization-token-expired")
    world.client.authorize()
    older = world.client.http.headers["authorization"]
    world.client.authorize()
    assert world.client.http.headers["authorization"] != older
    world.client.http.headers["authorization"] = older
    assert world.client.search().status_code == 200


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "authorization-token-missing"),
        ("Basic abc", "authorization-token-missing"),
        ("Bearer ", "authorization-token-missing"),
        ("Bearer abc", "authorization-token-invalid"),
    ],
)
def test_no_token_and_a_wrong_one(world: World, header: str, code: str) -> None:
    """401, of type authorization."""
    world.client.http.headers["authorization"] = header
    assert refusal(world) == (401, code)
    assert world.client.me().json()["errors"][0]["type"] == "authorization"


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": ""}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_token_errors_have_the_shape_of_oauth(
    world: World, form: dict[str, str], status: int, error: str
) -> None:
    """Not that of the API."""
    answer = world.client.token(**form)
    assert answer.status_code == status
    assert answer.json()["error"] == error
    assert set(answer.json()) == {"error", "error_description", "error_uri"}


@pytest.mark.parametrize(
    ("version", "segments", "retailers"),
    [
        ("2025-10", 200, 410),
        ("2026-01", 200, 200),
        ("2026-07", 200, 200),
        ("2027-01", 200, 200),
        ("2024-10", 410, 410),
        ("2026-04", 404, 404),
        ("2031-01", 404, 404),
        ("preview", 404, 404),
    ],
)
def test_versions(world: World, version: str, segments: int, retailers: int) -> None:
    """A frozen version is forwarded, a removed version is gone, an unknown version is not found."""
    world.client.root = f"/{version}/retail-media"
    assert world.client.search().status_code == segments
    assert world.client.retailers().status_code == retailers


def test_unknown_paths_and_methods(world: World) -> None:
    """In the envelope of every other error."""
    missing = world.client.http.get(world.client.root + "/nothing")
    assert (missing.status_code, missing.json()["errors"][0]["code"]) == (404, "resource-not-found")
    assert world.client.http.put(world.client.root + "/me").status_code == 405
    assert world.client.http.get("//x").status_code == 404


def test_an_unknown_account_is_forbidden(world: World) -> None:
    """As is an account that withdrew its consent; its segments return with its consent."""
    url = world.client.root + "/accounts/1/audience-segments/search"
    assert world.client.http.post(url, json={}).status_code == 403
    segment = world.client.segment()
    account = world.emulator.segments()[0].account_id
    world.emulator.withdraw_account(account)
    assert refusal(world) == (403, "insufficient-account-permissions")
    assert world.client.accounts().json()["data"] == []
    world.emulator.ensure_account(account, [])
    assert [item["id"] for item in world.client.search().json()["data"]] == [segment]


def test_each_call_needs_its_permission(world: World) -> None:
    """Manage implies read; the caller's identity needs no permission."""
    world.switch(scopes=("RetailMedia_Audience_Read",))
    assert world.client.search().status_code == 200
    assert world.client.create(contact_list("A")).status_code == 403
    assert world.client.accounts().status_code == 403
    assert world.client.retailers().status_code == 403
    assert world.client.me().status_code == 200
    world.switch(scopes=("RetailMedia_Audience_Manage",))
    assert world.client.search().status_code == 200


def test_bodies(world: World) -> None:
    """415, 413 and 400, in that order of care."""
    url = f"{world.client.root}/accounts/368477501993431040/audience-segments/search"
    assert world.client.http.post(url, data={"a": "b"}).status_code == 415
    json = {"content-type": "application/json; charset=utf-8"}
    assert world.client.http.post(url, content=b"{", headers=json).status_code == 400
    assert world.client.http.post(url, content=b"{}", headers=json).status_code == 200
    world.switch(max_body_bytes=10)
    assert world.client.search().status_code == 413
