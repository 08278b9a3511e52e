"""`verify` proves that sent members arrived and match, or states what to do; the result is kept."""

import json
import signal
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import schemas
from support.cli import Project, surroundings
from support.emulator import HOST, Client

from reconciler.core.model import Address
from reconciler.core.verification import Verification, VerificationOutcome
from reconciler.emulator.in_process_transport import transport
from reconciler.state.local_store import LocalStore

pytestmark = pytest.mark.promise("read-right")

EMAIL = Address("email", "buyers")
FOLDER = "environments/sandbox"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path)
    made.people(*range(40))
    made.run("apply", "sandbox", "--yes")
    return made


def words(text: str) -> str:
    return " ".join(text.split())


def verified(project: Project, *more: str, code: int = 0) -> str:
    return words(project.run("verify", "sandbox", *more, code=code).said)


def document(project: Project, *more: str, code: int = 0) -> dict[str, Any]:
    said = project.run("verify", "sandbox", "--json", *more, code=code).said
    return schemas.output(said[said.index("{") : said.rindex("}") + 1])


def outcomes(project: Project, *more: str, code: int = 0) -> dict[str, str]:
    found = document(project, *more, code=code)["addresses"]
    return {one["address"]: one["outcome"] for one in found}


def kept(project: Project) -> dict[Address, Verification]:
    store = LocalStore(project.root / ".reconciler/state/sandbox", "sandbox")
    return store.reader().verifications().by_address()


def status(project: Project) -> str:
    return words(project.run("status", "sandbox").said)


def clear(project: Project, channel: str) -> None:
    with project.emulator() as emulator:
        [segment] = [one for one in emulator.segments() if f"({channel})" in one.name]
        emulator.clear_by_hand(segment.id)


def test_before_the_computation_it_states_when_to_come_back(project: Project) -> None:
    said = verified(project, code=11)
    assert "not computed yet" in said
    assert "Criteo computes at" in said
    assert "2 addresses: 2 not computed yet." in said
    assert "run `reconciler verify sandbox` again after 20" in said
    assert "`reconciler emulator advance sandbox 12h`" in said
    found = document(project, code=11)
    assert {one["check_again_at"] for one in found["addresses"]} == {found["addresses"][0]["computed_at"]}
    assert found["error"]["exit_code"] == 11
    assert kept(project) == {}
    assert "verified" not in status(project)


def test_after_the_computation_all_is_verified_and_kept(project: Project) -> None:
    project.run("emulator", "advance", "sandbox", "1d")
    serial = project.serial()
    said = verified(project)
    assert "40 of 40 identifiers arrived; 20 match (minimum 0.1%)" in said
    assert "2 addresses: 2 verified." in said
    assert "`reconciler status sandbox` shows the kept results." in said
    assert project.serial() == serial, "a verification is no change of the state"
    found = kept(project)[EMAIL]
    assert (found.outcome, found.sent, found.rejected, found.arrived, found.matched) == (
        VerificationOutcome.VERIFIED, 40, 0, 40, 24,
    )  # fmt: skip
    assert found.endpoint == "emulator"
    assert found.sample_rows is None
    assert "verified 20" in status(project)
    exact = words(project.at_terminal("status", "sandbox").said)
    assert "(matched 24 of 40, 60%)" in exact
    [address, _] = json.loads(project.run("status", "sandbox", "--json").said)["addresses"][::-1]
    assert address["verification"]["outcome"] == "verified"
    assert address["verification"]["changed_parts"] == []


def test_members_that_criteo_lost_fail(project: Project) -> None:
    clear(project, "email")
    project.run("emulator", "advance", "sandbox", "1d")
    said = verified(project, code=5)
    assert "too few arrived" in said
    assert "0 of 40 identifiers arrived" in said
    assert "`reconciler plan sandbox --statistics --only email/buyers` plans to refill it" in said
    assert "sandbox: 1 of 2 addresses failed verification" in said
    assert outcomes(project, code=5) == {"customer/buyers": "verified", "email/buyers": "too_few"}
    assert {one: found.outcome for one, found in kept(project).items()} == {
        EMAIL: VerificationOutcome.TOO_FEW,
        Address("customer", "buyers"): VerificationOutcome.VERIFIED,
    }
    assert "too few arrived 20" in status(project)
    assert outcomes(project, "--only", "customer/*") == {"customer/buyers": "verified"}


def test_one_lost_member_is_too_few(project: Project) -> None:
    with (
        project.emulator() as emulator,
        httpx.Client(base_url=HOST, transport=transport(emulator.pipeline)) as http,
    ):
        [segment] = [one for one in emulator.segments() if "(email)" in one.name]
        client = Client(emulator, http)
        client.authorize()
        removed = client.remove(segment.id, [min(emulator.members(segment.id))])
    assert removed.status_code == 200
    project.run("emulator", "advance", "sandbox", "1d")
    assert outcomes(project, code=5)["email/buyers"] == "too_few"
    assert "compares again after the next computation" in verified(project, code=5)


