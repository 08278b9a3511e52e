"""An erasure reaches each segment, list and saved version, and nothing brings the members back."""

import hashlib
import json
import shutil
import signal
from pathlib import Path

import pytest
from support import forked_command
from support.cli import Project, surroundings
from support.forked_command import Setup

from reconciler.state.local_store import LocalStore

pytestmark = pytest.mark.promise("private")

EMAIL, CUSTOMER = "person7@example.com", "customer-0007"
DIGEST = hashlib.sha256(EMAIL.encode()).digest()
AUDIENCE = """\
kind: Audience
name: {name}
title: {name}
destinations: [email, customer]
source: {{files: ["people.csv"]}}
columns: {{Email: email, CustomerId: id}}
exclude:
  - {{files: ["gone.csv"], columns: {{Email: email}}}}
"""


def people(project: Project, *numbers: int) -> None:
    rows = (f"person{number}@example.com,customer-{number:04}" for number in numbers)
    (project.root / "data" / "people.csv").write_text("\n".join(["email,id", *rows]) + "\n")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three audiences in two destinations, three saved versions; `lapsed` is forgotten."""
    made = Project.make(tmp_path)
    folder = tmp_path / "environments" / "sandbox"
    for name in ("loyal", "lapsed"):
        (folder / f"{name}.yaml").write_text(AUDIENCE.format(name=name))
    (tmp_path / "data" / "gone.csv").write_text("email\nperson3@example.com\nperson4@example.com\n")
    people(made, *range(1, 31))
    made.run("apply", "sandbox", "--yes")
    people(made, *range(1, 33))
    made.run("apply", "sandbox", "--yes")
    (folder / "lapsed.yaml").unlink()
    made.run("apply", "sandbox", "--yes")
    return made


def held(project: Project) -> dict[str, bool]:
    """Whether each segment at the emulator holds the person."""
    with project.emulator() as emulator:
        return {
            one.name: not {EMAIL, CUSTOMER, DIGEST.hex()}.isdisjoint(emulator.members(one.id))
            for one in emulator.segments()
        }


def files_with(project: Project) -> list[str]:
    """The files of the state that contain the person, in any form."""
    state = project.root / ".reconciler"
    forms = (EMAIL.encode(), CUSTOMER.encode(), DIGEST, DIGEST.hex().encode())
    return sorted(
        str(one.relative_to(state))
        for one in state.rglob("*")
        if one.is_file() and one.suffix != ".sqlite" and any(form in one.read_bytes() for form in forms)
    )


def test_a_person_is_gone_everywhere_and_stays_gone(project: Project) -> None:
    """From live and forgotten segments and all versions; a source that has them changes nothing."""
    assert len(held(project)) == 6
    assert all(held(project).values())
    assert files_with(project)
    shown = project.run("erase", "sandbox", "--plan", given=EMAIL).said
    assert "email/lapsed  segment" in shown
    assert "customer/loyal  segment" in shown
    assert "Nothing was written." in shown
    assert EMAIL not in shown
    assert all(held(project).values())
    with project.emulator() as emulator:
        emulator.fault("500-before", "AddRemoveContactListByAudienceSegment")
    text = project.run("erase", "sandbox", "--yes", "--json", given=EMAIL).said
    said, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    [request] = said["requests"]
    assert request["completed_at"]
    assert {one["address"] for one in request["places"]} == {
        f"{destination}/{name}"
        for destination in ("email", "customer")
        for name in ("buyers", "loyal", "lapsed")
    }
    assert all(one["members"] == {"less_than": 10} for one in request["places"])
    assert [len(one) for one in said["trace_ids"]] == [32], "of the response that failed at first"
    assert not any(held(project).values())
    assert files_with(project) == []
    assert project.run("find", "sandbox", given=f"{EMAIL}\n{CUSTOMER}").said.endswith(
        "2 lines read, 0 found.\n"
    )
    assert "No changes" in project.run("plan", "sandbox").said
    project.run("emulator", "advance", "sandbox", "1h")  # the failed removal can no longer take effect
    people(project, *range(1, 34))
    project.run("apply", "sandbox", "--yes")
    assert not any(held(project).values())
    assert files_with(project) == []


def test_a_restore_and_an_earlier_export_do_not_bring_them_back(project: Project) -> None:
    project.run("state", "export", "sandbox", "earlier.zip")
    project.run("erase", "sandbox", "--yes", given=EMAIL)
    project.run("state", "restore", "sandbox", "--serial", "1", "--yes")
    assert files_with(project) == []
    state = project.root / ".reconciler" / "state" / "sandbox"
    for one in state.iterdir():
        if one.name not in {"erasure.json", "erasure.key", "audit"}:
            shutil.rmtree(one) if one.is_dir() else one.unlink()
    project.run("state", "import", "sandbox", "earlier.zip", "--yes")
    assert files_with(project) == []
    project.run("apply", "sandbox", "--yes")
    assert not any(held(project).values())
    assert files_with(project) == []


def test_an_erasure_that_is_not_complete_resumes_without_input(project: Project) -> None:
    """The list is stored first, so that a plan does not send the members again meanwhile."""
    with project.emulator() as emulator:
        [segment] = [one.id for one in emulator.segments() if one.name.startswith("lapsed (email")]
        emulator.set_read_only(segment, True)
    said = project.run("erase", "sandbox", "--yes", code=8, given=EMAIL).said
    assert "the erasure is not complete" in said
    assert "`reconciler erase sandbox --yes` resumes it" in project.run("plan", "sandbox").said
    said = " ".join(project.run("apply", "sandbox", "--yes", code=8).said.split())
    assert f"the erasure is held up: email/lapsed: segment {segment} is read-only at Criteo" in said
    assert files_with(project)
    with project.emulator() as emulator:
        emulator.set_read_only(segment, False)
    project.run("erase", "sandbox", "--yes")
    assert not any(held(project).values())
    assert files_with(project) == []


FIVE = ("one", "two", "three", "waiting", "lapsed")
ONE_FILE = """\
kind: Audience
name: {name}
title: {name}
destinations: [email]
source: {{files: ["{name}.csv"]}}
columns: {{Email: email}}
"""


def of_five(project: Project, name: str, *numbers: int) -> None:
    rows = (f"person{number}@example.com" for number in numbers)
    (project.root / "data" / f"{name}.csv").write_text("\n".join(["email", *rows]) + "\n")


@pytest.fixture
def five(tmp_path: Path) -> Project:
    """Five audiences with the person: `lapsed` is forgotten, the delta of `waiting` stopped half-way."""
    made = Project.make(tmp_path, batch_size=5)
    folder = tmp_path / "environments" / "sandbox"
    (folder / "buyers.yaml").unlink()
    environment = folder / "environment.yaml"
    environment.write_text(environment.read_text().replace("batchSize", "gracePeriod: 1s, batchSize"))
    for name in FIVE:
        (folder / f"{name}.yaml").write_text(ONE_FILE.format(name=name))
        of_five(made, name, *range(1, 31))
    made.run("apply", "sandbox", "--yes")
    (folder / "lapsed.yaml").unlink()
    made.run("apply", "sandbox", "--yes")
    of_five(made, "waiting", *range(2, 41))
    with made.emulator() as emulator:
        emulator.fault("500-before", "AddRemoveContactListByAudienceSegment", after=1, times=20)
    made.run("apply", "sandbox", "--yes", code=8)
    with made.emulator() as emulator:
        emulator.clear_faults()
    return made


def killed_half_way(project: Project) -> None:
    """Kill `erase` at later and later writes, until some segments are clean and others are not."""
    given = EMAIL
    for number in range(100, 600, 25):
        setup = Setup("support.killed_writes", "kill_at", number)
        arguments = ("erase", "sandbox", "--yes", "--quiet")
        code, said = forked_command.run(project.root, arguments, surroundings(), setup, given.encode())
        assert code == 128 + signal.SIGKILL, said
        erasing = (project.root / ".reconciler" / "state" / "sandbox" / "erasure.json").exists()
        given = "" if erasing else EMAIL
        if len({*held(project).values()}) == 2:
            return
    pytest.fail("no kill left an erasure half-way")


def test_a_killed_erasure_is_completed_by_the_next_run(five: Project) -> None:
    """From five segments, one forgotten and one with a pending delta, and from every saved version."""
    assert list(held(five).values()) == [True] * 5
    waiting = five.root / ".reconciler" / "state" / "sandbox" / "resources" / "email.waiting.json"
    assert json.loads(waiting.read_text())["current"]["transfer"]
    killed_half_way(five)
    five.run("apply", "sandbox", "--yes", "--members-only")
    assert list(held(five).values()) == [False] * 5
    assert files_with(five) == []
    assert "an erasure is not complete" not in five.run("plan", "sandbox").said
    for name in FIVE:
        of_five(five, name, *range(1, 43))
    five.run("apply", "sandbox", "--yes")
    assert list(held(five).values()) == [False] * 5
    assert files_with(five) == []
    nightly = json.loads(five.run("audit", "sandbox", "--json").said)["runs"][-2]
    assert {one["kind"] for one in nightly["end"]["changes"]} >= {"erased"}


def test_the_key_of_the_list_can_be_rotated(project: Project) -> None:
    project.run("erase", "sandbox", "--yes", given=EMAIL)
    key = project.root / ".reconciler" / "state" / "sandbox" / "erasure.key"
    before = key.read_bytes()
    project.run("erase", "sandbox", "--rotate-key", "--yes")
    assert key.read_bytes()[: len(before)] == before
    assert len(key.read_bytes()) == 64
    people(project, *range(1, 34))
    project.run("apply", "sandbox", "--yes")
    assert not any(held(project).values())


def test_a_source_and_a_list_of_erased_persons_are_refused_as_that(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    manifest = AUDIENCE.format(name="buyers").replace("email, customer", "email")
    (tmp_path / "environments" / "sandbox" / "buyers.yaml").write_text(manifest)
    people(project, 7, 8)
    (tmp_path / "data" / "gone.csv").write_text(f"email\n{EMAIL}\n")
    project.run("erase", "sandbox", "--yes", given=EMAIL)
    said = " ".join(project.run("plan", "sandbox", code=5).said.split())
    assert "all identifiers of the exclusion list gone.csv are erased" in said
    assert "remove its entry" in said
    people(project, 7)
    said = " ".join(project.run("plan", "sandbox", code=5).said.split())
    assert "no members are left of the rows read, all of which are of erased persons" in said


def test_input_without_an_identifier_erases_nothing(project: Project) -> None:
    said = project.run("erase", "sandbox", "--yes", code=3, given="\x07\n").said
    assert "no usable identifier" in said
    assert "pass --plan" in project.run("erase", "sandbox", code=64, given=EMAIL).said


def test_input_is_read_before_the_lock_is_taken(project: Project) -> None:
    """Input that comes slowly holds up no other run."""
    with LocalStore(project.root / ".reconciler" / "state" / "sandbox", "sandbox").lock("another run"):
        project.run("erase", "sandbox", "--yes", code=7, given=EMAIL)
        blank = project.run("erase", "sandbox", "--yes", code=3, given="\n \n").said
        said = project.run("erase", "sandbox", "--yes", code=3, given="\udcff").said
    assert "no usable identifier" in blank
    assert "line 1 of standard input is not UTF-8" in said


def test_a_listed_person_leaves_a_segment_that_another_tool_filled(project: Project) -> None:
    """The next run completes that: the state held the person until they were removed."""
    loyal = project.root / "environments" / "sandbox" / "loyal.yaml"
    with project.emulator() as emulator:
        [segment] = [one.id for one in emulator.segments() if one.name.startswith("loyal (email")]
        emulator.describe_by_hand(segment, "by another tool")
    shutil.rmtree(project.root / ".reconciler" / "state")
    project.run("erase", "sandbox", "--yes", given=EMAIL)
    (project.root / "environments" / "sandbox" / "buyers.yaml").unlink()
    loyal.write_text(loyal.read_text().replace("[email, customer]", "[email]"))
    (project.root / "data" / "gone.csv").write_text(f"email\n{EMAIL}\nperson3@example.com\n")
    document = f'kind: Adopt\naddress: email/loyal\nsegmentId: "{segment}"\nbaseline: reuse\n'
    loyal.with_name("adopt.yaml").write_text(document)
    project.run("apply", "sandbox", "--yes")
    assert "`reconciler erase sandbox --yes` resumes it" in project.run("plan", "sandbox").said
    project.run("apply", "sandbox", "--yes")
    with project.emulator() as emulator:
        assert DIGEST.hex() not in emulator.members(segment)
    assert files_with(project) == []
    assert "is not complete" not in project.run("plan", "sandbox").said
