"""`state show`, `history`, `restore`, `export` and `import`, through the command line."""

import json
import os
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from support.cli import Project

from reconciler.core.state.codec import decode_state, dump, encode_state, parse

pytestmark = pytest.mark.promise("state")

MANY = range(1, 31)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Applied twice: ten people left at the second time, and ten were new."""
    made = Project.make(tmp_path)
    made.people(*MANY)
    made.run("apply", "sandbox", "--yes")
    made.people(*range(6, 36))
    made.run("apply", "sandbox", "--yes")
    return made


def state(project: Project) -> Path:
    return project.root / ".reconciler" / "state" / "sandbox"


def hashes(project: Project) -> list[str]:
    return sorted(project.members("email") | project.members("customer"))


def silent(project: Project, said: str) -> None:
    assert set(re.findall(r"\w+", said)).isdisjoint(hashes(project))


def test_what_is_known_is_shown_in_round_numbers(project: Project) -> None:
    said = project.run("state", "show", "sandbox").said
    assert "serial 2" in said
    assert "email/buyers" in said
    assert "30  completed 20" in said
    found = json.loads(project.run("state", "show", "sandbox", "--json").said)
    assert (found["format_version"], found["serial"], len(found["addresses"])) == (2, 2, 2)
    assert {one["members"] for one in found["addresses"]} == {30}
    said = project.run("state", "history", "sandbox").said
    silent(project, said)
    assert "serial 1  until " in said
    assert "2 addresses" in said


def test_before_the_first_apply_there_is_nothing(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    project.people(1, 2)
    assert "none yet" in project.run("state", "show", "sandbox").said
    assert json.loads(project.run("state", "show", "sandbox", "--json").said)["serial"] is None
    assert "none yet" in project.run("state", "history", "sandbox").said
    assert "no state yet" in project.run("state", "export", "sandbox", "x.zip", code=10).said


def test_after_a_restore_the_next_apply_sends_uncertain_members(project: Project) -> None:
    before = project.writes()
    project.run("state", "restore", "sandbox", "--serial", "1", code=64)
    assert "available: 1" in project.run("state", "restore", "sandbox", "--serial", "9", "-y", code=10).said
    said = project.run("state", "restore", "sandbox", "--serial", "1", "--yes").said
    assert "back to serial 1; addresses with uncertain members: 2 addresses" in said
    assert project.writes() == before
    found = json.loads(project.run("state", "show", "sandbox", "--json").said)
    assert (found["serial"], {one["uncertain"] for one in found["addresses"]}) == (3, {10})
    project.run("plan", "sandbox", "--detailed-exitcode", code=2)
    held = project.members("email"), project.members("customer")
    project.run("apply", "sandbox", "--yes")
    assert held == (project.members("email"), project.members("customer"))
    project.run("plan", "sandbox", "--detailed-exitcode")


def test_damage_is_done_without_when_that_is_accepted(project: Project) -> None:
    (state(project) / "resources" / "email.buyers.json").write_text("{")
    said = project.run("apply", "sandbox", "--yes", code=10).said
    assert "state restore --accept-loss" in " ".join(said.split())
    project.run("state", "restore", "sandbox", "--serial", "1", "--yes", code=10)
    said = project.run("state", "restore", "sandbox", "--serial", "1", "--yes", "--accept-loss").said
    assert "email/buyers: its resource state can't be read" in said
    project.run("apply", "sandbox", "--yes")
    project.run("plan", "sandbox", "--detailed-exitcode")
    assert len(project.members("email")) == 30


def test_a_snapshot_that_is_lost_is_done_without_when_that_is_accepted(project: Project) -> None:
    resource = json.loads((state(project) / "resources" / "email.buyers.json").read_text())
    (state(project) / "snapshots" / resource["current"]["confirmed"]["digest"]).write_text("junk")
    said = project.run("state", "restore", "sandbox", "--serial", "1", "--yes", code=10).said
    assert "does not match its name" in " ".join(said.split())
    said = project.run("state", "restore", "sandbox", "--serial", "1", "--yes", "--accept-loss").said
    assert "1 snapshot can't be read" in said
    project.run("apply", "sandbox", "--yes")
    assert len(project.members("email")) == 30


def test_a_state_is_moved_to_another_backend(project: Project) -> None:
    said = project.run("state", "export", "sandbox", "out.zip").said
    file = project.root / "out.zip"
    assert "personal data" in said
    assert file.stat().st_mode & 0o777 == 0o600
    project.run("state", "export", "sandbox", "out.zip")
    key = (state(project) / "key").read_bytes()
    shutil.move(state(project), project.root / "old")
    said = project.run("state", "import", "sandbox", "out.zip", "--yes").said
    assert "imported 2 addresses" in said
    project.run("state", "import", "sandbox", "out.zip", "--yes")
    assert (state(project) / "key").read_bytes() == key
    assert not list((project.root / ".reconciler" / "cache" / "sandbox").iterdir())
    project.run("plan", "sandbox", "--detailed-exitcode")


def test_a_state_that_is_here_already_is_not_imported_again(project: Project) -> None:
    project.run("state", "export", "sandbox", "out.zip")
    before = project.serial()
    said = project.run("state", "import", "sandbox", "out.zip", "--yes").said
    assert "this state is here already, at serial 2; nothing was written" in said
    assert project.serial() == before
    project.people(*range(6, 40))
    project.run("apply", "sandbox", "--yes")
    project.people(*range(6, 41))
    project.run("apply", "sandbox", "--yes")
    said = " ".join(project.run("state", "import", "sandbox", "out.zip", "--yes", code=10).said.split())
    assert "here already, at serial 4; the file holds it at serial 2" in said
    assert "reconciler state restore sandbox --serial N" in said


def test_the_state_of_another_environment_with_the_same_name_is_not_replaced(
    project: Project, tmp_path: Path
) -> None:
    other = Project.make(tmp_path / "other")
    other.people(1, 2)
    other.run("apply", "sandbox", "--yes")
    other.run("state", "export", "sandbox", str(project.root / "out.zip"))
    said = project.run("state", "import", "sandbox", "out.zip", "--yes", code=10).said
    assert "there is a state already, and it is another one" in said


@pytest.mark.parametrize("command", ["export", "import"])
def test_a_pipe_in_place_of_a_file_is_refused_at_once(project: Project, command: str) -> None:
    os.mkfifo(project.root / "pipe")
    yes = ["--yes"] if command == "import" else []
    said = project.run("state", command, "sandbox", "pipe", *yes, code=10).said
    assert "pipe is not a regular file" in " ".join(said.split())


def test_nothing_is_overwritten_by_an_export(project: Project) -> None:
    people = project.root / "data" / "people.csv"
    before = people.read_bytes()
    assert "no export" in project.run("state", "export", "sandbox", "data/people.csv", code=10).said
    assert people.read_bytes() == before
    project.run("state", "export", "sandbox", "-", code=64)


def elsewhere(content: bytes) -> bytes:
    """The document of another environment's state."""
    saved = decode_state(parse(content))
    return dump(encode_state(replace(saved, head=replace(saved.head, environment="elsewhere"))))


