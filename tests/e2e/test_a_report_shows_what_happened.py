"""`report` shows what applies and verifications did, without a call to Criteo."""

import json
import re
import shutil
from typing import Any

import pytest
from support import schemas
from support.cli import ENVIRONMENT, Project

pytestmark = pytest.mark.promise("read-right")


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Applied, verified the next day, and applied again the day after; production was never applied."""
    project = Project.make(tmp_path_factory.mktemp("reported"))
    production = project.root / "environments/production"
    shutil.copytree(project.root / "environments/sandbox", production)
    environment = ENVIRONMENT.format(endpoint="emulator", batch_size=50_000).replace("sandbox", "production")
    gates = "promotion: {from: sandbox, allowEmulator: true}\n"
    (production / "environment.yaml").write_text(environment + gates)
    project.people(*range(200))
    project.run("apply", "sandbox", "--yes")
    project.run("emulator", "advance", "sandbox", "1d")
    project.run("verify", "sandbox")
    project.run("emulator", "advance", "sandbox", "1d")
    project.people(*range(20, 250))
    project.run("apply", "sandbox", "--yes")
    return project


def document(project: Project, *environments: str) -> dict[str, Any]:
    return schemas.output(project.run("report", *environments, "--json", "--quiet").said)


def test_the_days_are_those_of_the_runs(reported: Project) -> None:
    calls = len(reported.history())
    [sandbox] = document(reported, "sandbox")["environments"]
    assert len(reported.history()) == calls, "Criteo is not asked"
    email = next(one for one in sandbox["audiences"] if one["address"] == "email/buyers")
    first, checked, last = email["days"]
    assert (first["members"], first["adds"], first["removes"], first["arrived"]) == (200, 200, 0, None)
    assert (checked["members"], checked["adds"], checked["arrived"]) == (200, None, 200)
    assert 0 < checked["match_rate"] < 1
    assert (last["members"], last["adds"], last["removes"]) == (230, 50, 20)
    assert email["usability"] == "usable"
    assert email["computing_until"] > sandbox["made_at"], "the newest members are not live yet"
    assert [(run["kind"], run["addresses"]) for run in sandbox["runs"]] == [
        ("apply", 2),
        ("verify", 2),
        ("apply", 2),
    ]


def test_an_environment_with_gates_is_compared_with_its_source(reported: Project) -> None:
    found = document(reported, "sandbox", "production")
    assert [one["environment"] for one in found["environments"]] == ["sandbox", "production"]
    assert {one["usability"] for one in found["environments"][1]["audiences"]} == {"not_applied"}
    assert found["environments"][1]["serial"] is None
    [promotion] = found["promotions"]
    assert (promotion["source"], promotion["target"], promotion["differences"]) == (
        "sandbox",
        "production",
        [],
    )


def test_the_page_has_the_charts_of_both_days_and_no_script(reported: Project) -> None:
    said = reported.run("report", "sandbox", "production", "--html", "report.html").said
    assert "2 addresses: 2 usable." in said
    assert "The page is in report.html." in said
    page = (reported.root / "report.html").read_text()
    assert page.count("<svg") == 2 * 3
    assert "<script" not in page
    assert "person" not in page
    cells = re.findall(r"<tr>(<td>\d{4}-\d\d-\d\d</td>.*?)</tr>", page)
    assert len(cells) == 2 * 3
    assert "<td>230</td><td>50</td><td>20</td>" in cells[2]
    reported.run("report", "sandbox", "--html", "report.html")


def test_a_file_of_others_is_not_replaced(reported: Project) -> None:
    (reported.root / "mine.html").write_text("<p>mine")
    said = reported.run("report", "sandbox", "--html", "mine.html", code=10).said
    assert "was not saved by reconciler" in " ".join(said.split())
    assert (reported.root / "mine.html").read_text() == "<p>mine"


def test_an_environment_is_named(reported: Project) -> None:
    reported.run("report", code=64)
    error = json.loads(
        reported.run("report", "nosuch", "--json", "--quiet", code=3).said.rpartition("}\n")[0] + "}"
    )
    assert error["error"]["exit_code"] == 3
