"""`teardown` removes exactly the known members, forgets or deletes the segments, and can be approved."""

import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support.cli import Project, surroundings

from reconciler.emulator import Switches

pytestmark = pytest.mark.promise("converges")

HOME = "environments/sandbox/environment.yaml"
DELETE, MEMBERS = "bulkDeleteAudienceSegments", "AddRemoveContactListByAudienceSegment"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An applied test environment with 12 people in two segments, in batches of 5."""
    project = Project.make(tmp_path, batch_size=5)
    home = tmp_path / HOME
    home.write_text(f"{home.read_text()}sample: {{rows: 100}}\n")
    project.people(*range(12))
    project.run("apply", "sandbox", "--yes")
    return project


def segments(project: Project) -> dict[str, int]:
    """Return the number of members of each segment at Criteo."""
    with project.emulator() as emulator:
        return {one.name: len(emulator.members(one.id)) for one in emulator.segments()}


def test_members_leave_and_segments_are_forgotten(project: Project) -> None:
    said = project.run("teardown", "sandbox", "--yes").said
    assert "2 to empty" in said
    assert "2 applied" in said
    assert segments(project) == {"Buyers (email)": 0, "Buyers (customer)": 0}
    assert not any(call.operation == DELETE for call in project.history())
    assert "Nothing to tear down" in project.run("teardown", "sandbox", "--yes").said


def test_an_apply_sends_all_members_again(project: Project) -> None:
    project.run("teardown", "sandbox", "--yes")
    assert "2 to adopt" in project.run("plan", "sandbox").said
    project.run("apply", "sandbox", "--yes")
    assert segments(project) == {"Buyers (email)": 12, "Buyers (customer)": 12}
    assert "No changes" in project.run("plan", "sandbox").said


def test_delete_deletes_segments_that_are_empty(project: Project) -> None:
    said = project.run("teardown", "sandbox", "--delete", "--yes").said
    assert "2 to delete" in said
    assert segments(project) == {}
    written = [call.operation for call in project.writes()]
    assert written.index(DELETE) > max(at for at, one in enumerate(written) if one == MEMBERS)
    assert "Nothing to tear down" in project.run("teardown", "sandbox", "--delete", "--yes").said
    project.run("apply", "sandbox", "--yes")
    assert segments(project) == {"Buyers (email)": 12, "Buyers (customer)": 12}


def test_segments_that_audiences_are_built_on_are_not_deleted(project: Project) -> None:
    """Criteo is asked first. The other address is deleted, and emptying asks nothing."""
    with project.emulator() as emulator:
        used = next(one for one in emulator.segments() if one.name == "Buyers (email)")
        emulator.seed_audience(used.account_id, used.retailer_id, "Spring", [used.id])
    said = " ".join(project.run("teardown", "sandbox", "--delete", "--yes", code=8).said.split())
    assert f"segment {used.id} is not deleted: audiences at Criteo are built on it: “Spring”" in said
    assert "remove it from these audiences in Criteo, or leave out --delete" in said
    assert segments(project) == {"Buyers (email)": 12}
    project.run("teardown", "sandbox", "--yes")
    assert segments(project) == {"Buyers (email)": 0}


def test_a_plan_changes_nothing(project: Project) -> None:
    before = len(project.writes())
    said = project.run("teardown", "sandbox", "--plan", "--delete").said
    assert "Teardown of sandbox" in said
    assert "audiences built on them break" in said or "deleted at Criteo" in said
    assert len(project.writes()) == before


def test_only_selected_addresses_are_torn_down(project: Project) -> None:
    project.run("teardown", "sandbox", "--yes", "--only", "email/*")
    assert segments(project) == {"Buyers (email)": 0, "Buyers (customer)": 12}


def test_only_what_was_approved_is_torn_down(project: Project) -> None:
    project.run("teardown", "sandbox", "--plan", "--out", "down.json")
    approved = ("--yes", "--approved", "down.json")
    digest = json.loads((project.root / "down.json").read_text())["digest"]
    project.run("apply", "sandbox", *approved, code=6)
    said = project.run("teardown", "sandbox", "--delete", *approved, code=6).said
    assert "approved as empty, now delete" in said
    assert segments(project) == {"Buyers (email)": 12, "Buyers (customer)": 12}
    project.run("teardown", "sandbox", *approved, "--approved-digest", digest)
    assert segments(project) == {"Buyers (email)": 0, "Buyers (customer)": 0}


def test_a_plan_of_an_apply_approves_no_teardown(project: Project) -> None:
    project.run("plan", "sandbox", "--out", "plan.json")
    said = project.run("teardown", "sandbox", "--yes", "--approved", "plan.json", code=6).said
    assert "it was not saved by `reconciler teardown --plan`" in said


def test_an_environment_without_a_sample_must_be_named(project: Project) -> None:
    home = project.root / HOME
    home.write_text(home.read_text().replace("sample: {rows: 100}\n", ""))
    before = len(project.history())
    said = project.run("teardown", "sandbox", "--yes", code=5).said
    assert "sandbox has no `sample`" in said
    assert "pass --confirm sandbox" in said
    project.run("teardown", "sandbox", "--yes", "--confirm", "production", code=5)
    assert len(project.history()) == before
    project.run("teardown", "sandbox", "--yes", "--confirm", "sandbox")
    assert segments(project) == {"Buyers (email)": 0, "Buyers (customer)": 0}


def test_other_segments_of_the_account_stay_as_they_are(project: Project) -> None:
    other = project.root / "environments/other"
    other.mkdir()
    for file in (project.root / "environments/sandbox").glob("*.yaml"):
        (other / file.name).write_text(file.read_text().replace("name: sandbox", "name: other"))
    home = other / "environment.yaml"
    home.write_text(home.read_text().replace("state/sandbox", "state/other") + 'namePrefix: "[other] "\n')
    shared = project.root / ".reconciler/emulator"
    project.run("apply", "other", "--yes")
    assert (shared / "other.sqlite").exists()
    with project.emulator() as emulator:
        [theirs] = [one for one in emulator.segments() if "(email)" in one.name]
        found = emulator.members(theirs.id)
    assert found
    project.run("teardown", "other", "--delete", "--yes")
    assert segments(project) == {"Buyers (email)": 12, "Buyers (customer)": 12}


def test_a_segment_with_a_foreign_tag_blocks_its_address(project: Project) -> None:
    with project.emulator() as emulator:
        [segment] = [one for one in emulator.segments() if "(email)" in one.name]
        emulator.rename_by_hand(segment.id, "Taken over")
    project.run("teardown", "sandbox", "--yes")
    assert segments(project)["Taken over"] == 0


def test_the_name_is_typed_where_the_environment_asks_for_it(project: Project) -> None:
    home = project.root / HOME
    home.write_text(f"{home.read_text()}confirm: name\n")
    said = project.at_terminal("teardown", "sandbox", typed="y\n").said
    assert "Tear down sandbox (the emulator)? Type sandbox to confirm" in said
    assert segments(project) == {"Buyers (email)": 12, "Buyers (customer)": 12}
    assert project.at_terminal("teardown", "sandbox", typed="sandbox\n").code == 0
    assert segments(project) == {"Buyers (email)": 0, "Buyers (customer)": 0}


def test_drift_names_test_members_that_were_left_behind(project: Project) -> None:
    (project.root / "environments/sandbox/buyers.yaml").unlink()
    (project.root / "environments/sandbox/loyal.yaml").write_text(
        "kind: Audience\nname: loyal\ntitle: Loyal\ndestinations: [email]\n"
        'source: {files: ["people.csv"]}\ncolumns: {Email: email}\n'
    )
    project.run("apply", "sandbox", "--yes")
    said = " ".join(project.run("drift", "sandbox").said.split())
    assert (
        "20 test members stay at Criteo in segments of forgotten addresses: customer/buyers, email/buyers"
        in said
    )
    assert "`reconciler teardown sandbox` removes them" in said
    project.run("teardown", "sandbox", "--yes", "--only", "buyers")
    assert "test members" not in project.run("drift", "sandbox").said
    assert segments(project)["Loyal (email)"] == 12


def test_a_killed_teardown_resumes_and_an_apply_sends_all_again(tmp_path: Path) -> None:
    project = Project.make(tmp_path, batch_size=10)
    home = tmp_path / HOME
    short = home.read_text().replace("batchSize: 10", "batchSize: 10, gracePeriod: 1s")
    home.write_text(f"{short}sample: {{rows: 1000}}\n")
    project.people(*range(200))
    project.run("apply", "sandbox", "--yes")
    sent = len(project.writes())
    with project.emulator() as emulator:
        emulator.configure(replace(Switches(), latency=0.1))
    for arguments in (("teardown", "sandbox", "--yes", "--delete"), ("apply", "sandbox", "--yes")):
        process = subprocess.Popen(
            project.command(*arguments),
            cwd=project.root,
            env=surroundings(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while len(project.writes()) < sent + 6:
            time.sleep(0.05)
        process.kill()
        process.wait(timeout=30)
        sent = len(project.writes())
    with project.emulator() as emulator:
        emulator.configure(Switches())
    project.run("apply", "sandbox", "--yes")
    assert segments(project) == {"Buyers (email)": 200, "Buyers (customer)": 200}
    project.run("teardown", "sandbox", "--yes", "--delete")
    assert segments(project) == {}
