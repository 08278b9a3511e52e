"""A plan or drift report in CI without a state starts with a warning: new, or out of reach."""

import json
from pathlib import Path

import pytest
from support.cli import Project

NOTICE = "sandbox has no state: all of its audiences count as new."
WRONG = (
    "If sandbox was applied before, `state.url` in its environment.yaml or the access to that place is wrong"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.make(tmp_path)
    project.people(*range(30))
    return project


def forms(project: Project, command: str, **environ: str) -> dict[str, str]:
    saved = {"markdown": "x.md", "html": "x.html", "out": "x.json"}
    options = [word for form, file in saved.items() for word in (f"--{form}", file)]
    said = project.run(*command.split(), *options, **environ).said
    texts = {form: (project.root / file).read_text() for form, file in saved.items()}
    texts |= {"text": said, "shown": project.run("show", "x.json").said}
    return {form: " ".join(text.replace("&#39;", "'").split()) for form, text in texts.items()}


@pytest.mark.parametrize("command", ["plan sandbox", "drift sandbox"])
def test_every_output_starts_with_the_warning(project: Project, command: str):
    texts = forms(project, command, CI="true")
    assert json.loads(texts.pop("out"))["document"]["notice"] == {"local_folder": True}
    for form, text in texts.items():
        assert NOTICE in text, form
        assert WRONG.replace("`", "") in text.replace("`", ""), form
    assert texts["text"].startswith(f"! {NOTICE} It is a folder, and most CI jobs keep none.")
    summary = {"plan sandbox": "**Plan: 2 to create", "drift sandbox": "**Nothing was applied yet"}[command]
    assert texts["markdown"].index(NOTICE) < texts["markdown"].index(summary)
    first = texts["html"].index('<section class="verdict')
    assert texts["html"].index(NOTICE) < texts["html"].index("<section", first + 1)


def test_after_an_apply_there_is_no_warning(project: Project):
    project.run("apply", "sandbox", "--yes", CI="true")
    for command in ("plan sandbox", "drift sandbox"):
        texts = forms(project, command, CI="true")
        assert json.loads(texts.pop("out"))["document"]["notice"] is None
        assert not any("no state" in text for text in texts.values())


def test_nothing_is_said_to_people_at_their_own_machine(project: Project):
    assert NOTICE not in project.run("plan", "sandbox").said


def test_nothing_is_said_of_a_state_that_ends_with_the_command(project: Project):
    assert NOTICE not in project.run("plan", "sandbox", "--emulate", CI="true").said
