"""An Iceberg table in an object store is read as in a folder: its metadata, then the needed files."""

from dataclasses import replace
from pathlib import Path

import pytest
from pyiceberg.table import Table
from support import source_project
from support.iceberg_tables import append, create, newest, read_here
from support.source_project import CUSTOMER, Project
from support.table_buckets import Bucket, identity, members

from reconciler.core.errors import ConfigurationError
from reconciler.members import bucket_mirror
from reconciler.members.https_files import https_root
from reconciler.members.iceberg import snapshot
from reconciler.members.iceberg.tables import IcebergTables

pytestmark = pytest.mark.promise("members")


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_asked", read_here)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return source_project.make(tmp_path).reads(columns={CUSTOMER: "id"}).iceberg("people")


@pytest.fixture
def table(project: Project) -> Table:
    made = create(project.root / "people", partitions=["region"])
    append(made, id=["a", "b"], region=["d e/é", "fr"], n=[1, 2])
    append(made, id=["c"], region=["fr"], n=[3])
    return made


def test_only_metadata_and_the_wanted_files_are_brought(
    project: Project, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_mirror, "SMALL", 100)
    monkeypatch.setattr(bucket_mirror, "TAIL", 100)
    bucket = Bucket()
    table.delete("id = 'c'")
    with table.update_schema() as schema:
        schema.rename_column("id", "customer")
    bucket.holds(project.root)
    project.reads(columns={CUSTOMER: "customer"}).iceberg("people")
    assert members(bucket, project, tmp_path / "1") == {"a", "b"}
    assert len([one for one in bucket.read if one.endswith(".metadata.json")]) == 1
    bucket.read.clear()
    assert members(bucket, project.iceberg("people", where="region LIKE 'd e%'"), tmp_path / "2") == {"a"}
    assert len([one for one in bucket.read if one.endswith(".parquet")]) == 1


def test_a_named_metadata_file_is_read(project: Project, table: Table, tmp_path: Path) -> None:
    bucket = Bucket()
    bucket.holds(project.root)
    named = newest(project.root / "people").relative_to(project.root).as_posix()
    assert members(bucket, project.iceberg(named), tmp_path / "1") == {"a", "b", "c"}


def test_each_snapshot_is_another_identity(project: Project, table: Table, tmp_path: Path) -> None:
    bucket = Bucket()
    before = identity(bucket, project, tmp_path / "1")
    assert before
    assert bucket.read == set()
    append(table, id=["d"], region=["fr"], n=[4])
    assert identity(bucket, project, tmp_path / "2") != before


def test_a_web_server_has_no_tables(project: Project, tmp_path: Path) -> None:
    files = https_root("https://exports.example.com/daily", tmp_path / "brought", lambda: None)
    source = replace(project.audience.source, iceberg="people")
    with pytest.raises(ConfigurationError) as refused:
        IcebergTables(files, lambda: None).current(source, ())
    [found] = refused.value.findings
    assert "a web server has no listing of its files, and the Iceberg table people needs one" in found.problem
    assert found.remedy == "use a folder or an object store"
