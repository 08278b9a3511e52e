"""The database keeps segments and history across processes; the history has counts and no identifier."""

import hashlib
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support.emulator import ACCOUNT, HOST, RETAILER, Client, Clock, contact_list, mounted, sha256

from reconciler.emulator import Emulator, Switches
from reconciler.emulator.database import ahead
from reconciler.emulator.in_process_transport import transport

pytestmark = pytest.mark.promise("private")

MARKER = "marker.person@example.com"


def test_no_identifier_name_or_token_is_in_the_history(tmp_path: Path) -> None:
    """Whatever a client sends and wherever it puts it."""
    with mounted(tmp_path) as world:
        client = world.client
        segment = client.segment(MARKER + " list")
        client.add(segment, [MARKER, MARKER + "\n", sha256(MARKER)])
        client.remove(segment, [MARKER])
        client.add(MARKER, [MARKER])
        client.update((MARKER, {"name": MARKER}))
        client.http.get(f"/{MARKER}/{MARKER}", params={MARKER: MARKER})
        client.http.get(f"/{MARKER}/retail-media/me")
        client.token(client_id=MARKER, client_secret=MARKER)
        world.emulator.fault("timeout-after")
        with pytest.raises(httpx.ReadTimeout):
            client.add(segment, [MARKER])
        token = client.http.headers["authorization"].removeprefix("Bearer ")
        secret = world.emulator.credentials.client_secret
        assert secret not in repr(world.emulator.credentials)
    with sqlite3.connect(tmp_path / "emulator.db") as db:
        rows = repr(db.execute("SELECT * FROM history").fetchall())
        tokens = repr(db.execute("SELECT * FROM tokens").fetchall())
    db.close()
    digests = {
        sha256(MARKER),
        hashlib.md5(MARKER.encode(), usedforsecurity=False).hexdigest(),
        sha256(sha256(MARKER)),
    }
    for marker in ("marker", token, secret, *digests):
        assert marker not in rows
        assert marker not in tokens


def test_what_a_request_says(tmp_path: Path) -> None:
    """Counts of what was sent and of what was taken."""
    with mounted(tmp_path) as world:
        segment = world.client.segment()
        world.client.add(segment, [MARKER, "nobody"])
        world.client.search()
        world.client.create(contact_list("A"), contact_list("B"))
        add, search, create = world.emulator.history()[-3:]
    assert (add.operation, add.action, add.method, add.status, add.fault) == (
        "AddRemoveContactListByAudienceSegment",
        "add",
        "POST",
        200,
        "",
    )
    assert (add.items, add.identifiers, add.valid, add.invalid) == (1, 2, 1, 1)
    assert (add.segment_id, add.account_id) == (segment, "")
    assert add.committed_at == add.arrived_at
    assert (search.account_id, search.committed_at, search.digest) == (ACCOUNT, None, "")
    assert (create.items, create.identifiers) == (2, 0)
    assert [request.number for request in (add, search, create)] == [3, 4, 5]


def test_a_repeated_batch_is_recognized(tmp_path: Path) -> None:
    """By its content, in any order; the digest is keyed, so it cannot be matched to a person."""
    with mounted(tmp_path) as world:
        segment = world.client.segment()
        for batch in (["a@example.com", MARKER], [MARKER, "a@example.com"], [MARKER]):
            world.client.add(segment, batch)
        one, two, three = (request.digest for request in world.emulator.history()[-3:])
    assert one == two != three
    assert three != sha256(MARKER)


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    """Credentials, clock, switches, faults, tokens and members."""
    with mounted(tmp_path, Switches(failures="errors")) as world:
        segment = world.client.segment()
        world.client.add(segment, [MARKER])
        world.emulator.advance(100)
        world.emulator.fault("500-before")
        credentials, now = world.emulator.credentials, world.emulator.now
        token, clock = world.client.http.headers["authorization"], world.clock
    with Emulator.open(tmp_path / "emulator.db", clock=clock) as again:
        assert again.credentials == credentials
        assert again.now == now
        assert again.switches == Switches(failures="errors")
        assert again.members(segment) == {MARKER}
        headers = {"authorization": token}
        with httpx.Client(base_url=HOST, transport=transport(again.pipeline), headers=headers) as http:
            client = Client(again, http)
            assert [client.search().status_code for _ in range(2)] == [500, 200]


def test_two_may_have_the_file_open(tmp_path: Path) -> None:
    """What one does the other sees, faults and clock included."""
    with mounted(tmp_path) as world, Emulator.open(world.emulator.path, clock=world.clock) as other:
        segment = world.client.segment()
        other.fault("500-before")
        assert world.client.search().status_code == 500
        world.client.add(segment, [MARKER])
        assert other.members(segment) == {MARKER}
        other.advance(900)
        assert world.client.search().status_code == 401


def test_a_killed_client_loses_nothing_it_was_answered(tmp_path: Path) -> None:
    """Mounted in the very process that is killed without warning."""
    path = tmp_path / "emulator.db"
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from support.emulator import mounted
with mounted(Path({str(tmp_path)!r})) as world:
    segment = world.client.segment()
    for number in range(20):
        world.client.add(segment, [f"{{number}}@example.com"])
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", script], check=False, cwd=Path.cwd())
    assert killed.returncode == -9
    with Emulator.open(path, clock=Clock()) as emulator:
        (segment,) = emulator.segments()
        assert len(emulator.members(segment.id)) == segment.size == 20


def test_a_reset_keeps_credentials(tmp_path: Path) -> None:
    """A reset removes recorded calls; the clock stays, because it must never go back."""
    with mounted(tmp_path, Switches(rate_limit=7)) as world:
        world.client.segment()
        world.emulator.advance(100)
        world.emulator.fault("500-before")
        before = world.emulator.credentials
        world.emulator.reset()
        assert world.emulator.credentials == before
        assert world.emulator.now == world.clock.now + 100
        assert ahead(world.emulator.path) == 100
        assert world.emulator.segments() == world.emulator.history() == ()
        assert world.client.search().status_code == 401
        world.client.authorize()
        assert world.client.search().status_code == 200
        assert world.client.accounts().json()["data"][0]["attributes"]["name"] == "Acme"
        assert world.emulator.switches.rate_limit == 7


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """As is a folder made for it."""
    path = tmp_path / "made" / "emulator.db"
    with Emulator.open(path, clock=Clock()) as emulator:
        emulator.ensure_account(ACCOUNT, [RETAILER])
        for file in (path, *path.parent.glob("*-wal")):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    """Rather than misread."""
    path = tmp_path / "emulator.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ValueError, match="another version"):
        Emulator.open(path)


def test_what_can_not_be_read_has_the_real_time(tmp_path: Path) -> None:
    (tmp_path / "odd").write_text("x" * 5000)
    assert {ahead(tmp_path / name) for name in ("odd", "none")} == {0.0}
    sqlite3.connect(tmp_path / "new").close()
    assert ahead(tmp_path / "new") == 0.0


def test_the_clock_never_goes_back(tmp_path: Path) -> None:
    """It moves with real time, and ahead of it."""
    with mounted(tmp_path) as world:
        world.emulator.advance(60)
        world.clock.now += 5
        assert world.emulator.now == world.clock.now + 60
        with pytest.raises(ValueError, match="forward"):
            world.emulator.advance(-1)
