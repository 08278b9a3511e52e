"""With `state.snapshotKey`, the store holds no identifier in the clear; keys come, rotate and go."""

import base64
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from support import forked_command
from support.cli import Project, surroundings
from support.forked_command import Setup

from reconciler.state.sealed_stream import key_id

pytestmark = pytest.mark.promise("sealed")

FIRST, SECOND, OTHER = (bytes([number]) * 32 for number in (1, 2, 3))
KEYS = {
    "FIRST_KEY": base64.b64encode(FIRST).decode(),
    "SECOND_KEY": base64.b64encode(SECOND).decode(),
    "OTHER_KEY": base64.b64encode(OTHER).decode(),
}
NOTHING = ""
FIRST_KEY = 'snapshotKey: "env:FIRST_KEY"'
ROTATING = 'snapshotKey: "env:SECOND_KEY", earlierSnapshotKeys: ["env:FIRST_KEY"]'
SECOND_KEY = 'snapshotKey: "env:SECOND_KEY"'
LEAVING = 'earlierSnapshotKeys: ["env:FIRST_KEY"]'
LISTS = """\
suppress:
  lists:
    - {name: opt-outs, files: ["gone.csv"], columns: {Email: email}}
"""
STATE = '"file:.reconciler/state/sandbox"'
MOST = 40
"""People are numbered from 1 to this."""


class Sealed(Project):
    """A project with every key at hand."""

    def keys(self, written: str) -> None:
        """Write which keys the environment names."""
        file = self.root / "environments" / "sandbox" / "environment.yaml"
        lines = file.read_text().splitlines()
        named = f"state: {{url: {STATE}, {written}}}" if written else f"state: {{url: {STATE}}}"
        file.write_text("\n".join(named if line.startswith("state:") else line for line in lines) + "\n")

    def output(self, *arguments: str, code: int = 0, given: str = "") -> str:
        return " ".join(self.run(*arguments, code=code, given=given, **KEYS).said.split())

    def state(self) -> Path:
        return self.root / ".reconciler" / "state" / "sandbox"

    def snapshots(self) -> list[Path]:
        return sorted((self.state() / "snapshots").iterdir())

    def sealed_with(self) -> set[str]:
        """Return the IDs of the keys that seal the snapshots; "" for plain ones."""
        starts = (one.read_bytes() for one in self.snapshots())
        magic = b"reconciler sealed snapshot 1\n"
        return {one[len(magic) :][:8].hex() if one.startswith(magic) else "" for one in starts}


def member_forms(number: int) -> tuple[bytes, ...]:
    """Return each form in which a file could contain a person."""
    values = (f"person{number}@example.com".encode(), f"customer-{number:04}".encode())
    digests = [hashlib.new(name, value) for value in values for name in ("md5", "sha256")]
    return (*values, *(one.digest() for one in digests), *(one.hexdigest().encode() for one in digests))


def files_with_members(folder: Path) -> set[str]:
    """Return the folders and files that contain a person, in any form."""
    forms = [form for number in range(1, MOST + 1) for form in member_forms(number)]
    return {
        one.relative_to(folder).parts[0]
        for one in folder.rglob("*")
        if one.is_file() and contains(one.read_bytes(), forms)
    }


def contains(content: bytes, forms: list[bytes]) -> bool:
    return any(form in content for form in forms)


def people(project: Project, *numbers: int) -> None:
    rows = (f"person{number}@example.com,customer-{number:04}" for number in numbers)
    (project.root / "data" / "people.csv").write_text("\n".join(["email,id", *rows]) + "\n")


@pytest.fixture
def project(tmp_path: Path) -> Sealed:
    made = Sealed(Project.make(tmp_path, batch_size=10).root)
    made.keys(FIRST_KEY)
    people(made, *range(1, 31))
    return made


