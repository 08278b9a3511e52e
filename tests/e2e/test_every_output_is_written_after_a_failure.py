"""JSON, Markdown and HTML are written after every run, also a failed run."""

import json
import re
import shutil
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.cli import Project

pytestmark = pytest.mark.promise("read-right")

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "plan.schema.json").read_text(encoding="utf-8"))
FORMS = ("--out", "made.json", "--markdown", "made.md", "--html", "made.html")
PERSON = "person7@example.com"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path)
    made.people(*range(300))
    return made


def made(project: Project, *arguments: str, code: int = 0, says: str) -> dict[str, Any]:
    """Check that all output formats agree and contain no member. JSON is laid out by `show`."""
    printed = project.run(*arguments, *FORMS, code=code).said
    texts = {form: (project.root / f"made.{form}").read_text() for form in ("json", "md", "html")}
    shown = project.run("show", "made.json").said
    for text in (printed, shown, texts["md"], texts["html"]):
        assert says in bare(text), text
    assert not any(PERSON in text for text in (printed, *texts.values()))
    assert texts["md"].startswith("<!-- reconciler: sandbox -->\n")
    assert texts["html"].lstrip().startswith("<!doctype html>")
    content: dict[str, Any] = json.loads(texts["json"])
    Draft202012Validator(SCHEMA).validate(content)
    for form in texts:
        (project.root / f"made.{form}").unlink()
    return content


def bare(text: str) -> str:
    """Words only."""
    return " ".join(re.sub(r"<[^<>]*>|`", "", unescape(text)).split())


def edit(project: Project, file: str, before: str, after: str) -> None:
    path = project.root / "environments" / "sandbox" / f"{file}.yaml"
    path.write_text(path.read_text().replace(before, after))


def test_a_plan_an_apply_and_drift_are_written(project: Project) -> None:
    assert made(project, "plan", "sandbox", says="2 to create")["approval"]
    assert made(project, "apply", "sandbox", "--yes", says="2 applied")["approval"] is None
    assert made(project, "drift", "sandbox", says="No drift")["document_type"] == "drift"
    with project.emulator() as emulator:
        emulator.rename_by_hand(emulator.segments()[0].id, "Somebody else's")
    assert made(project, "drift", "sandbox", code=2, says="1 of 2 addresses drifted")["addresses"] == {
        "drift": 1,
        "unchanged": 1,
    }


def test_a_state_that_is_lost_is_reported_by_drift(project: Project) -> None:
    project.run("apply", "sandbox", "--yes")
    shutil.rmtree(project.root / ".reconciler" / "state")
    made(project, "drift", "sandbox", code=2, says="has this ownership tag but is not in the state")


def test_a_plan_tells_drift_from_what_the_manifests_ask_for(project: Project) -> None:
    drift = "the name changed outside reconciler"
    project.run("apply", "sandbox", "--yes")
    edit(project, "buyers", "title: Buyers", "title: Customers")
    made(project, "plan", "sandbox", says="the definition changed since it was applied")
    assert drift not in project.run("plan", "sandbox").said
    with project.emulator() as emulator:
        emulator.rename_by_hand(emulator.segments()[0].id, "Somebody else's")
    made(project, "plan", "sandbox", says=drift)


def test_what_a_guard_refuses_is_written_and_can_not_be_approved(project: Project) -> None:
    project.run("apply", "sandbox", "--yes")
    project.people(*range(20))
    says = "about 93% of members would be removed: 280 of 300"
    assert made(project, "plan", "sandbox", code=5, says=says)["approval"] is None
    made(project, "apply", "sandbox", "--yes", code=5, says=says)


def test_what_was_not_approved_is_written(project: Project) -> None:
    made(project, "apply", "sandbox", "--yes", "--members-only", code=6, says="it is to be created")


def test_wrong_manifests_are_written_with_their_places(project: Project) -> None:
    edit(project, "buyers", "title:", "titel:")
    for command in (("plan", "sandbox"), ("apply", "sandbox", "--yes"), ("drift", "sandbox")):
        content = made(project, *command, code=3, says="titel")
        findings = content["document"]["error"]["findings"]
        assert findings[0]["where"].startswith("environments/sandbox/buyers.yaml:")
    edit(project, "buyers", "titel:", "title:")


