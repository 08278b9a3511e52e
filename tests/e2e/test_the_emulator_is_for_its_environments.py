"""`emulator` works on environments that use it, needs no data for that, and says so of any other."""

import pytest
from command_line import Project

HOME = "environments/sandbox/environment.yaml"


@pytest.fixture
def project(tmp_path):
    return Project.make(tmp_path)


@pytest.mark.parametrize("command", [("reset",), ("advance",), ("fault",), ("revoke",), ("serve",)])
def test_an_environment_at_criteo_is_refused(project, command):
    file = project.root / HOME
    file.write_text(file.read_text().replace("endpoint: emulator", "endpoint: https://api.criteo.com"))
    more = {"advance": ["12h"], "fault": ["429"]}.get(command[0], [])
    said = " ".join(project.run("emulator", *command, "sandbox", *more, code=3).said.split())
    assert "sandbox is no environment on the emulator: its api.endpoint is https://api.criteo.com" in said
    assert "`plan sandbox --emulate`" in said
    assert not (project.root / ".reconciler").exists()


@pytest.mark.parametrize("endpoint", ["emulator", "http://127.0.0.1:8399"])
def test_no_data_is_needed(project, endpoint):
    file = project.root / HOME
    text = file.read_text().replace("endpoint: emulator", f'endpoint: "{endpoint}"')
    file.write_text(text.replace("{root: data}", "{root: nowhere}"))
    for command in (["reset", "sandbox"], ["advance", "sandbox", "12h"], ["revoke", "sandbox"]):
        project.run("emulator", *command)