@pytest.mark.parametrize(("keys", "found"), [(FIRST_KEY, set()), (NOTHING, {"snapshots", "out.zip"})])
def test_no_file_of_the_store_contains_a_member(project: Sealed, keys: str, found: set[str]) -> None:
    """Two versions, a suppression list, an interrupted transfer, an erasure list and an export."""
    project.keys(keys)
    environment = project.root / "environments" / "sandbox" / "environment.yaml"
    environment.write_text(environment.read_text() + LISTS)
    (project.root / "data" / "gone.csv").write_text("email\nperson3@example.com\nperson4@example.com\n")
    project.output("apply", "sandbox", "--yes")
    project.output("erase", "sandbox", "--yes", given="person5@example.com\n")
    people(project, *range(1, MOST + 1))
    killed = Setup("support.killed_writes", "kill_at_batch", 2)
    assert forked_command.run(project.root, ("apply", "sandbox", "--yes"), surroundings(**KEYS), killed)[0]
    project.output("state", "export", "sandbox", ".reconciler/state/sandbox/out.zip")
    shown = json.loads(project.run("state", "show", "sandbox", "--json", **KEYS).said)
    assert any(one["transferring"] for one in shown["addresses"])
    assert files_with_members(project.state()) == found
    assert files_with_members(project.root / ".reconciler" / "cache") == set()
    assert project.sealed_with() == ({key_id(FIRST)} if keys else {""})
    assert project.snapshots()
    for name in ("key", "erasure.key"):
        assert (project.state() / name).read_bytes().startswith(b"reconciler sealed") is bool(keys)


def test_a_key_that_arrives_rotates_and_goes_changes_no_plan(project: Sealed) -> None:
    """Snapshots stay readable throughout, and `state reseal` makes the earlier key unnecessary."""
    project.keys(NOTHING)
    project.output("apply", "sandbox", "--yes")
    project.keys(FIRST_KEY)
    assert "No changes" in project.output("plan", "sandbox", "--read-sources")
    assert "plain snapshots: 2" in project.output("doctor", "sandbox")
    people(project, *range(1, 33))
    project.output("apply", "sandbox", "--yes")
    assert project.sealed_with() == {"", key_id(FIRST)}
    project.keys(ROTATING)
    assert "No changes" in project.output("plan", "sandbox", "--read-sources")
    said = project.output("doctor", "sandbox")
    assert f"sealed with an earlier key: 2 with key {key_id(FIRST)}" in said
    assert "`reconciler state reseal sandbox`" in said
    said = project.output("state", "reseal", "sandbox", "--actor", "mona")
    assert f"4 snapshots rewritten, 0 up to date: sealed with key {key_id(SECOND)}" in said
    assert "0 snapshots rewritten, 4 up to date" in project.output("state", "reseal", "sandbox")
    project.keys(SECOND_KEY)
    assert project.sealed_with() == {key_id(SECOND)}
    assert "No changes" in project.output("plan", "sandbox", "--read-sources")
    assert f"sealed: 4 with key {key_id(SECOND)}" in project.output("doctor", "sandbox")
    [last, *_] = [one for one in _runs(project) if one["end"]["changes"]][::-1]
    assert last["begin"]["command"] == "state reseal"
    assert {one["kind"] for one in last["end"]["changes"]} == {"resealed"}


def test_without_a_key_the_snapshots_become_plain_again(project: Sealed) -> None:
    project.output("apply", "sandbox", "--yes")
    project.keys(LEAVING)
    assert "No changes" in project.output("plan", "sandbox", "--read-sources")
    assert "sealed, though no `snapshotKey` is named: 2" in project.output("doctor", "sandbox")
    assert "2 snapshots rewritten, 0 up to date: plain" in project.output("state", "reseal", "sandbox")
    project.keys(NOTHING)
    assert project.sealed_with() == {""}
    assert "No changes" in project.output("plan", "sandbox", "--read-sources")


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (NOTHING, f"is sealed with key {key_id(FIRST)}, and environment.yaml names no key of that ID"),
        ('snapshotKey: "env:OTHER_KEY"', f"is sealed with key {key_id(FIRST)}"),
        ('snapshotKey: "env:ABSENT_KEY"', "a key of snapshots can't be read"),
        ('snapshotKey: "file:short.key"', "is not 32 bytes in base64"),
    ],
)
def test_a_missing_or_wrong_key_is_named_before_anything_is_sent(
    project: Sealed, keys: str, reason: str
) -> None:
    project.output("apply", "sandbox", "--yes")
    people(project, *range(1, 33))
    (project.root / "short.key").write_text("c2hvcnQ=")
    (project.root / "short.key").chmod(0o600)
    calls, serial = project.writes(), project.serial()
    project.keys(keys)
    for command in (("plan", "sandbox"), ("apply", "sandbox", "--yes"), ("doctor", "sandbox")):
        said = project.output(*command, code=3)
        assert reason in said
        assert "snapshotKey" in said
    assert project.output("state", "history", "sandbox")
    assert (project.writes(), project.serial()) == (calls, serial)