def test_an_environment_that_is_not_there_is_written(project: Project) -> None:
    project.run("plan", "nowhere", *FORMS, code=3)
    assert json.loads((project.root / "made.json").read_text())["environment"] == "nowhere"


def test_an_apply_that_is_done_in_part_is_written(project: Project) -> None:
    project.run("plan", "sandbox")
    with project.emulator() as emulator:
        emulator.fault("500-before", "bulkCreateAudienceSegments")
    content = made(project, "apply", "sandbox", "--yes", code=8, says="2 failed")
    assert content["document"]["outcome"]["counts"]["failed"] == 2


def test_an_unreachable_criteo_is_written(tmp_path: Path) -> None:
    project = Project.make(tmp_path, endpoint="http://127.0.0.1:9")
    project.people(1, 2, 3)
    printed = project.run("plan", "sandbox", *FORMS, code=9, ID="id", SECRET="secret").said
    trouble = json.loads((tmp_path / "made.json").read_text())["document"]["error"]
    assert trouble["problem"] in bare(printed)
    assert trouble["problem"] in bare((tmp_path / "made.html").read_text())


def test_one_form_that_can_not_be_written_keeps_no_other_away(project: Project) -> None:
    """A folder appears where the file was to be, once the work has begun."""
    out = project.root / "made.json"
    plant = "import pathlib, reconciler.commands.support.planning as p; make = p.make_plan\n"
    plant += f"def made(*a):\n    pathlib.Path({str(out)!r}).mkdir(exist_ok=True)\n    return make(*a)\n"
    plant += "p.make_plan = made\nimport reconciler.commands.apply as a; a.make_plan = made\n"
    (project.root / "sitecustomize.py").write_text(plant)
    for command, code in ((("plan", "sandbox"), 10), (("apply", "sandbox", "--yes", "--members-only"), 6)):
        said = project.run_in_new_interpreter(*command, *FORMS, code=code, PYTHONPATH=str(project.root)).said
        assert f"can't write {out}" in bare(said).replace(" /", "/").replace("write/", "write /")
        assert (project.root / "made.md").exists()
        assert (project.root / "made.html").exists()
        (project.root / "made.md").unlink()
        out.rmdir()


def test_json_is_all_that_goes_to_standard_output(project: Project) -> None:
    for command in (("plan", "sandbox"), ("drift", "sandbox")):
        Draft202012Validator(SCHEMA).validate(json.loads(project.run(*command, "--json", "--quiet").said))
    project.run("plan", "sandbox", "--out", "plan.json")
    shown = project.run("show", "plan.json", "--json").said
    assert shown == (project.root / "plan.json").read_text()


def test_a_file_that_can_not_be_written_is_said_before_anything_is_done(project: Project) -> None:
    said = project.run("apply", "sandbox", "--yes", "--out", "nowhere/plan.json", code=10).said
    assert "its folder is not there" in bare(said)
    twice = ("--html", "made", "--markdown", "./made")
    assert "a file of their own" in project.run("plan", "sandbox", *twice, code=64).said
    for file in ("data/people.csv", "environments/sandbox/buyers.yaml", "/dev/null"):
        said = project.run("apply", "sandbox", "--yes", "--out", file, code=10).said
        assert "what is there was not saved by reconciler" in bare(said)
    said = project.run("apply", "sandbox", "--yes", "--html", "data", code=10).said
    assert "it is a folder" in bare(said)
    assert not (project.root / ".reconciler" / "state").exists()


@pytest.mark.parametrize("form", ["--markdown", "--html"])
def test_no_form_takes_standard_output_for_a_file(project: Project, form: str) -> None:
    project.run("plan", "sandbox", "--out", "plan.json")
    for command in (("plan", "sandbox"), ("show", "plan.json")):
        assert (
            "each form needs a file; --json prints the JSON" in project.run(*command, form, "-", code=64).said
        )
    assert not (project.root / "-").exists()


def test_a_fault_of_the_emulator_is_reported_by_its_calls(project: Project) -> None:
    fault = ("emulator", "fault", "sandbox", "429")
    assert "sandbox: 429 is set for the next 1 call\n" in project.run(*fault).said
    output = project.run(*fault, "--operation", "token", "--times", "2", "--after", "3").said
    assert "429 is set for the next 2 calls of token, after 3 calls without it" in output
