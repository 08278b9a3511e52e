"""Sources that are Delta or Iceberg tables: what arrives, and what is refused with its line."""

from datetime import date
from pathlib import Path

import pytest
from support.manifest_project import Project

from reconciler.core.errors import ConfigurationError
from reconciler.manifests import load, load_offline
from reconciler.operations.promote import _files


def made(tmp_path: Path, source: str) -> Project:
    project = Project(tmp_path)
    audience = project.folder / "audiences" / "lapsed.yaml"
    before, _, after = audience.read_text().partition("source:\n")
    audience.write_text(f"{before}source: {source}\n{after[after.index('columns:') :]}")
    return project


def refused(tmp_path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as found:
        load(tmp_path, "sandbox")
    return [f"{one.where}: {one.problem} → {one.remedy}" for one in found.value.findings]


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
@pytest.mark.parametrize("written", ["crm/customers", "crm/customers/"])
def test_the_folder_of_a_table_arrives(tmp_path: Path, kind: str, written: str) -> None:
    made(tmp_path, f'{{{kind}: "{written}", maxAge: 36h}}')
    desired = load(tmp_path, "sandbox")
    [audience] = desired.audiences
    assert (audience.source.lake_tables, audience.source.files) == ({kind: "crm/customers"}, ())
    assert audience.source.query is None
    assert audience.source.place.line == 6
    assert "crm/customers" in _files(desired)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{delta: a, files: [b.csv]}", "`source` has `files` and `delta`"),
        ("{delta: a, partitions: {dt: date}}", "a Delta table has the columns of its partitions"),
        ("{delta: a, connection: crm}", "`connection` of a source goes with `table`"),
        ("{delta: ['a']}", "delta"),
        ("{delta: ''}", "write a folder below the data root"),
        ("{delta: a/*}", "write a folder below the data root"),
        ("{delta: ../a}", "write a folder below the data root"),
        ("{delta: /a}", "write a folder below the data root"),
        ("{delta: s3://bucket/a}", "write a folder below the data root"),
        ("{iceberg: a, files: [b.csv]}", "`source` has `files` and `iceberg`"),
        ("{iceberg: a, delta: b}", "`source` has `delta` and `iceberg`"),
        ("{iceberg: a, partitions: {dt: date}}", "an Iceberg table has the columns of its partitions"),
        ("{iceberg: ../a}", "write a folder below the data root"),
        ("{where: a}", "files"),
    ],
)
def test_an_unsound_declaration_is_refused(tmp_path: Path, source: str, problem: str) -> None:
    made(tmp_path, source)
    said = refused(tmp_path)
    assert any("lapsed.yaml:6" in one and problem in one for one in said), said


def test_a_folder_without_a_log_is_found_offline(tmp_path: Path) -> None:
    project = made(tmp_path, "{delta: customers}")
    table = project.root / "data" / "customers"
    with pytest.raises(ConfigurationError) as found:
        load_offline(tmp_path, "sandbox", today=date(2026, 11, 30))
    [one] = found.value.findings
    assert one.where == "environments/sandbox/audiences/lapsed.yaml:6:17"
    assert "no Delta table is in this folder below the data root, data: it has no `_delta_log`" in one.problem
    (table / "_delta_log").mkdir()
    assert load_offline(tmp_path, "sandbox", today=date(2026, 11, 30)).audiences


def test_a_folder_without_metadata_is_found_offline(tmp_path: Path) -> None:
    project = made(tmp_path, "{iceberg: customers}")
    metadata = project.root / "data" / "customers" / "metadata"
    with pytest.raises(ConfigurationError) as found:
        load_offline(tmp_path, "sandbox", today=date(2026, 11, 30))
    [one] = found.value.findings
    assert "no Iceberg table is in this folder below the data root, data: it has no `metadata`" in one.problem
    metadata.mkdir(parents=True)
    assert load_offline(tmp_path, "sandbox", today=date(2026, 11, 30)).audiences
    made(tmp_path, "{iceberg: customers/metadata/v1.metadata.json}")
    with pytest.raises(ConfigurationError) as found:
        load_offline(tmp_path, "sandbox", today=date(2026, 11, 30))
    assert "no such file is below the data root, data" in found.value.findings[0].problem
    (metadata / "v1.metadata.json").touch()
    assert load_offline(tmp_path, "sandbox", today=date(2026, 11, 30)).audiences
