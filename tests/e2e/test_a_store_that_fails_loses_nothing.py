"""A store that is unreachable, read-only, damaged or deleted during apply: reported, and nothing is lost.

Longer: `OUTAGE=60 pytest -s` on this file.
"""

import time
from dataclasses import replace

import pytest
from support.concurrent_runs import World
from support.large_project import number_from
from support.object_store_proxy import BROKEN, DENIED, EXPIRED, GONE, OUTAGE, READ_ONLY, WRITES, Trouble

pytestmark = pytest.mark.promise("state")

SECONDS = number_from("OUTAGE", 3)
PEOPLE = range(1_000_000, 1_001_600)
BATCH, CALLS, SEGMENTS, MANY = 200, 8, 2, 800
AWAY = "unexpected response from the store"
REFUSED = "permission denied, or the login has expired"
NOTHING_LOST = "run again: nothing is lost"
READS = {"token", "searchAudienceSegments", "SearchAccountRetailers"}
NO_LOGIN = "give this job read and write on the prefix (docs/how-to/object-stores.md) and a login"


def gathered(tmp_path, latency=0.1):
    return World.gathered(tmp_path, BATCH, latency)


def moved(step, size=BATCH * CALLS):
    """Add and remove the same number of members."""
    start = PEOPLE.start + step * BATCH // 2
    return range(start, start + size)


def test_an_outage_stops_the_apply_and_the_outbox_is_uploaded(tmp_path):
    with gathered(tmp_path, latency=0.2) as world:
        first, second = world.machine("first", PEOPLE), world.machine("second", PEOPLE)
        running = first.start()
        running.until_calls(6)
        with first.proxy.troubled(OUTAGE):
            began = time.monotonic()
            said = running.ended(10)
            stopped = time.monotonic() - began
            assert AWAY in said
            assert NOTHING_LOST in said
            assert AWAY in first.run("plan", "sandbox", code=10)
            calls = world.carried_out()
            time.sleep(max(0, SECONDS - (time.monotonic() - began)))
            assert world.carried_out() == calls, "something was sent in the outage"
        assert first.leftovers() == ["customer.buyers.json", "email.buyers.json"]
        first.unlocked()
        back = time.monotonic() - began - SECONDS
        assert first.leftovers() == []
        assert world.holds_exactly(PEOPLE)
        assert world.carried_out() == SEGMENTS * CALLS
        assert world.repeats_at_most(0)
        assert "No changes." in second.run()
        print(  # noqa: T201 - for -s
            f"outage of {SECONDS} s: stopped after {stopped:.1f} s with {calls} of {SEGMENTS * CALLS} calls; "
            f"done {back:.1f} s after its end; repeated {sorted(world.repeated().values())}"
        )


