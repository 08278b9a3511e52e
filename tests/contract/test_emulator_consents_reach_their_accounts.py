"""A consent allows its accounts only, at its own rate limit, until it is revoked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.consenting_user import ConsentingUser
from support.emulator import ACCOUNT, RETAILER, World, contact_list, mounted

from reconciler.emulator import Emulator, IncompatibleVersionError, Switches

OTHER, THIRD = "42", "43"
WINDOWS = ("fixed", "sliding", "bucket")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with mounted(tmp_path) as world:
        for account in (OTHER, THIRD):
            world.emulator.ensure_account(account, [RETAILER], name=f"Account {account}")
        yield world


@pytest.fixture
def person(world: World) -> ConsentingUser:
    return ConsentingUser(world.client)


def listed(world: World, account: str) -> int:
    url = f"{world.client.root}/accounts/{account}/audience-segments/search"
    return world.client.http.post(url, json={}).status_code


def accounts(world: World) -> list[str]:
    return [row["id"] for row in world.client.accounts().json()["data"]]


def passed(world: World, calls: int) -> int:
    return [world.client.me().status_code for _ in range(calls)].count(200)


# -- accounts --------------------------------------------------------------------------------------


def test_it_reaches_the_accounts_that_were_ticked(person: ConsentingUser, world: World) -> None:
    """Also after a refresh; client credentials still reach all accounts."""
    tokens = person.consents(ACCOUNT, OTHER)
    for one in (tokens, person.refreshes(tokens["refresh_token"]).json()):
        person.authorizes_with(one)
        assert [listed(world, account) for account in (ACCOUNT, OTHER, THIRD, "7")] == [200, 200, 403, 403]
        assert accounts(world) == [ACCOUNT, OTHER]
        assert world.client.accounts(limitToId=THIRD).json()["data"] == []
    world.client.authorize()
    assert accounts(world) == [ACCOUNT, OTHER, THIRD]


def test_two_consents_both_live(person: ConsentingUser, world: World) -> None:
    """Neither takes anything from the other, nor adds to it."""
    first, second = person.consents(ACCOUNT), person.consents(ACCOUNT, OTHER)
    for tokens, reached in ((first, [ACCOUNT]), (second, [ACCOUNT, OTHER])):
        person.authorizes_with(tokens)
        assert accounts(world) == reached


def test_a_list_is_reached_through_its_account(person: ConsentingUser, world: World) -> None:
    """Although the path has no account; an unknown list is not found."""
    segment = world.client.segment()
    person.authorizes_with(person.consents(OTHER))
    for answer in (world.client.add(segment, ["a@example.com"]), world.client.clear(segment)):
        assert answer.status_code == 403
        assert answer.json()["errors"][0]["code"] == "insufficient-account-permissions"
    assert world.client.add("100000000000000001", ["a@example.com"]).status_code == 404
    assert world.emulator.members(segment) == frozenset()
    person.authorizes_with(person.consents(ACCOUNT))
    assert world.client.add(segment, ["a@example.com"]).status_code == 200


def test_an_account_that_withdrew_is_reached_no_more(person: ConsentingUser, world: World) -> None:
    """Other accounts stay reachable at the same rate, and this account, too, after it consents again."""
    person.authorizes_with(person.consents(ACCOUNT, OTHER))
    world.emulator.withdraw_account(OTHER)
    assert [listed(world, account) for account in (ACCOUNT, OTHER)] == [200, 403]
    assert accounts(world) == [ACCOUNT]
    assert world.client.me().headers["x-ratelimit-limit"] == "20"
    world.emulator.ensure_account(OTHER, [])
    assert listed(world, OTHER) == 200


def test_permissions_are_the_application_s(person: ConsentingUser, world: World) -> None:
    person.authorizes_with(person.consents())
    world.switch(scopes=("RetailMedia_Audience_Read",))
    assert world.client.search().status_code == 200
    assert world.client.create(contact_list("A")).status_code == 403


# -- taken back ------------------------------------------------------------------------------------


def test_a_consent_taken_back_ends_all_that_came_of_it(person: ConsentingUser, world: World) -> None:
    """Calls get 403 of type authorization, and no new token is issued. The application still exists."""
    tokens, code = person.consents(), person.code()
    person.authorizes_with(tokens)
    segment = world.client.segment()
    assert world.emulator.revoke_consents() == 2
    for answer in (
        world.client.me(),
        world.client.search(),
        world.client.add(segment, []),
        world.client.accounts(),
    ):
        assert answer.status_code == 403
        (problem,) = answer.json()["errors"]
        assert (problem["type"], problem["code"]) == ("authorization", "insufficient-account-permissions")
    for refused in (person.refreshes(tokens["refresh_token"]), person.exchanges(code)):
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert world.emulator.revoke_consents() == 0
    world.client.authorize()
    assert world.client.search().status_code == 200
    person.authorizes_with(person.consents())
    assert world.client.search().status_code == 200


def test_a_dead_token_of_a_consent_taken_back_is_first_of_all_dead(
    person: ConsentingUser, world: World
) -> None:
    person.authorizes_with(person.consents())
    world.emulator.revoke_consents()
    world.emulator.advance(900)
    assert world.client.me().status_code == 401


# -- pace ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", WINDOWS)
def test_the_accounts_of_a_consent_pool_their_calls(
    person: ConsentingUser, world: World, window: str
) -> None:
    """Ten a minute each, whichever is called, with whatever token of the consent."""
    world.switch(rate_window=window)
    tokens = person.consents(ACCOUNT, OTHER, THIRD)
    person.authorizes_with(tokens)
    answer = world.client.me()
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("30", "29")
    assert [listed(world, ACCOUNT) for _ in range(20)] == [200] * 20
    person.authorizes_with(person.refreshes(tokens["refresh_token"]).json())
    assert [listed(world, OTHER) for _ in range(10)] == [200] * 9 + [429]
    refused = world.client.me()
    assert (refused.status_code, refused.headers["x-ratelimit-limit"]) == (429, "30")
    world.clock.now = int(refused.headers["x-ratelimit-reset"])
    assert world.client.me().status_code == 200


def test_each_consent_and_the_application_have_a_minute_of_their_own(
    person: ConsentingUser, world: World
) -> None:
    first, second = person.consents(ACCOUNT), person.consents(ACCOUNT)
    person.authorizes_with(first)
    assert passed(world, 12) == 10
    person.authorizes_with(second)
    assert passed(world, 12) == 10
    world.client.authorize()
    assert passed(world, 240) == 240
    assert world.client.me().headers["x-ratelimit-limit"] == "250"
    person.authorizes_with(first)
    assert world.client.me().status_code == 429


def test_the_pace_is_a_switch(person: ConsentingUser, world: World) -> None:
    """Apart from that of the application."""
    world.switch(rate_limit=5, rate_limit_per_account=3)
    person.authorizes_with(person.consents(ACCOUNT, OTHER))
    assert passed(world, 8) == 6
    world.client.authorize()
    assert passed(world, 8) == 5


def test_a_fault_tells_the_limit_that_applies(person: ConsentingUser, world: World) -> None:
    world.emulator.fault("429")
    person.authorizes_with(person.consents(ACCOUNT, OTHER))
    assert world.client.me().headers["x-ratelimit-limit"] == "20"


def test_token_calls_count_for_the_application(person: ConsentingUser, world: World) -> None:
    """If they count at all: a refresh takes nothing from its consent."""
    world.switch(token_calls_count=True)
    tokens = person.consents(ACCOUNT)
    person.authorizes_with(person.refreshes(tokens["refresh_token"]).json())
    assert passed(world, 12) == 10
    assert world.client.token().status_code == 200
    world.switch(rate_limit=1)
    assert person.refreshes(tokens["refresh_token"]).status_code == 429


# -- the file --------------------------------------------------------------------------------------


def test_a_file_from_before_there_were_consents_is_refused(tmp_path: Path) -> None:
    """In words that say what to do."""
    path = tmp_path / "emulator.db"
    with Emulator.open(path) as emulator, emulator._database.session() as session:
        session.db.execute("PRAGMA user_version = 1")
    with pytest.raises(IncompatibleVersionError, match="delete it"):
        Emulator.open(path)


def test_lists_of_switches_are_kept_as_they_are(tmp_path: Path) -> None:
    switches = Switches(redirect_uris=("https://a.example/",), scopes=())
    with mounted(tmp_path, switches) as world:
        assert world.emulator.switches == switches