def test_a_damaged_snapshot_is_named_with_the_way_back(project: Sealed) -> None:
    project.output("apply", "sandbox", "--yes")
    people(project, *range(1, 33))
    project.output("apply", "sandbox", "--yes")
    resource = json.loads((project.state() / "resources" / "email.buyers.json").read_text())
    file = project.state() / "snapshots" / resource["current"]["confirmed"]["digest"]
    file.write_bytes(file.read_bytes()[:-1])
    people(project, *range(1, 34))
    said = project.output("plan", "sandbox", code=10)
    assert "is sealed, and damaged" in said
    assert "state restore --accept-loss" in said
    said = project.output("state", "reseal", "sandbox")
    assert "0 snapshots rewritten, 4 up to date" in said
    said = project.output("state", "restore", "sandbox", "--serial", "1", "--yes", "--accept-loss")
    assert "1 snapshot can't be read" in said
    project.keys(ROTATING)
    assert "is sealed, and damaged" in project.output("state", "reseal", "sandbox", code=10)
    assert project.sealed_with() == {key_id(FIRST), key_id(SECOND)}


def test_a_sealed_state_is_exported_imported_restored_and_erased(project: Sealed) -> None:
    project.output("apply", "sandbox", "--yes")
    people(project, *range(1, 33))
    project.output("apply", "sandbox", "--yes")
    assert "sealed with the key of snapshots" in project.output("state", "export", "sandbox", "out.zip")
    project.output("state", "export", "sandbox", "out.zip")
    shutil.move(project.state(), project.root / "old")
    project.keys('snapshotKey: "env:OTHER_KEY"')
    said = project.output("state", "import", "sandbox", "out.zip", "--yes", code=3)
    assert f"the file is sealed with key {key_id(FIRST)}" in said
    project.keys(ROTATING)
    project.output("state", "import", "sandbox", "out.zip", "--yes")
    assert project.sealed_with() == {key_id(SECOND)}
    assert "No changes" in project.output("plan", "sandbox", "--read-sources")
    people(project, *range(1, 31))
    project.output("apply", "sandbox", "--yes")
    project.output("state", "restore", "sandbox", "--serial", "3", "--yes")
    project.output("apply", "sandbox", "--yes")
    assert len(project.members("email")) == 30
    project.output("erase", "sandbox", "--yes", given="person7@example.com\n")
    assert "no identifier was found" not in project.output("find", "sandbox", given="person7@example.com\n")
    assert hashlib.sha256(b"person7@example.com").hexdigest() not in project.members("email")
    assert project.sealed_with() == {key_id(SECOND)}
    assert files_with_members(project.state()) == set()


def test_a_plain_export_is_sealed_when_it_is_imported(project: Sealed) -> None:
    project.keys(NOTHING)
    project.output("apply", "sandbox", "--yes")
    project.output("state", "export", "sandbox", "out.zip")
    shutil.move(project.state(), project.root / "old")
    project.keys(FIRST_KEY)
    project.output("state", "import", "sandbox", "out.zip", "--yes")
    assert project.sealed_with() == {key_id(FIRST)}
    content = (project.root / "out.zip").read_bytes()
    project.output("state", "export", "sandbox", "out.zip")
    sealed = (project.root / "out.zip").read_bytes()
    (project.root / "out.zip").write_bytes(sealed[:-1])
    shutil.move(project.state(), project.root / "older")
    said = project.output("state", "import", "sandbox", "out.zip", "--yes", code=10)
    assert "the file is sealed, and damaged" in said
    assert content != sealed


def _runs(project: Sealed) -> list[dict[str, dict[str, object]]]:
    return json.loads(project.run("audit", "sandbox", "--json", **KEYS).said)["runs"]
