"""Members of a Delta table, from `validate` to a second plan."""

import json
from pathlib import Path

import pytest
from deltalake import DeltaTable
from support.cli import Project
from support.delta_tables import added_files, rewrite, write_table

pytestmark = pytest.mark.promise("members")

FILES = 'source: {files: ["people.csv"]}'


def people(table: Path, *numbers: int) -> None:
    """Append people, half of them in each of two partitions."""
    columns = {
        "email": [f"person{number}@example.com" for number in numbers],
        "id": [f"c{number}" for number in numbers],
        "region": ["fr" if number % 2 else "de" for number in numbers],
    }
    write_table(table, columns, ["region"])


def test_its_latest_version_becomes_members(tmp_path: Path) -> None:
    project, table = Project.make(tmp_path), tmp_path / "data" / "people"
    buyers = tmp_path / "environments" / "sandbox" / "buyers.yaml"
    source = "source: {delta: people/, where: \"region = 'fr'\", maxAge: 36h}"
    buyers.write_text(buyers.read_text().replace(FILES, source))
    assert "no Delta table is in this folder" in project.run("validate", "sandbox", code=3).said
    people(table, *range(40))
    project.run("validate", "sandbox")
    project.run("doctor", "sandbox")
    assert "2 to create" in project.run("plan", "sandbox").said
    assert "2 applied" in project.run("apply", "sandbox", "--yes").said
    assert "No changes." in project.run("plan", "sandbox").said
    project.run("status", "sandbox")
    explained = json.loads(project.run("explain", "sandbox", "email/buyers", "--json").said)["source"]
    assert (explained["delta"], explained["files_read"], explained["files_left_out"]) == ("people", 1, 1)
    assert (
        "from the Delta table people; read 1 of 2 files"
        in project.run("explain", "sandbox", "email/buyers").said
    )
    people(table, 41, 43)
    assert "2 to update" in project.run("plan", "sandbox").said
    assert not [*(tmp_path / ".reconciler").rglob("_delta_log")]

    [file] = [one for one in added_files(table, 1) if "region=fr" in str(one)]
    file.unlink()
    said = " ".join(project.run("plan", "sandbox", code=5).said.split())
    assert "the Delta table people lacks a file of version 1: people/region=fr/" in said
    assert "lacks a file of version 1" in project.run("doctor", "sandbox", code=3).said


def test_a_table_whose_rows_are_old_is_blocked_also_after_maintenance(tmp_path: Path) -> None:
    project, table = Project.make(tmp_path), tmp_path / "data" / "people"
    buyers = tmp_path / "environments" / "sandbox" / "buyers.yaml"
    buyers.write_text(buyers.read_text().replace(FILES, "source: {delta: people, maxAge: 36h}"))
    people(table, *range(20))
    rewrite(table, lambda one: one.get("commitInfo", {}).update(timestamp=1_700_000_000_000))
    DeltaTable(table).optimize.compact()
    said = project.run("plan", "sandbox", code=5).said
    assert "the newest source row is" in said
    assert "newest data 2023-11-14" in said
