"""A plan sends no write to Criteo, case by case, checked at the transport."""

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx
import pytest
from golden.document_cases import DOCUMENTS
from support.cli import AUDIENCE, Project

from reconciler import emulation
from reconciler.cli import group
from reconciler.clock import StopSignal
from reconciler.core.errors import ReconcilerError
from reconciler.emulator.in_process_transport import transport
from reconciler.members import identities

pytestmark = pytest.mark.promise("read-right")

ASKING = re.compile(r"/(search|oauth2/token)$")
PEOPLE = 300


@dataclass
class World:
    """A project whose commands run in this process, over a recording transport."""

    project: Project
    calls: list[str] = field(default_factory=list)
    down: bool = False
    stops_after: int | None = None
    stop: StopSignal = field(default_factory=StopSignal)

    def run(self, *arguments: str) -> int:
        """The exit code."""
        self.stop = StopSignal()
        with contextlib.chdir(self.project.root):
            try:
                code = group.main(arguments, prog_name="reconciler", standalone_mode=False, obj=self.stop)
            except ReconcilerError as error:
                return error.exit_code
            except click.ClickException as error:
                return error.exit_code
        return code if isinstance(code, int) else 0

    def apply(self, *, code: int = 0) -> None:
        assert self.run("apply", "sandbox", "--yes", "--quiet") == code

    def people(self, numbers: range, hashed: int = 0) -> None:
        self.project.people(*numbers)
        if hashed:
            file = self.project.root / "data" / "people.csv"
            known = [hashlib.sha256(f"person{one}@example.com".encode()).hexdigest() for one in range(hashed)]
            file.write_text(file.read_text() + "".join(f"{one},h{one}\n" for one in known))

    def change(self, file: str, before: str, after: str) -> None:
        path = self.project.root / "environments" / "sandbox" / f"{file}.yaml"
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def file(self, name: str) -> Path:
        return self.project.root / "environments" / "sandbox" / f"{name}.yaml"

    def by_hand(self, act: str, *arguments: str) -> None:
        """Change the first segment outside reconciler."""
        with self.project.emulator() as emulator:
            segment = emulator.segments()[0]
            getattr(emulator, f"{act}_by_hand")(segment.id, *arguments)

    def state(self) -> dict[str, bytes]:
        folder = self.project.root / ".reconciler" / "state"
        return {str(one): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


class Listening(httpx.BaseTransport):
    def __init__(self, world: World, inner: httpx.BaseTransport) -> None:
        self._world, self._inner = world, inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._world.calls.append(f"{request.method} {request.url.path}")
        if self._world.down:
            raise httpx.ConnectError("nobody is there", request=request)
        answer = self._inner.handle_request(request)
        limit = self._world.stops_after
        if limit and sum("add-remove" in call for call in self._world.calls) >= limit:
            self._world.stop.set()
        return answer


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    for name in ("CI", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    made = World(Project.make(tmp_path))
    monkeypatch.setattr(emulation, "transport", lambda app: Listening(made, transport(app)))
    made.people(range(PEOPLE))
    return made


def nothing(_: World) -> None:
    """The first plan of all."""


def applied(world: World) -> None:
    world.apply()


def moved(world: World) -> None:
    world.apply()
    world.people(range(10, PEOPLE + 15))


def renamed(world: World) -> None:
    world.apply()
    world.change("buyers", "title: Buyers", "title: Customers")


def replaced(world: World) -> None:
    world.apply()
    world.change("rest", "hashing: sha256", "hashing: md5")


def left(world: World) -> None:
    world.apply()
    world.change("buyers", "[email, customer]", "[email]")


def back(world: World) -> None:
    left(world)
    world.apply()
    world.change("buyers", "[email]", "[email, customer]")


def another_tools(world: World) -> None:
    """One segment is adopted, and one replaced. The state has been lost, and their tags are gone."""
    world.apply()
    with world.project.emulator() as emulator:
        found = {"email" if "(email)" in one.name else "customer": one.id for one in emulator.segments()}
        for segment_id in found.values():
            emulator.describe_by_hand(segment_id, "by another tool")
    shutil.rmtree(world.project.root / ".reconciler" / "state")
    world.file("adopt").write_text(
        "---\n".join(
            f'kind: Adopt\naddress: {name}/buyers\nsegmentId: "{segment_id}"\nbaseline: {baseline}\n'
            for (name, segment_id), baseline in zip(sorted(found.items()), ("replace", "reuse"), strict=True)
        )
    )


def shrunk(world: World) -> None:
    world.apply()
    world.people(range(20))


def foreign(world: World) -> None:
    """Of which no state knows that they are ours."""
    world.apply()
    shutil.rmtree(world.project.root / ".reconciler" / "state")


def gone(world: World) -> None:
    world.apply()
    world.by_hand("delete")
    world.change("environment", "maxInvalid: 10%", "maxInvalid: 10%, maxMissing: 100%")


def interrupted(world: World) -> None:
    world.change("environment", "batchSize: 50000", "batchSize: 100")
    world.stops_after = 2
    world.apply(code=130)
    world.stops_after = None


def interrupted_and_changed(world: World) -> None:
    interrupted(world)
    world.people(range(5, PEOPLE + 5))


def mixed(world: World) -> None:
    world.people(range(100, PEOPLE), hashed=50)


def many(count: int) -> Callable[[World], None]:
    def make(world: World) -> None:
        for number in range(count):
            text = AUDIENCE.replace("name: buyers", f"name: a{number}").replace(
                "title: Buyers", f"title: A{number}"
            )
            world.file(f"a{number}").write_text(text)

    return make


def many_destinations(world: World) -> None:
    """Six audiences, each for six destinations."""
    many(6)(world)
    more = [f"more-{number}" for number in range(4)]
    world.file("more").write_text(
        "---\n".join(
            f"kind: Destination\nname: {name}\ncredential: criteo\nseat: acme\nidentifierType: CustomerId\n"
            for name in more
        )
    )
    for number in range(6):
        world.change(f"a{number}", "[email, customer]", f"[email, customer, {', '.join(more)}]")


def two_seats(world: World) -> None:
    world.change(
        "environment",
        "seats:\n",
        'seats:\n  beta: {accountId: "41", retailerId: "7"}\n',
    )
    world.change("rest", "seat: acme\nidentifierType: CustomerId", "seat: beta\nidentifierType: CustomerId")


def drifted(world: World) -> None:
    world.apply()
    world.by_hand("rename", "Somebody else's")


def unreachable(world: World) -> None:
    world.apply()
    world.down = True


def refused_in_part(world: World) -> None:
    assert world.run("plan", "sandbox", "--quiet") == 0
    with world.project.emulator() as emulator:
        emulator.fault("partial", "bulkCreateAudienceSegments")
    world.apply(code=8)


def rejecting(world: World) -> None:
    file = world.project.root / "data" / "people.csv"
    file.write_text(file.read_text() + "nobody,\n")
    world.apply()


def wrong(world: World) -> None:
    world.apply()
    world.change("buyers", "title:", "titel:")


def let_down(world: World) -> None:
    shrunk(world)
    own = "guards: {maxShrink: 95%}\n"
    world.file("buyers").write_text(world.file("buyers").read_text() + own)


def guards_edited(world: World) -> None:
    world.apply()
    world.change("environment", "maxShrink: 20%", "maxShrink: 95%")


def few(world: World) -> None:
    world.people(range(40))
    world.apply()
    world.people(range(38))


def emptied(world: World) -> None:
    world.apply()
    world.people(range(0))


def stale(world: World) -> None:
    world.apply()
    world.change("buyers", '["people.csv"]}', '["people.csv"], maxAge: 36h}')
    long_ago = time.time() - 3 * 86_400
    os.utime(world.project.root / "data" / "people.csv", (long_ago, long_ago))


def unread(world: World) -> None:
    """The sources are old by the time that apply reads them, so the plan reuses its reading."""
    with pytest.MonkeyPatch.context() as later:
        later.setattr(identities, "time_ns", lambda: time.time_ns() + 3_600 * 1_000_000_000)
        world.apply()


def lost(world: World) -> None:
    world.apply()
    with world.project.emulator() as emulator:
        for segment in emulator.segments():
            emulator.delete_by_hand(segment.id)


def cleared(world: World) -> None:
    """Criteo has counted since: what it lost can be seen."""
    world.apply()
    world.by_hand("clear")
    assert world.run("emulator", "advance", "sandbox", "1d") == 0


def swapped(world: World) -> None:
    world.apply()
    world.people(range(PEOPLE, 2 * PEOPLE))


def redefined(world: World) -> None:
    world.apply()
    world.change("buyers", '["people.csv"]}', '["people.csv"], where: "id <> \'7\'"}')


def gates_weakened(world: World) -> None:
    environment = world.file("environment")
    gates = 'promotion: {from: staging, soak: 24h, own: {"*": [all]}}\n'
    environment.write_text(environment.read_text() + gates)
    world.apply()
    world.change("environment", "soak: 24h", "soak: 1h")


def one_blocked(world: World) -> None:
    """The other audience has a source of its own, which is not there."""
    many(1)(world)
    world.change("a0", "people.csv", "absent.csv")


def blocked_by_source_and_guard(world: World) -> None:
    shrunk(world)
    one_blocked(world)


def paused(world: World) -> None:
    moved(world)
    world.file("buyers").write_text(world.file("buyers").read_text() + "paused: true\n")


def renamed_audience(world: World) -> None:
    world.apply()
    world.change("buyers", "name: buyers", "name: customers")


def moved_audience(world: World) -> None:
    renamed_audience(world)
    world.file("changes").write_text("kind: Moved\nfrom: buyers\nto: customers\n")


def removed(world: World) -> None:
    left(world)
    world.file("changes").write_text(
        "kind: Removed\naddress: customer/buyers\nmembers: remove\nsegment: delete\n"
    )


TEARDOWN = ("teardown", "sandbox", "--quiet", "--confirm", "sandbox")


def torn_down(world: World) -> None:
    """The manifests stay: the next plan sends the members again."""
    world.apply()
    assert world.run(*TEARDOWN, "--yes") == 0


WORLDS: dict[str, Callable[[World], None]] = {
    "first-create": nothing,
    "no-change": applied,
    "sources-unchanged": unread,
    "adds-and-removes": moved,
    "rename": renamed,
    "replace": replaced,
    "forget": left,
    "adopt": back,
    "adopt-segments": another_tools,
    "blocked-by-guards": shrunk,
    "foreign-name": foreign,
    "gone-at-criteo": gone,
    "resumed": interrupted,
    "resumed-run": interrupted,
    "waits": interrupted_and_changed,
    "mixed-column": mixed,
    "sixty-addresses": many(30),
    "five-hundred": many(250),
    "many-destinations": many_destinations,
    "two-seats": two_seats,
    "drift": drifted,
    "unreachable": unreachable,
    "partial-failure": refused_in_part,
    "rejected-identifiers": rejecting,
    "wrong-manifests": wrong,
    "guard-let-down": let_down,
    "guard-changed": guards_edited,
    "guard-changed-for-few": guards_edited,
    "few-people": few,
    "empty-source": emptied,
    "stale-source": stale,
    "lost-access": lost,
    "drift-of-lost-access": lost,
    "undoes-drift": drifted,
    "not-approved": moved,
    "first-in-ci": nothing,
    "refill": cleared,
    "swapped-people": swapped,
    "redefined": redefined,
    "gates-weakened": gates_weakened,
    "paused": paused,
    "moved": moved_audience,
    "looks-renamed": renamed_audience,
    "removed": removed,
    "all-blocked": emptied,
    "applied-beside-blocked": one_blocked,
    "blocked-by-cause": blocked_by_source_and_guard,
    "teardown": torn_down,
    "teardown-of-nothing": nothing,
    "drift-of-test-members": torn_down,
}


LOST = ("lost-access", "drift-of-lost-access")


def test_every_golden_case_has_a_setup() -> None:
    assert WORLDS.keys() == DOCUMENTS.keys()


@pytest.mark.parametrize("case", WORLDS)
def test_a_plan_makes_no_write_request(world: World, case: str) -> None:
    WORLDS[case](world)
    before = world.state()
    world.calls.clear()
    counts = ("--statistics",) if case == "refill" else ()
    code = world.run("plan", "sandbox", "--quiet", "--out", "plan.json", "--detailed-exitcode", *counts)
    asked = [one for one in world.calls if not (one.startswith("GET ") or ASKING.search(one))]
    assert asked == []
    assert world.state() == before
    assert (world.project.root / "plan.json").exists()
    unchanged = dict.fromkeys(("no-change", "sources-unchanged", "rejected-identifiers", "paused"), 0)
    expected = unchanged | {"wrong-manifests": 3, "unreachable": 9}
    refused = (
        "blocked-by-guards", "blocked-by-cause", "all-blocked", "foreign-name", "empty-source",
        "stale-source", "swapped-people",
    )  # fmt: skip
    assert code == (expected | dict.fromkeys((*refused, *LOST), 5)).get(case, 2)
    assert bool(world.calls) == (case != "wrong-manifests")


@pytest.mark.parametrize("case", ["drift", "gone-at-criteo", "no-change"])
def test_looking_for_drift_makes_no_write_request(world: World, case: str) -> None:
    WORLDS[case](world)
    before = world.state()
    world.calls.clear()
    assert world.run("drift", "sandbox", "--quiet") == (0 if case == "no-change" else 2)
    assert [one for one in world.calls if not (one.startswith("GET ") or ASKING.search(one))] == []
    assert world.state() == before


@pytest.mark.parametrize("options", [("--plan",), ("--plan", "--delete")], ids=" ".join)
def test_a_plan_of_a_teardown_makes_no_write_request(world: World, options: tuple[str, ...]) -> None:
    applied(world)
    before = world.state()
    world.calls.clear()
    assert world.run(*TEARDOWN, *options) == 0
    assert [one for one in world.calls if not (one.startswith("GET ") or ASKING.search(one))] == []
    assert world.state() == before
