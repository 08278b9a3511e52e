"""Each fault affects the calls it was set for, the given number of times, with the documented effect."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.emulator import TEN_O_CLOCK, World, contact_list, mounted

from reconciler.emulator import Fault

pytestmark = pytest.mark.promise("emulator-is-criteo")

ADD = "AddRemoveContactListByAudienceSegment"
PEOPLE = [f"{letter}@example.com" for letter in "abcde"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with mounted(tmp_path) as world:
        yield world


def held(world: World) -> int:
    return world.emulator.segments()[0].size


def last(world: World) -> tuple[object, ...]:
    request = world.emulator.history()[-1]
    return (request.fault, request.status, request.committed_at is not None)


def test_429_is_not_executed(world: World) -> None:
    """The three headers, and a body that is no error envelope."""
    segment = world.client.segment()
    world.emulator.fault("429", ADD, seconds=7)
    answer = world.client.add(segment, PEOPLE)
    assert answer.status_code == 429
    assert answer.headers["x-ratelimit-limit"] == "250"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert answer.headers["x-ratelimit-reset"] == str(int(TEN_O_CLOCK) + 7)
    assert "errors" not in answer.json()
    assert held(world) == 0
    assert last(world) == ("429", 429, False)
    assert world.client.add(segment, PEOPLE).status_code == 200


@pytest.mark.parametrize(("kind", "size"), [("500-before", 0), ("500-after", 5)])
def test_500_before_and_after_the_commit(world: World, kind: str, size: int) -> None:
    """The answer is the same; only the witness can tell."""
    segment = world.client.segment()
    world.emulator.fault(kind, ADD)
    answer = world.client.add(segment, PEOPLE)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (500, "internal-error")
    assert held(world) == size
    assert last(world) == (kind, 500, size > 0)


@pytest.mark.parametrize(("kind", "size"), [("timeout-before", 0), ("timeout-after", 5)])
def test_time_out_before_and_after_the_commit(world: World, kind: str, size: int) -> None:
    """In process the silence is a read time-out at once."""
    segment = world.client.segment()
    world.emulator.fault(kind, ADD)
    with pytest.raises(httpx.ReadTimeout):
        world.client.add(segment, PEOPLE)
    assert held(world) == size
    assert last(world) == (kind, None, size > 0)


def test_a_late_commit_takes_effect_after_later_calls(world: World) -> None:
    """Removed members return: the grace period protects against this."""
    segment = world.client.segment()
    world.emulator.fault("late-commit", ADD, seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        world.client.add(segment, PEOPLE)
    world.client.remove(segment, PEOPLE)
    world.emulator.advance(29)
    assert world.emulator.members(segment) == frozenset()
    assert world.emulator.history()[-2].committed_at is None
    world.emulator.advance(1)
    assert world.emulator.members(segment) == set(PEOPLE)
    assert world.emulator.history()[-2].committed_at == TEN_O_CLOCK + 30
    assert world.emulator.history()[-2].valid == 5


def test_late_commits_land_in_the_order_of_their_instants(world: World) -> None:
    """Not in that of their arrival; an item that can no longer be done is dropped."""
    segment = world.client.segment()
    world.emulator.fault("late-commit", seconds=20)
    world.emulator.fault("late-commit", seconds=10)
    world.emulator.fault("late-commit", "bulkCreateAudienceSegments", seconds=10)
    with pytest.raises(httpx.ReadTimeout):
        world.client.add(segment, PEOPLE)
    with pytest.raises(httpx.ReadTimeout):
        world.client.remove(segment, PEOPLE)
    with pytest.raises(httpx.ReadTimeout):
        world.client.create(contact_list("Late"))
    world.client.create(contact_list("Late"))
    world.emulator.advance(60)
    assert world.emulator.members(segment) == set(PEOPLE)
    assert len(world.emulator.segments()) == 2


def test_a_late_commit_may_miss_its_segment(world: World) -> None:
    """Then it never takes place."""
    segment = world.client.segment()
    world.emulator.fault("late-commit", seconds=10)
    with pytest.raises(httpx.ReadTimeout):
        world.client.add(segment, PEOPLE)
    world.client.delete(segment)
    world.emulator.advance(10)
    assert world.emulator.history()[-2].committed_at is None


def test_a_batch_is_taken_in_part(world: World) -> None:
    """200 with the counts of the part and an internal error beside them."""
    segment = world.client.segment()
    world.emulator.fault("partial", times=4)
    body = world.client.add(segment, PEOPLE).json()
    assert body["data"]["nbValidIdentifiers"] == 2
    assert [problem["code"] for problem in body["errors"]] == ["internal-error"]
    assert world.emulator.members(segment) == set(PEOPLE[:2])
    assert world.emulator.history()[-1].identifiers == 5
    body = world.client.create(*(contact_list(name) for name in "ABC")).json()
    assert [item["attributes"]["name"] for item in body["data"]] == ["A"]
    assert [problem["code"] for problem in body["errors"]] == ["internal-error"]
    for body in ({"data": {}}, []):
        assert world.client.account("/audience-segments/create", body).status_code == 400


def test_faults_choose_their_calls(world: World) -> None:
    """By operation, by how many pass first, and by how often they strike."""
    world.emulator.fault("500-before", "searchAudienceSegments", times=2, after=1)
    statuses = [world.client.search().status_code for _ in range(4)]
    assert statuses == [200, 500, 500, 200]
    world.emulator.fault("500-before", "GetAccounts")
    world.emulator.fault("partial")
    assert world.client.search().status_code == 200
    assert world.client.accounts().status_code == 500
    world.emulator.fault("500-before", times=5)
    world.emulator.clear_faults()
    assert world.client.search().status_code == 200


def test_a_star_is_every_call_but_the_token(world: World) -> None:
    """The token has a name of its own, and can be limited, broken and silent."""
    world.emulator.fault("500-before")
    assert world.client.token().status_code == 200
    assert world.client.me().status_code == 500
    world.emulator.fault("500-before", "token")
    world.emulator.fault("429", "token")
    world.emulator.fault("timeout-before", "token")
    assert world.client.token().status_code == 500
    limited = world.client.token()
    assert (limited.status_code, limited.headers["x-ratelimit-remaining"]) == (429, "0")
    with pytest.raises(httpx.ReadTimeout):
        world.client.token()
    assert world.client.token().status_code == 200


def test_a_refused_call_uses_up_no_fault(world: World) -> None:
    """A fault waits for a call that would have got through."""
    world.emulator.fault("500-before")
    authorization = world.client.http.headers.pop("authorization")
    assert world.client.search().status_code == 401
    world.client.http.headers["authorization"] = authorization
    assert world.client.search().status_code == 500


def test_what_cannot_be_a_fault_is_refused() -> None:
    """With the known kinds in the message."""
    with pytest.raises(ValueError, match="late-commit"):
        Fault("418")  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(ValueError, match="at least once"):
        Fault("429", times=0)
