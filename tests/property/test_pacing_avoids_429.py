"""A single client gets no 429, for any definition of a minute, and uses nearly all of the limit."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakes.rate_limiters import KINDS, VARIANTS, Agenda, World, run_all, run_together, steady

from reconciler.core.remote import RESERVE

pytestmark = pytest.mark.promise("pacing")

LEAST = {"fixed": 0.9, "bucket": 0.9, "sliding": 0.8}
ROUNDINGS = {"up": math.ceil, "down": math.floor, "near": round, "none": float}


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Any limiter, crowd, latency, clock and rounding; with or without Date and headers."""
    limit = draw(st.sampled_from([1, 2, 3, 5, 10, 10, 20, 60]))
    latency = draw(st.sampled_from([0.01, 0.2, 1.2, 5.0, 10.0, 20.0]))
    chance = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311 - a seeded simulation
    latencies = {
        "constant": lambda: latency,
        "uniform": lambda: latency * chance.uniform(0.5, 1.5),
        "long tail": lambda: 0.01 + chance.expovariate(1 / latency),
        "sometimes stuck": lambda: latency * (10 if chance.random() < 0.05 else 1),
    }
    shares = {"sending": lambda: 0.0, "answering": lambda: 1.0, "both": chance.random}
    with_headers = draw(st.booleans() | st.just(True))
    world = World(
        VARIANTS[draw(st.sampled_from(sorted(VARIANTS)))](limit),
        limit,
        workers=draw(st.sampled_from([1, 2, 4, 8, 16, 32])),
        latency=latencies[draw(st.sampled_from(sorted(latencies)))],
        there=shares[draw(st.sampled_from(sorted(shares)))],
        skew=draw(st.floats(-100, 100)),
        start=1_800_000_000 + draw(st.floats(0, 60)),
        with_date=draw(st.booleans()),
        with_headers=with_headers,
        round_reset=ROUNDINGS[draw(st.sampled_from(sorted(ROUNDINGS)))],
        assumed=draw(st.sampled_from([10, 250])) if with_headers else limit,
        reserve=draw(st.sampled_from([0.0, RESERVE, 0.3])),
    )
    if with_headers:
        used_before(world, draw(st.integers(0, limit - 1)), chance)
    return world


def used_before(world: World, calls: int, chance: random.Random) -> None:
    """Use up a part of the minute by an earlier run."""
    now = world.start + world.skew
    for moment in sorted(now - chance.uniform(0, 59) for _ in range(calls)):
        world.limiter.arrive(moment)


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_no_call_meets_a_429(world: World) -> None:
    world.run(max(20, 3 * world.limit))
    assert world.refused == 0


@st.composite
def shared_worlds(draw: st.DrawFn) -> list[World]:
    """Two to four processes with one credential and their shares, some right after an earlier run."""
    first = draw(worlds())
    shares = draw(st.sampled_from([(0.5, 0.5), (0.2, 0.8), (0.29, 0.7), (0.25, 0.25, 0.25, 0.25)]))
    limit = max(first.limit, 10)
    limiter = VARIANTS[draw(st.sampled_from(sorted(VARIANTS)))](limit)
    chance = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311 - a seeded simulation
    made = [
        replace(
            first,
            limiter=limiter,
            limit=limit,
            share=share,
            assumed=draw(st.sampled_from([10, 250])) if first.with_headers else limit,
            start=first.start + draw(st.sampled_from([0.0, 0.5, 7.0, 40.0, 70.0])),
        )
        for share in shares
    ]
    if first.with_headers:
        used = sum(draw(st.integers(0, int(limit * share + 1e-9) - 1)) for share in shares)
        used_before(first_to_start(made), used, chance)
    return made


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("latency", [0.2, 1.2])
def test_a_plan_beside_an_apply_gets_its_calls(kind: str, latency: float) -> None:
    """Without the reserve, the apply takes each call as soon as it is allowed."""
    for seed in range(4):
        apply = replace(steady(kind, 250, latency, seed, workers=80), reserve=RESERVE)
        plan = replace(apply, workers=1, reserve=0.0, start=apply.start + 95)
        agenda = Agenda()
        apply.begin(1_000, agenda)
        plan.begin(5, agenda)
        assert run_all([plan], agenda) - plan.start < 15 * latency + 1
        assert plan.refused == apply.refused == 0


def first_to_start(made: list[World]) -> World:
    return min(made, key=lambda world: world.start)


@settings(max_examples=200, deadline=None)
@given(shared_worlds())
def test_processes_with_their_shares_meet_no_429(made: list[World]) -> None:
    run_together(made, max(20, 2 * made[0].limit))
    assert sum(world.refused for world in made) == 0


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_of_two_processes_uses_its_half(kind: str) -> None:
    shares = []
    for seed in range(4):
        first = replace(steady(kind, 250, 1.2, seed), share=0.5)
        took = run_together([first, replace(first, start=first.start + 5)], 1_000)
        assert first.refused == 0
        shares.append(2_000 / 250 * 60 / took)
    assert min(shares) >= 0.9


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize(
    ("limit", "calls", "latency"), [(10, 200, 0.05), (10, 200, 1.2), (10, 200, 10.0), (250, 2000, 1.2)]
)
def test_the_limit_is_used(kind: str, limit: int, calls: int, latency: float) -> None:
    """Against the same eight workers with knowledge of what the limiter will say."""
    shares = []
    for seed in range(4):
        world = steady(kind, limit, latency, seed)
        took = world.run(calls)
        shares.append(steady(kind, limit, latency, seed).oracle(calls) / took)
        assert world.refused == 0
    print(f"{kind}, {limit}/min, {latency} s: {min(shares):.0%} to {max(shares):.0%} of the bound")  # noqa: T201 - shown by -s
    assert min(shares) >= LEAST[kind]
