"""One state in a bucket, several machines: each machine sees what any other applied, also after a kill."""

import hashlib
import json
import re
import signal
import time

import pytest
from support.concurrent_runs import AT_EASE, World
from support.large_project import hashed

pytestmark = pytest.mark.promise("state")

PEOPLE = range(1_000_000, 1_001_200)
"""Their numbers are long enough to be found wherever they lie."""

BATCH, CALLS, SEGMENTS = 200, 6, 2
PATHS = {
    "head.json",
    "key",
    "lease.json",
    "resources/customer.buyers.json",
    "resources/email.buyers.json",
}
ADDRESS = "https://github.example/acme/audiences/actions/runs/4711"
ON_GITHUB = {
    "GITHUB_RUN_ID": "4711",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "acme/audiences",
}


def gathered(tmp_path, latency=0.0):
    return World.gathered(tmp_path, BATCH, latency)


def test_every_machine_sees_what_one_has_applied(tmp_path):
    with gathered(tmp_path) as world:
        first, second = world.machine("first", PEOPLE), world.machine("second", PEOPLE)
        first.run()
        before = world.objects()
        assert "No changes." in second.run("plan", "sandbox", "--detailed-exitcode")
        assert "No changes." in second.run()
        after = world.objects()
        for objects in (before, after):
            del objects["lease.json"]
            objects.pop("sources.json", None)  # advisory records, which such a run may renew
            for entry in [path for path in objects if path.startswith("audit/")]:
                del objects[entry]  # every run leaves entries in the log
        assert after == before, "a run with nothing to do has written something"

        third, people = world.machine("third", PEOPLE[100:]), PEOPLE[100:]
        third.run()
        assert world.holds_exactly(people)
        second.people(people)
        assert "No changes." in second.run()
        assert not (second.home / "state").exists()
        assert not [path for path in second.home.glob("cache/**/*") if path.is_file()]
        assert world.carried_out() == SEGMENTS * (CALLS + 1)
        assert world.repeats_at_most(0)
        as_documented(world.objects(), serial=2, token=4)


def as_documented(objects, serial, token):
    """All that the bucket holds, by name and by form; people in snapshots only."""
    snapshots = {path for path in objects if path.startswith("snapshots/")}
    earlier = {path for path in objects if re.fullmatch(r"history/\d+\.json", path)}
    series = {path for path in objects if re.fullmatch(r"series/\d{4}-\d{2}\.json", path)}
    assert len(series) in {1, 2}, "the months of the runs"
    audit = {path for path in objects if re.fullmatch(r"audit/\d{8}\.json", path)}
    assert len(audit) >= serial, "a run without an entry"
    assert objects.keys() - snapshots - earlier - series - audit - {"sources.json"} == PATHS
    whole = {path for path in snapshots if re.fullmatch(r"snapshots/[0-9a-f]{64}", path)}
    assert snapshots == whole | {f"{path}.sha256" for path in whole}
    for path in whole:
        assert objects[f"{path}.sha256"] == hashlib.sha256(objects[path]).hexdigest().encode()
    assert len(objects["key"]) == 32
    contents = {path: json.loads(objects[path]) for path in PATHS - {"key"}}
    assert contents["head.json"]["head"]["serial"] == serial
    assert contents["lease.json"]["token"] == token
    assert contents["lease.json"]["released"]
    assert all(0 < one["token"] <= token for one in contents.values())
    assert len({one["nonce"] for one in contents.values()}) == len(contents)

    people = {word for number in PEOPLE for word in (f"c{number}", f"person{number}", hashed(number))}
    plain = b"\n".join(content for path, content in objects.items() if path not in whole).decode("latin-1")
    assert {word for word in people if word in plain} == set()
    kept = b"\n".join(objects[path] for path in whole).decode("latin-1")
    assert f"c{PEOPLE[-1]}" in kept, "what is looked for can't be found where it is"


def test_a_run_under_way_is_named_and_does_not_stand_in_the_way_of_a_plan(tmp_path):
    with World.gathered(tmp_path, BATCH // 4, 0.8) as world:
        first, second = world.machine("first", PEOPLE), world.machine("second", PEOPLE)
        assert "not locked" in second.run("state", "lock", "list", "sandbox")
        running = first.start(**ON_GITHUB)
        running.until_calls(2)
        contents = second.run("state", "lock", "list", "sandbox")
        assert f"held by {ADDRESS}, apply, since" in contents
        refused = second.run(code=7)
        assert "another run holds the state" in refused
        assert ADDRESS in refused
        assert "an earlier apply was interrupted" in second.run("plan", "sandbox")
        assert not running.is_over, "nothing of this was done while it ran"

        running.signal(signal.SIGTERM)
        running.ended(130)
        assert "not locked" in second.run("state", "lock", "list", "sandbox")
        world.slow(0)
        second.run()
        assert world.holds_exactly(PEOPLE)
        assert world.carried_out() == SEGMENTS * CALLS * 4
        assert world.repeats_at_most(0)


def test_killed_runs_are_resumed_by_other_machines_at_once_or_when_their_lease_has_ended(tmp_path):
    """The source changes meanwhile; each run is on another machine than the one before."""
    with gathered(tmp_path, latency=0.2) as world:
        first, second = world.machine("first", PEOPLE), world.machine("second", PEOPLE)
        running = first.start(**ON_GITHUB)
        running.until_calls(4)
        running.kill()
        killed_at = time.monotonic()
        assert "if it has vanished, its lock is free from" in second.run(code=7)
        second.people(PEOPLE[100:])
        time.sleep(max(0, killed_at + AT_EASE.life - time.monotonic()))
        running = second.start()
        running.until_calls(3)
        running.kill()
        taken_over = world.first_of("second") - killed_at
        soonest = AT_EASE.life - AT_EASE.beat - 1 + AT_EASE.grace
        assert taken_over > soonest, "a request of the killed one may have been under way"

        [holder] = first.holders()
        other = first.run("state", "lock", "break", "sandbox", "--id", "0" * 8, code=7)
        assert "no run of that id holds it" in other
        assert "the lock is broken" in first.run("state", "lock", "break", "sandbox", "--id", holder)
        broken_at = time.monotonic()
        first.people(PEOPLE[50:])
        first.run()
        again = min(
            call.began for call in world.witness.sent if call.who == "first" and call.began > broken_at
        )
        assert again - broken_at > AT_EASE.grace - 1, "the same"
        assert world.holds_exactly(PEOPLE[50:])
        assert world.repeats_at_most(2)
        second.people(PEOPLE[50:])
        assert "No changes." in second.run()
        print(  # noqa: T201 - for -s
            f"taken over {taken_over:.1f} s after a kill, {again - broken_at:.1f} s after a lock was broken; "
            f"repeated {sorted(world.repeated().values())}"
        )


def test_an_active_run_stops_after_its_lock_is_broken(tmp_path):
    with World.gathered(tmp_path, BATCH // 2, 0.8) as world:
        first, second = world.machine("first", PEOPLE), world.machine("second", PEOPLE)
        running = first.start()
        running.until_calls(4)
        [holder] = second.holders()
        second.unlocked("state", "lock", "break", "sandbox", "--id", holder)  # refused beside a renewal
        assert "another run has taken over the state" in running.ended(10)
        world.slow(0)
        second.run()
        assert world.holds_exactly(PEOPLE)
        assert world.repeats_at_most(1)
        holders = [call.who for call in sorted(world.witness.sent, key=lambda one: one.began)]
        assert holders == sorted(holders), "two runs sent members at the same time"
