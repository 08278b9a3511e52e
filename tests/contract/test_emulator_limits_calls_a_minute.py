"""Calls never exceed the limit, for each definition of "a minute"; headers say when the limit resets."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.emulator import TEN_O_CLOCK, World, mounted

from reconciler.emulator import Switches
from reconciler.emulator.ratelimit import rule

pytestmark = pytest.mark.promise("pacing")

WINDOWS = ("fixed", "sliding", "bucket")
gaps = st.lists(st.integers(0, 90_000).map(lambda thousandth: thousandth / 1000), max_size=40)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with mounted(tmp_path, Switches(rate_limit=3)) as world:
        yield world


def passed(world: World, calls: int) -> list[int]:
    return [world.client.me().status_code for _ in range(calls)]


@pytest.mark.parametrize("window", WINDOWS)
def test_the_limit_and_the_way_back(world: World, window: str) -> None:
    """At the reset, and not a second earlier, a new call is let through."""
    world.switch(rate_window=window)
    assert passed(world, 4) == [200, 200, 200, 429]
    answer = world.client.me()
    assert answer.status_code == 429
    assert answer.headers["x-ratelimit-limit"] == "3"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    reset = int(answer.headers["x-ratelimit-reset"])
    world.clock.now = reset - 1
    assert world.client.me().status_code == 429
    world.clock.now = reset
    assert world.client.me().status_code == 200


def test_the_three_windows_differ(world: World) -> None:
    """Ten seconds before the full minute: fixed opens at the minute, the others do not."""
    opened = {}
    for window in WINDOWS:
        world.switch(rate_window=window)
        world.clock.now = TEN_O_CLOCK + 50
        passed(world, 3)
        world.clock.now = TEN_O_CLOCK + 61
        opened[window] = passed(world, 3).count(200)
        world.clock.now = TEN_O_CLOCK
    assert opened == {"fixed": 3, "sliding": 0, "bucket": 0}


def test_ordinary_answers_count_down(world: World) -> None:
    """Refused ones too, once the caller is known; a switch leaves the headers out."""
    headers = [world.client.me().headers, world.client.statistics("1").headers]
    assert [header["x-ratelimit-remaining"] for header in headers] == ["2", "1"]
    world.switch(rate_headers=False)
    assert "x-ratelimit-limit" not in world.client.me().headers
    assert "x-ratelimit-limit" in world.client.me().headers  # a 429 always tells


def test_token_calls_are_free_unless_a_switch_says_so(world: World) -> None:
    """They then share the minute with all others."""
    assert [world.client.token().status_code for _ in range(5)] == [200] * 5
    world.switch(token_calls_count=True)
    assert [world.client.token().status_code for _ in range(4)] == [200, 200, 200, 429]
    assert world.client.me().status_code == 429


@given(gaps, st.integers(1, 10))
def test_a_sliding_minute_never_holds_more_than_the_limit(waits: list[float], limit: int) -> None:
    """Of any sixty seconds, whatever the rhythm."""
    switches, state, now, passed = Switches(rate_limit=limit, rate_window="sliding"), [], 0.0, []
    for wait in waits:
        now += wait
        result, state = rule(switches, state, now)
        if result.allowed:
            passed.append(now)
    for start in passed:
        assert sum(start <= instant < start + 60 for instant in passed) <= limit


@given(gaps, st.integers(1, 10), st.sampled_from(WINDOWS), st.integers(0, 2_000_000_000).map(float))
def test_a_client_that_waits_for_the_reset_gets_through(
    waits: list[float], limit: int, window: str, now: float
) -> None:
    """In every window, from every state."""
    switches, state = Switches(rate_limit=limit, rate_window=window), []  # type: ignore[arg-type]
    for wait in waits:
        now += wait
        result, state = rule(switches, state, now)
        if not result.allowed:
            assert result.reset > now
            now = math.ceil(result.reset)
            result, state = rule(switches, state, now)
            assert result.allowed
