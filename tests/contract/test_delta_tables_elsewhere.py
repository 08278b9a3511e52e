"""A Delta table in an object store is read as in a folder: its log first, then the files that are needed."""

from pathlib import Path

import pytest
from deltalake import DeltaTable
from support import source_project
from support.delta_tables import added_files, commit, write_table
from support.source_project import CUSTOMER, PLACE, Project
from support.table_buckets import Bucket, identity, members

from reconciler.core.errors import ConfigurationError
from reconciler.members import bucket_mirror
from reconciler.members.delta_lake.tables import DeltaTables
from reconciler.members.https_files import https_root

pytestmark = pytest.mark.promise("members")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = source_project.make(tmp_path).reads(columns={CUSTOMER: "id"}).delta("people")
    for name, region in (("a", "d e/é"), ("b", "fr"), ("c", "fr")):
        write_table(made.root / "people", {"id": [name], "region": [region]}, ["region"])
    return made


def test_only_the_log_and_the_wanted_files_are_brought(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_mirror, "SMALL", 100)
    monkeypatch.setattr(bucket_mirror, "TAIL", 100)
    table, bucket = project.root / "people", Bucket()
    DeltaTable(table).create_checkpoint()
    DeltaTable(table).delete("id = 'c'")
    commit(table, 0).unlink()
    bucket.holds(project.root)
    assert members(bucket, project, tmp_path / "1") == {"a", "b"}
    assert not bucket.read & {str(one.relative_to(project.root)) for one in added_files(table, 2)}
    assert not bucket.read & {str(commit(table, 1).relative_to(project.root))}
    bucket.read.clear()
    assert members(bucket, project.delta("people", where="region LIKE 'd e%'"), tmp_path / "2") == {"a"}
    assert len([one for one in bucket.read if "_delta_log" not in one]) == 1


def test_each_version_is_another_identity(project: Project, tmp_path: Path) -> None:
    bucket = Bucket()
    before = identity(bucket, project, tmp_path / "1")
    assert before
    assert bucket.read == set()
    write_table(project.root / "people", {"id": ["d"], "region": ["fr"]}, ["region"])
    assert identity(bucket, project, tmp_path / "2") != before


def test_an_object_that_the_log_names_and_that_is_not_there_is_refused(
    project: Project, tmp_path: Path
) -> None:
    bucket = Bucket()
    added_files(project.root / "people", 1)[0].unlink()
    bucket.holds(project.root)
    with pytest.raises(ConfigurationError) as refused:
        members(bucket, project, tmp_path / "1")
    assert "the Delta table people lacks a file of version 2: people/region=fr/part-" in str(
        refused.value.findings[0]
    )


def test_a_web_server_has_no_tables(tmp_path: Path) -> None:
    files = https_root("https://exports.example.com/daily", tmp_path, lambda: None)
    with pytest.raises(ConfigurationError) as refused:
        DeltaTables(files, tmp_path / "logs", lambda: None).latest("people", (), PLACE)
    [found] = refused.value.findings
    assert str(found).startswith(
        "audiences/a.yaml:5:3: a web server has no listing of its files, and the Delta"
    )
    assert found.remedy == "use a folder or an object store"
