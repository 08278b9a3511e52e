"""Receivers in environment.yaml: references to URLs, known kinds, one name each."""

from pathlib import Path

import pytest
from support.manifest_project import Project

from reconciler.core.errors import ConfigurationError
from reconciler.core.receivers import NotificationForm, NotificationKind, Receiver
from reconciler.manifests import load

pytestmark = pytest.mark.promise("refused-early")


def declared(project: Project, receivers: str) -> str:
    """Write receivers, and return the place that is marked."""
    text = (project.folder / "environment.yaml").read_text()
    return project.write("environment.yaml", f"{text}notify: {receivers}\n")


def test_a_receiver_gets_a_document_about_everything_by_default(tmp_path: Path) -> None:
    declared(Project(tmp_path), "[{name: ci, url: env:HOOK}]")
    [receiver] = load(tmp_path, "sandbox").environment.receivers
    assert receiver == Receiver("ci", "env:HOOK", NotificationForm.JSON, frozenset(NotificationKind))


@pytest.mark.parametrize(
    ("receivers", "problem"),
    [
        ("[{name: a, url: env:A}, {name: ‸a, url: env:B}]", "taken by another receiver"),
        ("[{name: a, url: ‸https://hooks.example.com/secret}]", ""),
        ("[{name: a, url: env:A, kinds: [‸nothing]}]", ""),
        ("[{name: a, url: env:A, form: ‸html}]", ""),
    ],
)
def test_a_wrong_receiver_is_refused_at_its_place(tmp_path: Path, receivers: str, problem: str) -> None:
    place = declared(Project(tmp_path), receivers)
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, "sandbox")
    [finding] = caught.value.findings
    assert finding.where == place
    assert problem in finding.problem
    assert "hooks.example.com" not in str(finding)