def test_an_export_that_is_not_whole_is_refused(project: Project) -> None:
    project.run("state", "export", "sandbox", "out.zip")
    shutil.move(state(project), project.root / "old")
    whole = project.root / "out.zip"
    names = ("cut", "changed", "other", "digit")
    cut, changed, other, digit = (project.root / f"{name}.zip" for name in names)
    cut.write_bytes(whole.read_bytes()[:-200])
    rewritten(whole, changed, lambda name, content: content[:-1] + b"x" if "snapshots/" in name else content)
    rewritten(whole, other, lambda name, content: elsewhere(content) if name == "state.json" else content)
    rewritten(whole, digit, lambda _name, content: content.replace(b'"serial": ', b'"serial": 1'))
    for file in ("cut.zip", "changed.zip", "data/people.csv"):
        assert "no whole export" in project.run("state", "import", "sandbox", file, "--yes", code=10).said
    said = project.run("state", "import", "sandbox", "other.zip", "--yes", code=10).said
    assert "the state of elsewhere" in said
    said = project.run("state", "import", "sandbox", "digit.zip", "--yes", code=10).said
    assert "state.json in the file: the checksum does not match" in said
    project.run("state", "import", "sandbox", "nowhere.zip", "--yes", code=10)
    assert "none yet" in project.run("state", "show", "sandbox").said


def rewritten(source: Path, target: Path, change: object) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))


def swapped(project: Project) -> str:
    """The current snapshot of one address is a whole file with the members of an earlier one; its name."""
    resource = json.loads((state(project) / "resources" / "email.buyers.json").read_text())
    earlier = json.loads((state(project) / "history" / "1.json").read_text())["resources"][1]
    assert earlier["address"] == resource["address"]
    current, before = (one["current"]["confirmed"]["digest"] for one in (resource, earlier))
    (state(project) / "snapshots" / current).write_bytes((state(project) / "snapshots" / before).read_bytes())
    return str(current[:12])


def test_a_damaged_snapshot_is_not_exported(project: Project) -> None:
    name = swapped(project)
    said = project.run("state", "export", "sandbox", "out.zip", code=10).said
    assert f"snapshot {name} is damaged" in " ".join(said.split())
    assert not (project.root / "out.zip").exists()


def test_a_damaged_snapshot_is_not_imported(project: Project) -> None:
    """Its bytes add up to what the export says of them: it was damaged before it was exported."""
    project.run("state", "export", "sandbox", "out.zip")
    with zipfile.ZipFile(project.root / "out.zip") as archive:
        sums = json.loads(archive.read("sums.json"))
        one, other = sorted(sums)[:2]
        content = {name: archive.read(name) for name in archive.namelist()}
    content[f"snapshots/{one}"] = content[f"snapshots/{other}"]
    content["sums.json"] = json.dumps(sums | {one: sums[other]}).encode()
    with zipfile.ZipFile(project.root / "out.zip", "w") as archive:
        for name, stored in content.items():
            archive.writestr(name, stored)
    shutil.move(state(project), project.root / "old")
    said = project.run("state", "import", "sandbox", "out.zip", "--yes", code=10).said
    assert f"snapshot {one[:12]} is damaged" in " ".join(said.split())
    assert "none yet" in project.run("state", "show", "sandbox").said


def test_doctor_names_damaged_snapshots_of_today_and_of_earlier_states(project: Project) -> None:
    healthy = " ".join(project.run("doctor", "sandbox").said.split())
    assert "snapshots: match their names: 4" in healthy
    name = swapped(project)
    said = " ".join(project.run("doctor", "sandbox", code=10).said.split())
    assert f"snapshot {name} is damaged" in said
    silent(project, said)


def test_doctor_warns_of_a_damaged_snapshot_that_only_an_earlier_state_names(project: Project) -> None:
    earlier = json.loads((state(project) / "history" / "1.json").read_text())["resources"][1]
    name = earlier["current"]["confirmed"]["digest"]
    (state(project) / "snapshots" / name).write_text("junk")
    said = " ".join(project.run("doctor", "sandbox").said.split())
    assert f"snapshot {name[:12]} is damaged" in said
    assert "only earlier states need it, of serial 1" in said
    (state(project) / "history" / "1.json").write_text("{")
    said = " ".join(project.run("doctor", "sandbox").said.split())
    assert "1.json: not a whole JSON object" in said
