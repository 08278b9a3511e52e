"""Members of an Iceberg table, from `validate` to a second plan."""

import json
from pathlib import Path

import pytest
from pyiceberg.table import Table
from pyiceberg.types import StringType
from support.cli import Project
from support.iceberg_tables import append, create, data_files, rewrite

pytestmark = pytest.mark.promise("members")

FILES = 'source: {files: ["people.csv"]}'


def people(table: Table, *numbers: int) -> None:
    """Append people, half of them in each of two partitions."""
    append(
        table,
        email=[f"person{number}@example.com" for number in numbers],
        id=[f"c{number}" for number in numbers],
        region=["fr" if number % 2 else "de" for number in numbers],
    )


def test_its_current_snapshot_becomes_members(tmp_path: Path) -> None:
    project, folder = Project.make(tmp_path), tmp_path / "data" / "people"
    buyers = tmp_path / "environments" / "sandbox" / "buyers.yaml"
    source = "source: {iceberg: people/, where: \"region = 'fr'\", maxAge: 36h}"
    buyers.write_text(buyers.read_text().replace(FILES, source))
    assert "no Iceberg table is in this folder" in project.run("validate", "sandbox", code=3).said
    table = create(folder, dict.fromkeys(("email", "id", "region"), StringType()), ["region"])
    people(table, *range(40))
    project.run("doctor", "sandbox")
    assert "2 applied" in project.run("apply", "sandbox", "--yes").said
    assert "No changes." in project.run("plan", "sandbox").said
    explained = json.loads(project.run("explain", "sandbox", "email/buyers", "--json").said)["source"]
    assert (explained["iceberg"], explained["files_read"], explained["files_left_out"]) == ("people", 1, 1)
    said = project.run("explain", "sandbox", "email/buyers").said
    assert "from the Iceberg table people; read 1 of 2 files" in said
    people(table, 41, 43)
    assert "2 to update" in project.run("plan", "sandbox").said

    def dated(stated: dict[str, list[dict[str, object]]]) -> None:
        stated["snapshots"][-1]["timestamp-ms"] = 1_700_000_000_000

    rewrite(folder, dated)
    said = project.run("plan", "sandbox", code=5).said
    assert "the newest source row is" in said
    assert "newest data 2023-11-14" in said
    data_files(folder)[-1].unlink()
    said = " ".join(project.run("doctor", "sandbox", code=3).said.split())
    assert "the Iceberg table people lacks a file of its current snapshot: people/data/" in said
