"""A script reads all numbers of plan.json by key, as `jq` does, and parses no text."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.cli import Project

pytestmark = pytest.mark.promise("read-right")

SHRINKS = """\
guards:
  maxShrink: 90%
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.make(tmp_path)
    project.people(*range(200))
    project.run("apply", "sandbox", "--yes")
    manifest = project.root / "environments" / "sandbox" / "buyers.yaml"
    manifest.write_text(manifest.read_text() + SHRINKS)
    return project


def planned(project: Project) -> Any:
    project.run("plan", "sandbox", "--out", "plan.json", "--markdown", "plan.md")
    return json.loads((project.root / "plan.json").read_text())


def shrinking(plan: Any, share: float) -> dict[str, tuple[int, int]]:
    """[.document.sections[].rows[] | select(.members.after < .members.before * (1 - share))]"""
    rows = [row for section in plan["document"]["sections"] for row in section["rows"]]
    sizes = {row["address"]: (row["members"]["before"], row["members"]["after"]) for row in rows}
    return {at: (before, after) for at, (before, after) in sizes.items() if after < before * (1 - share)}


def test_a_script_reads_calls_time_and_shrinking_addresses(project: Project) -> None:
    project.people(*range(150))
    plan = planned(project)
    estimate = plan["document"]["estimate"]
    assert estimate["calls"] == sum(one["calls"] for one in estimate["credentials"]) == 2
    assert isinstance(estimate["seconds"], int)
    assert f"{estimate['calls']} API calls" in (project.root / "plan.md").read_text()
    computed, live = (datetime.fromisoformat(estimate[key]) for key in ("computed_at", "live_at"))
    assert live == computed + timedelta(hours=5)
    assert datetime.now(UTC) - timedelta(minutes=1) < computed
    assert shrinking(plan, 0.1) == {"email/buyers": (200, 150), "customer/buyers": (200, 150)}
    assert shrinking(plan, 0.3) == {}


def test_a_small_count_is_a_bound_and_not_a_text(project: Project) -> None:
    project.people(*range(203))
    [section] = planned(project)["document"]["sections"]
    assert [row["members"]["adds"] for row in section["rows"]] == [{"less_than": 10}] * 2


def test_a_reason_is_a_code_with_its_parameters(project: Project) -> None:
    project.people(*range(150))
    rows = [row for section in planned(project)["document"]["sections"] for row in section["rows"]]
    statements = [line["statement"] for row in rows for line in row["lines"]]
    assert {one["code"] for one in statements} >= {"dropped", "relaxed_guard"}
    [one, _] = [one for one in statements if one["code"] == "dropped"]
    assert one["rows"] == 150
    assert all(isinstance(drop["rows"], int) for drop in one["drops"])
