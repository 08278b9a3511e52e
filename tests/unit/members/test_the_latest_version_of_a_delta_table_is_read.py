"""Of a Delta table, the rows of the latest version are read, as its log states it."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from support import source_project
from support.delta_tables import added_files, commit, rewrite, write_table
from support.fakes.cluster import ClusterHere
from support.source_project import CUSTOMER, TODAY, Project, look

from reconciler.core.members import AudienceRequest, TargetMembers
from reconciler.core.model import Hashing, Partition, PartitionType
from reconciler.members.data_root import LocalFolder
from reconciler.members.identities import identify

pytestmark = pytest.mark.promise("members")

KIND = (CUSTOMER, Hashing.NONE)
N = Partition("n", PartitionType.INTEGER)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return source_project.make(tmp_path).reads(columns={CUSTOMER: "id"}).delta("people")


@pytest.fixture
def table(project: Project) -> Path:
    """Two versions of one file each: a and b, then c."""
    folder = project.root / "people"
    write_table(folder, {"id": ["a", "b"], "n": [1, 2]})
    write_table(folder, {"id": ["c"], "n": [3]})
    return folder


def target(project: Project) -> TargetMembers:
    [(_, found)] = project.build(KIND)
    return found


def test_deleted_rows_and_replaced_files_are_not_read(project: Project, table: Path) -> None:
    assert project.problems() == []
    assert project.ids() == {"a", "b", "c"}
    DeltaTable(table).delete("id = 'a'")
    assert project.ids() == {"b", "c"}
    stale = added_files(table)[0]
    stale.write_bytes(b"PAR1 this is no file PAR1")
    assert project.ids() == {"b", "c"}
    write_table(table, {"id": ["d"], "n": [1]}, mode="overwrite")
    assert project.ids() == {"d"}


def test_a_file_that_was_written_before_a_column_was_added_has_no_value_in_it(
    project: Project, table: Path
) -> None:
    later = {"id": ["d"], "n": [4], "vip": [True], "city": ["Rome"], "spent": [Decimal("1.50")]}
    write_table(table, later, schema_mode="merge")
    assert project.delta("people", where="vip").ids() == {"d"}
    assert project.delta("people", where="city IS NULL AND spent IS NULL").ids() == {"a", "b", "c"}
    assert project.reads(columns={CUSTOMER: "city"}).delta("people").ids() == {"Rome"}
    [problem] = project.reads(columns={CUSTOMER: "nothing"}).delta("people").problems()
    assert problem.endswith("there is no such column → name a column of the Delta table")


def test_an_older_log_is_read_from_its_checkpoint(project: Project, table: Path) -> None:
    DeltaTable(table).create_checkpoint()
    write_table(table, {"id": ["d"], "n": [4]})
    DeltaTable(table).delete("id = 'a'")
    for version in (0, 1):
        commit(table, version).unlink()
    assert project.ids() == {"b", "c", "d"}


@pytest.mark.parametrize(
    ("where", "members", "files"),
    [
        ("", "abcd", 4),
        ("day = :today", "a", 1),
        ("region = 'd e/é=''%'", "b", 1),
        ("region IS NULL", "c", 1),
        ("shard IN (1, 2) AND vip", "ab", 2),
        ("vip IS NULL OR id = 'z'", "d", 4),
        ("day IS NULL AND id > 'a'", "d", 1),
    ],
)
def test_values_of_partitions_come_from_the_log_and_leave_files_out(
    project: Project, where: str, members: str, files: int
) -> None:
    columns = {
        "id": ["a", "b", "c", "d"],
        "region": ["fr", "d e/é='%", None, "fr"],
        "day": [TODAY, date(2026, 1, 2), date(1999, 12, 31), None],
        "shard": [1, 2, None, -3],
        "vip": [True, True, False, None],
    }
    write_table(
        project.root / "people", columns, ["region", "day", "shard", "vip"], types={"shard": pa.int8()}
    )
    project.delta("people", where=where)
    alone = project.build(KIND)
    [(ids, found)] = alone
    assert (ids, found.files.read, found.files.left_out) == (frozenset(members), files, 4 - files)
    if not where:
        project.cluster = ClusterHere()
        assert project.build(KIND) == alone


def test_maintenance_makes_a_table_no_younger(project: Project, table: Path) -> None:
    def dated(action: dict[str, dict[str, object]]) -> None:
        action.get("commitInfo", {}).update(timestamp=1_700_000_000_000)

    rewrite(table, dated, 1)
    written = datetime.fromtimestamp(1_700_000_000, UTC)
    assert target(project).newest == written
    lake = DeltaTable(table)
    lake.optimize.compact()
    lake.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert lake.version() == 4
    assert target(project).newest == written
    lake.delete("id = 'a'")
    assert (target(project).newest or written) > written


def test_a_commit_without_a_time_is_as_old_as_its_file(project: Project, table: Path) -> None:
    rewrite(table, lambda action: action.pop("commitInfo", None), 1)
    expected = commit(table, 1).stat().st_mtime
    assert target(project).newest == datetime.fromtimestamp(int(expected * 1000) / 1000, UTC)
    DeltaTable(table).create_checkpoint()
    for version in (0, 1):
        commit(table, version).unlink()
    assert (target(project).newest or datetime.min.replace(tzinfo=UTC)) > datetime(2020, 1, 1, tzinfo=UTC)


def test_each_version_is_another_identity(project: Project, table: Path) -> None:
    def identity() -> object:
        return identify(LocalFolder(project.root), [project.audience], None).files.get("a")

    before = identity()
    assert before
    assert identity() == before
    write_table(table, {"id": ["d"], "n": [4]})
    assert identity() != before
    shutil.rmtree(table)
    assert identity() is None


def test_the_same_files_are_read_apart_with_other_values(project: Project) -> None:
    folder, where = project.root / "people", "n + 0 * length(id) = 7"
    write_table(folder, {"id": ["x", "y"], "n": [1, 2]}, ["n"])
    rewrite(folder, lambda one: one.get("add", {}).get("partitionValues", {}).update(n="7"))
    by_log = project.delta("people", where).audience
    by_folders = project.reads("people/*/*.parquet", where=where).partitions(N).audience
    requests = [
        AudienceRequest(replace(one, name=name), (KIND,))
        for name, one in {"log": by_log, "folders": by_folders}.items()
    ]
    with project.engine() as engine:
        built = engine.build(requests, TODAY, lambda _: None)
        found = {name: look(engine, one[KIND].members) for name, one in built.items()}  # type: ignore[index]
    assert found == {"log": {"x", "y"}, "folders": frozenset()}