def test_what_one_machine_could_not_write_another_sends_again_at_most_once(tmp_path):
    """Any store failure. The outbox of the first machine is out of date by then."""
    with World.gathered(tmp_path, BATCH // 4, 0) as world:
        machines = [world.machine(name, moved(0, MANY)) for name in ("first", "second")]
        machines[0].run()
        world.slow(0.1)
        troubles = (READ_ONLY, EXPIRED)
        for step, trouble in enumerate(troubles, 1):
            machine, other = machines[step % 2], machines[1 - step % 2]
            machine.people(moved(step, MANY))
            running = machine.start()
            running.until_calls(2)
            with machine.proxy.troubled(trouble):
                said = running.ended(10)
            assert REFUSED in said
            assert NO_LOGIN in said
            assert machine.leftovers()
            [holder] = other.holders()
            other.run("state", "lock", "break", "sandbox", "--id", holder)
        last = machines[len(troubles) % 2 - 1]
        for machine in machines:
            machine.people(moved(len(troubles), MANY))
        last.run()
        assert world.holds_exactly(moved(len(troubles), MANY))
        assert world.repeats_at_most(len(troubles))
        for machine in machines:
            assert "No changes." in machine.run()
            assert machine.leftovers() == []
        print(f"repeated {sorted(world.repeated().values())} in {len(troubles)} troubles")  # noqa: T201 - for -s


@pytest.mark.parametrize("trouble", [GONE, BROKEN, DENIED], ids=["no connection", "500", "403"])
def test_before_the_first_write_it_is_refused(tmp_path, trouble):
    with gathered(tmp_path) as world:
        machine = world.machine("first", PEOPLE[:BATCH])
        with machine.proxy.troubled(trouble):
            assert (REFUSED if trouble is DENIED else AWAY) in machine.run(code=10)
        assert world.emulator.history() == ()


def test_lost_answers_are_no_lost_races(tmp_path):
    """The store writes the object, and the response is lost: for each kind of object, new and replaced."""
    with gathered(tmp_path, latency=0) as world:
        machine, kinds = (
            world.machine("first", PEOPLE),
            ["lease.json", "head.json", "resources/", "snapshots/"],
        )
        for step, paths in enumerate([[*kinds, "key"], kinds]):
            machine.people(moved(step))
            with machine.proxy.troubled(
                *(Trouble("lose", methods=WRITES, path=path, times=1) for path in paths)
            ):
                machine.run()
                assert machine.proxy.ahead == []
            assert world.holds_exactly(moved(step))
        assert world.repeats_at_most(0)
        assert machine.leftovers() == []


def test_short_troubles_are_outlasted(tmp_path):
    with gathered(tmp_path) as world:
        machine = world.machine("first", PEOPLE)
        running = machine.start()
        for calls, trouble in ((2, OUTAGE), (5, GONE), (8, BROKEN)):
            running.until_calls(calls)
            machine.proxy.make(replace(trouble, times=1))
        running.until_calls(12)
        with machine.proxy.troubled(Trouble("slow", seconds=0.1)):
            running.ended(0)
        assert world.holds_exactly(PEOPLE)
        assert world.repeats_at_most(0)


def test_a_damaged_object_is_named_and_can_be_restored(tmp_path):
    with gathered(tmp_path, latency=0) as world:
        machine = world.machine("first", PEOPLE)
        machine.run()
        machine.people(moved(1))
        calls, good = len(world.emulator.history()), world.objects()
        [snapshot, *_] = [path for path in good if path.startswith("snapshots/") and "." not in path]
        resource = "resources/email.buyers.json"
        damages = [
            ({"head.json": b"{}"}, "the file has no checksum"),
            ({"lease.json": b"mine"}, "the lock of the state holds something else"),
            ({"lease.json": b"[" * 100_000}, "the lock of the state holds something else"),
            ({resource: b"mine", "resources/customer.buyers.json": b"{"}, f"{resource}"),
            ({snapshot: good[snapshot][:-100]}, "is cut off or damaged"),
        ]
        for damage, problem in damages:
            world.put(damage)
            said = machine.run(code=10)
            assert problem in said
            assert "→" in said, "it doesn't say what to do"
            if all(path.startswith(("head", "resources/", "snapshots/")) for path in damage):
                assert [path for path in damage if path not in said] == [], "all are named at once"
            world.put({path: good[path] for path in damage})
        assert {call.operation for call in world.emulator.history()[calls:]} <= READS
        machine.run()
        assert world.holds_exactly(moved(1))


def test_a_missing_bucket_is_not_an_empty_state(tmp_path):
    with gathered(tmp_path, latency=0) as world:
        machine = world.machine("first", PEOPLE)
        file = machine.project.root / "environments" / "sandbox" / "environment.yaml"
        file.write_text(file.read_text().replace("s3://acme-", "s3://nobody-"))
        for command in (("plan", "sandbox"), ("apply", "sandbox", "--yes")):
            said = machine.run(*command, code=10)
            assert "there is no such bucket" in said
            assert "create it, or correct `state: {url: …}`" in said
        assert world.emulator.history() == ()
