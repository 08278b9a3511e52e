"""SIGKILL at any moment of a large apply, repeatedly: nothing is lost, and at most a batch is repeated.

The witness is the emulator, in a process of its own behind a socket: what it holds, and what its history
counts. Longer: `KILLS=200 SEED=7 pytest -s` on this file.
"""

import random
import time
from collections.abc import Iterator
from math import ceil

import pytest
from support.large_project import LargeProject, number_from, write_people

pytestmark = pytest.mark.promise("killed-processes")

KILLS = number_from("KILLS", 20)
MEMBERS = number_from("MEMBERS", 200_000)
SEED = number_from("SEED", 1)
SEGMENTS = 2
LATENCY = 0.3
BATCH = max(1, min(50_000, MEMBERS // (2 * KILLS)))
CALLS = ceil(MEMBERS / BATCH)
"""Calls that one segment needs; all of them are two for every kill."""


def moments(chance: random.Random) -> Iterator[int | None]:
    """When each kill strikes: None at any time before members are sent, or once so many batches have arrived.

    The last one strikes when all have arrived and not one of the last answers has.
    """
    early = KILLS // 4
    late = sorted(chance.sample(range(1, SEGMENTS * CALLS - 4), KILLS - early - 1))
    order = [*([None] * early), *([0] * len(late))]
    chance.shuffle(order)
    yield from (None if one is None else late.pop(0) for one in order)
    yield SEGMENTS * CALLS


def test_kills_during_apply_lose_nothing_and_repeat_at_most_a_batch(tmp_path):
    chance, people = random.Random(SEED), range(MEMBERS)  # noqa: S311 - moments, and no secrets
    with LargeProject.gathered(tmp_path, people, BATCH, LATENCY) as crowd:
        began = time.monotonic()
        crowd.finish("plan", "sandbox")
        planning = time.monotonic() - began
        kills = sending = 0
        for arrived in moments(chance):
            running = crowd.start()
            if arrived is None:
                time.sleep(chance.uniform(0, planning))
            else:
                running.until(lambda goal=arrived, now=running: now.calls > 0 and crowd.distinct() >= goal)
                time.sleep(chance.uniform(0, LATENCY))
            assert "waiting" not in running.kill().said
            kills, sending = kills + 1, sending + (running.calls > 0)
        assert "waiting" not in crowd.finish().said
        assert kills == KILLS
        assert sending >= KILLS // 2

        assert crowd.holds_exactly(people)
        assert crowd.distinct() == SEGMENTS * CALLS
        calls, repeated = crowd.carried_out(), crowd.repeated()
        assert {call.action for call in calls} == {"add"}
        assert len(repeated) == SEGMENTS
        for segment_id, times in repeated.items():
            sent = sum(call.identifiers for call in calls if call.segment_id == segment_id)
            assert times <= kills
            assert sent <= MEMBERS + kills * BATCH
        assert crowd.is_at_rest()
        assert crowd.leftovers() == []
        numbers = (
            f"{kills} kills, {sending} while sending; repeated {sorted(repeated.values())} of {CALLS} each"
        )
        print(numbers)  # noqa: T201 - what a long run is for


def test_kills_between_source_changes_leave_no_old_member(tmp_path):
    """What a killed run may have sent is removed again when its people leave meanwhile."""
    chance = random.Random(SEED)  # noqa: S311 - moments, and no secrets
    size, batch = 50_000, 5_000
    people = set(range(size))
    with LargeProject.gathered(tmp_path, people, batch, 0.1) as crowd:
        crowd.api("gracePeriod: 1s")
        for round_ in range(1, 7):
            running, calls = crowd.start(), chance.randint(1, 8)
            running.until(lambda now=running, calls=calls: now.calls >= calls)
            running.kill()
            people -= set(chance.sample(sorted(people), size // 20))
            people |= set(range(size * round_, size * round_ + size // 20))
            write_people(crowd.project, sorted(people))
        crowd.finish()
        assert crowd.holds_exactly(people)
        assert crowd.is_at_rest()
