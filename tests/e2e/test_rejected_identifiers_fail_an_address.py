"""Criteo accepts a request and rejects its identifiers: the apply fails, and every plan reports it."""

from pathlib import Path

import pytest
from support.cli import Project

pytestmark = pytest.mark.promise("guards")

UNPRINTABLE = "\ue000"
"""Criteo's emulator takes no identifier with such a character, and the tool sees nothing wrong with it."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path, batch_size=100)
    rows = (f"person{number}@example.com,c{UNPRINTABLE}{number}" for number in range(170))
    (made.root / "data" / "people.csv").write_text("\n".join(["email,id", *rows]) + "\n", encoding="utf-8")
    return made


def words(text: str) -> str:
    return " ".join(text.split())


def test_an_apply_fails_and_the_address_is_named_until_its_list_is_corrected(project: Project) -> None:
    said = words(project.run("apply", "sandbox", "--yes", code=8).said)
    assert "customer/buyers" in said
    assert "Criteo rejected all 100 identifiers that were sent (limit 10%, maxInvalid)" in said
    assert "the other 70 were not sent" in said
    assert "rerun the command" not in said
    assert len(project.members("email")) == 170

    said = words(project.run("plan", "sandbox").said)
    assert "rejected all 100 identifiers" in said
    project.people(*range(170))
    project.run("apply", "sandbox", "--yes")
    assert len(project.members("customer")) == 170


def test_status_and_drift_and_every_plan_report_it(project: Project) -> None:
    file = project.root / "environments" / "sandbox" / "environment.yaml"
    file.write_text(file.read_text().replace("batchSize: 100", "batchSize: 200"))
    project.run("apply", "sandbox", "--yes", code=8)
    message = "Criteo rejected 170 of 170 identifiers as invalid (limit 10%, maxInvalid)"
    for _ in range(2):
        said = words(project.run("plan", "sandbox").said)
        assert "No changes" in said
        assert f"customer/buyers: {message}" in said
        project.run("apply", "sandbox", "--yes")
    assert f"customer/buyers: {message}" in words(project.run("drift", "sandbox").said)
    assert "170 of 170 identifiers rejected by Criteo" in words(project.run("status", "sandbox").said)
    project.people(*range(170))
    project.run("apply", "sandbox", "--yes")
    for command in ("plan", "drift"):
        assert "rejected" not in project.run(command, "sandbox").said