def test_a_count_that_is_too_low_is_final_when_the_computation_is_live(project: Project) -> None:
    now = datetime.now(UTC)
    clear(project, "email")
    due = document(project, code=11)["addresses"][0]["computed_at"]
    ahead = datetime.fromisoformat(due) - now + timedelta(minutes=30)
    project.run("emulator", "advance", "sandbox", f"{int(ahead.total_seconds())}s")
    assert outcomes(project, code=11) == {"customer/buyers": "verified", "email/buyers": "not_computed"}
    assert "may be unfinished: 0 of 40 identifiers arrived; again after" in verified(project, code=11)
    assert kept(project).keys() == {Address("customer", "buyers")}, "what is final is kept"
    project.run("emulator", "advance", "sandbox", "5h")
    assert outcomes(project, code=5)["email/buyers"] == "too_few"


def test_below_the_minimum_match_rate_fails(project: Project) -> None:
    with project.emulator() as emulator:
        emulator.configure(replace(emulator.switches, match_rate=0.0))
    project.run("emulator", "advance", "sandbox", "1d")
    said = verified(project, code=5)
    assert "too few match" in said
    assert "40 of 40 identifiers arrived; 0 match (minimum 0.1%)" in said
    assert set(outcomes(project, code=5).values()) == {"below_minimum"}


def test_a_definition_that_changed_since_the_apply_must_be_applied_first(project: Project) -> None:
    project.run("emulator", "advance", "sandbox", "1d")
    verified(project)
    before = kept(project)
    buyers = project.root / FOLDER / "buyers.yaml"
    buyers.write_text(buyers.read_text().replace("title: Buyers", "title: Regular buyers"))
    said = verified(project, code=5)
    assert "definition changed" in said
    assert "apply first: `reconciler apply sandbox --only email/buyers`" in said
    assert kept(project) == before, "the earlier result still proves the earlier definition"
    assert "the definition changed since: title" in status(project)
    project.run("apply", "sandbox", "--yes")
    verified(project)
    assert "changed since" not in status(project)


def test_what_was_never_applied_must_be_applied_first(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    project.people(*range(40))
    said = verified(project, code=5)
    assert "not applied" in said
    assert "apply first: `reconciler apply sandbox --only email/buyers`" in said


def test_a_segment_that_is_gone_fails(project: Project) -> None:
    with project.emulator() as emulator:
        for segment in emulator.segments():
            if "(email)" in segment.name:
                emulator.delete_by_hand(segment.id)
    assert outcomes(project, code=5) == {"customer/buyers": "not_computed", "email/buyers": "missing"}
    assert kept(project)[EMAIL].outcome is VerificationOutcome.MISSING


def test_another_run_with_the_lock_does_not_stop_the_check_and_nothing_is_kept(project: Project) -> None:
    project.run("emulator", "advance", "sandbox", "1d")
    store = LocalStore(project.root / ".reconciler/state/sandbox", "sandbox")
    with store.lock("the other run"):
        said = verified(project, code=7)
        assert "2 addresses: 2 verified." in said
        assert "the results are not kept" in said
        assert "the other run" in said
        found = document(project, code=7)
    assert {one["kept"] for one in found["addresses"]} == {False}
    assert {one["outcome"] for one in found["addresses"]} == {"verified"}
    assert kept(project) == {}
    assert {one["kept"] for one in document(project)["addresses"]} == {True}


def test_with_wait_it_verifies_as_soon_as_criteo_has_computed(project: Project) -> None:
    """The emulator's clock stands shortly before the computation, which is awaited in real time."""
    due = datetime.fromisoformat(document(project, code=11)["addresses"][0]["computed_at"])
    ahead = due - datetime.now(UTC) - timedelta(seconds=4)
    project.run("emulator", "advance", "sandbox", f"{int(ahead.total_seconds())}s")
    assert "2 addresses: 2 verified." in verified(project, "--wait")


def test_a_wait_states_its_end_in_a_log_and_is_cancelled_on_request(project: Project) -> None:
    with subprocess.Popen(
        project.command("verify", "sandbox", "--wait"),
        cwd=project.root,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        line = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    assert line.startswith("waiting ")
    assert line.endswith(": Criteo has not computed 2 of 2 addresses yet\n")
    assert process.returncode == 130
    assert printed == ""
    assert kept(project) == {}


def test_a_lost_or_damaged_document_is_none(project: Project) -> None:
    project.run("emulator", "advance", "sandbox", "1d")
    verified(project)
    file = project.root / ".reconciler/state/sandbox/verifications.json"
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"arrived": 40', b'"arrived": 41'))
    assert kept(project) == {}
    assert "verified" not in status(project)
    file.unlink()
    assert "verified" not in status(project)
    verified(project)
    assert json.loads(file.read_bytes()).keys() == json.loads(content).keys()
