"""Of an Iceberg table, the rows of its current snapshot are read, with the columns that the table has now."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.table import Table
from pyiceberg.types import BooleanType, DateType, DoubleType, FloatType, IntegerType, LongType, StringType
from support import source_project
from support.fakes.cluster import ClusterHere
from support.iceberg_tables import append, create, data_files, newest, read_here, rewrite
from support.source_project import CUSTOMER, TODAY, Project

from reconciler.core.members import TargetMembers
from reconciler.core.model import Hashing, SourceLocation
from reconciler.members import sources
from reconciler.members.data_root import LocalFolder
from reconciler.members.file_sets import identity
from reconciler.members.file_stamp import stamp
from reconciler.members.iceberg import snapshot
from reconciler.members.identities import identify
from reconciler.members.parts import File, Part, StoredColumn

pytestmark = pytest.mark.promise("members")

KIND = (CUSTOMER, Hashing.NONE)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_asked", read_here)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return source_project.make(tmp_path).reads(columns={CUSTOMER: "id"}).iceberg("people")


@pytest.fixture
def table(project: Project) -> Table:
    """A table of two appends."""
    made = create(project.root / "people")
    append(made, id=["a", "b"], region=["fr", "de"], n=[1, 2])
    append(made, id=["c"], region=["fr"], n=[3])
    return made


def target(project: Project) -> TargetMembers:
    [(_, found)] = project.build(KIND)
    return found


def test_files_of_older_snapshots_are_not_read(project: Project, table: Table) -> None:
    assert project.problems() == []
    assert project.ids() == {"a", "b", "c"}
    table.delete("id = 'a'")
    assert project.ids() == {"b", "c"}
    table.delete("id = 'b'")
    assert len(data_files(project.root / "people")) == 3
    assert project.ids() == {"c"}
    assert project.iceberg("people", where="region = 'de'").ids() == set()
    project.cluster = ClusterHere()
    assert project.iceberg("people").ids() == {"c"}


def test_columns_are_known_by_number(project: Project, table: Table) -> None:
    """A name that another column had before is never that column."""
    with table.update_schema() as schema:
        schema.rename_column("id", "customer")
        schema.delete_column("region")
        schema.update_column("n", LongType())
    with table.update_schema() as schema:
        schema.add_column("id", StringType())
        schema.add_column("Region", StringType())
    append(table, customer=["d"], id=["wrong"], Region=["it"], n=[1 << 40])
    project.reads(columns={CUSTOMER: "customer"}).iceberg("people")
    alone = project.build(KIND)
    assert alone[0][0] == {"a", "b", "c", "d"}
    assert project.iceberg("people", where="region IS NULL AND id IS NULL").ids() == {"a", "b", "c"}
    assert project.iceberg("people", where="n * 4000000000 > 4000000000").ids() == {"b", "c", "d"}
    project.cluster = ClusterHere()
    assert project.iceberg("people").build(KIND) == alone
    [problem] = project.reads(columns={CUSTOMER: "custome"}).iceberg("people").problems()
    assert problem.endswith("there is no such column → did you mean customer?")


def test_a_number_of_an_older_file_has_the_type_of_the_table(project: Project) -> None:
    made = create(project.root / "people", {"id": StringType(), "f": FloatType()})
    append(made, id=["a"], f=[1.1])
    with made.update_schema() as schema:
        schema.update_column("f", DoubleType())
    assert project.iceberg("people", where="f > 1.1").ids() == {"a"}


def test_an_unknown_column_names_the_table(project: Project, table: Table) -> None:
    [problem] = project.reads(columns={CUSTOMER: "nothing"}).iceberg("people").problems()
    assert problem.endswith("there is no such column → name a column of the Iceberg table")


@pytest.mark.parametrize(
    ("where", "members", "files"),
    [
        ("", "abcd", 4),
        ("day = :today", "a", 1),
        ("region = 'd e/é=''%'", "b", 1),
        ("region IS NULL", "c", 1),
        ("shard IN (1, 2) AND vip", "ab", 2),
        ("day IS NULL AND id > 'a'", "d", 1),
    ],
)
def test_values_of_partitions_leave_files_out(
    project: Project, written: Path, where: str, members: str, files: int
) -> None:
    shutil.copytree(written, project.root / "people")
    project.iceberg("people", where=where)
    [(ids, found)] = project.build(KIND)
    assert (ids, found.files.read, found.files.left_out) == (frozenset(members), files, 4 - files)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with partitions, which is read in another folder than it was written to."""
    folder = tmp_path_factory.mktemp("lake") / "data" / "people"
    types = {
        "id": StringType(),
        "region": StringType(),
        "day": DateType(),
        "shard": IntegerType(),
        "vip": BooleanType(),
    }
    made = create(folder, types, ["region", "day", "shard", "vip"])
    append(
        made,
        id=["a", "b", "c", "d"],
        region=["fr", "d e/é='%", None, "fr"],
        day=[TODAY, date(2026, 1, 2), date(1969, 12, 31), None],
        shard=[1, 2, None, -3],
        vip=[True, True, False, None],
    )
    return folder


def test_a_file_without_the_column_of_its_partition_has_its_value(project: Project, written: Path) -> None:
    """As files that a table of Hive had before."""
    folder = project.root / "people"
    shutil.copytree(written, folder)
    for file in data_files(folder):
        pq.write_table(pq.read_table(file, partitioning=None).drop(["region"]), file)
    sizes = {str(one): one.stat().st_size for one in data_files(folder)}
    project.iceberg("people", where="region = 'fr'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "_asked", resized(sizes, folder))
        assert project.ids() == {"a", "d"}


def test_a_file_with_ids_of_some_columns_only_is_refused(
    project: Project, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its other columns would have no value."""
    folder = project.root / "people"
    for file in data_files(folder):
        rows = pq.read_table(file, partitioning=None)
        fields = [one.remove_metadata() if one.name == "n" else one for one in rows.schema]
        pq.write_table(rows.cast(pa.schema(fields)), file)
    sizes = {str(one): one.stat().st_size for one in data_files(folder)}
    monkeypatch.setattr(snapshot, "_asked", resized(sizes, folder))
    [problem] = project.problems()
    assert "has files whose columns have no ids, or not one id each" in problem


def test_a_file_without_ids_that_has_a_name_twice_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upper and lower case are one."""
    made, old = create(project.root / "people"), project.root / "people" / "data" / "old.parquet"
    old.parent.mkdir(parents=True)
    pq.write_table(pa.table({"id": ["a"]}), old)
    made.add_files([old.as_uri()])
    pq.write_table(pa.table({"id": ["a"], "ID": ["b"]}), old)
    monkeypatch.setattr(snapshot, "_asked", resized({str(old): old.stat().st_size}, old.parents[1]))
    [problem] = project.problems()
    assert "has files whose columns have no ids, or not one id each" in problem


def resized(sizes: dict[str, int], folder: Path) -> Callable[..., Any]:
    """Read metadata as if it stated the sizes that files have."""

    def read(*asked: Any) -> Any:
        found = read_here(*asked)
        assert found
        by_name = {Path(path).name: size for path, size in sizes.items()}
        found["files"] = [(path, by_name[Path(path).name], some) for path, _, some in found["files"]]
        return found

    return read


def test_a_partition_that_came_later_is_read_from_all_files(project: Project, table: Table) -> None:
    with table.update_spec() as spec:
        spec.add_identity("region")
    append(table, id=["d", "e"], region=["fr", "it"], n=[4, 5])
    [(ids, found)] = project.iceberg("people", where="region = 'fr'").build(KIND)
    assert (ids, found.files.left_out) == ({"a", "c", "d"}, 0)


def test_files_without_numbers_are_read_by_the_names_that_the_table_states(project: Project) -> None:
    made = create(project.root / "people")
    old = project.root / "people" / "data" / "old.parquet"
    old.parent.mkdir(parents=True)
    project.parquet("people/data/old.parquet", "SELECT 'a' AS id, 'fr' AS region, 1::INTEGER AS n")
    made.add_files([old.as_uri()])
    assert project.ids() == {"a"}
    with made.update_schema() as schema:
        schema.rename_column("id", "customer")
    assert project.reads(columns={CUSTOMER: "customer"}).iceberg("people").ids() == {"a"}
    rewrite(project.root / "people", lambda one: one["properties"].clear())
    [problem] = project.problems()
    assert "has files whose columns have no ids, or not one id each → let its owner set" in problem


def test_a_table_of_format_1_is_read(project: Project) -> None:
    made = create(project.root / "people", **{"format-version": "1"})
    append(made, id=["a"], region=["fr"], n=[1])
    assert made.format_version == 1
    assert project.ids() == {"a"}


def test_a_named_metadata_file_is_read(project: Project, table: Table) -> None:
    before = newest(project.root / "people").relative_to(project.root).as_posix()
    append(table, id=["d"], region=["fr"], n=[4])
    assert project.iceberg(before).ids() == {"a", "b", "c"}
    assert len(identify(LocalFolder(project.root), [project.audience], None).files["a"]) == 1
    assert project.iceberg("people").ids() == {"a", "b", "c", "d"}


def test_maintenance_makes_a_table_no_younger(project: Project, table: Table) -> None:
    folder, written = project.root / "people", datetime.fromtimestamp(1_700_000_000, UTC)

    def compacted(stated: dict[str, Any]) -> None:
        last, first = stated["snapshots"][-1], stated["snapshots"][0]
        first["timestamp-ms"] = 1_700_000_000_000
        last["summary"] = {"operation": "replace", "total-data-files": "2"}
        last["parent-snapshot-id"] = first["snapshot-id"]

    assert (target(project).newest or written) > written
    rewrite(folder, compacted)
    assert target(project).newest == written
    nothing = {"operation": "append", "total-data-files": "2", "added-data-files": "0"}
    rewrite(folder, lambda stated: stated["snapshots"][-1].update(summary=nothing))
    assert target(project).newest == written


def test_the_age_of_snapshots_whose_parents_are_a_circle_is_unknown(project: Project, table: Table) -> None:
    def circle(stated: dict[str, Any]) -> None:
        last, first = stated["snapshots"][-1], stated["snapshots"][0]
        last["parent-snapshot-id"], first["parent-snapshot-id"] = first["snapshot-id"], last["snapshot-id"]
        first["summary"] = last["summary"] = {"operation": "replace"}

    rewrite(project.root / "people", circle)
    assert target(project).newest is None


def test_an_age_that_the_metadata_has_lost_is_refused_only_if_it_is_limited(
    project: Project, table: Table
) -> None:
    def expired(stated: dict[str, Any]) -> None:
        stated["snapshots"] = stated["snapshots"][-1:]
        stated["snapshots"][0]["summary"] = {"operation": "replace"}

    rewrite(project.root / "people", expired)
    assert target(project).newest is None
    project.audience = replace(
        project.audience, source=replace(project.audience.source, max_age=timedelta(hours=36))
    )
    [problem] = project.problems()
    assert "has no age: its metadata has lost the last snapshot that changed rows" in problem
    assert "or remove `maxAge`" in problem


def test_the_same_files_with_another_column_are_another_set(tmp_path: Path) -> None:
    """Two audiences can name two metadata files of one table."""
    path = tmp_path / "a.parquet"
    path.touch()
    part = Part((File("a.parquet", path, stamp(path)),), "", {"id": "id"}, {})
    place = SourceLocation("a.yaml", 1, 1)
    parts = [replace(part, stored={"id": StoredColumn(one)}) for one in ("id", "customer")]
    tables = [sources.Table("parquet", (one,), {}, ("id",), place) for one in (part, *parts)]
    assert len(set(map(identity, tables))) == 3


def test_each_snapshot_is_another_identity(project: Project, table: Table) -> None:
    def files() -> object:
        return identify(LocalFolder(project.root), [project.audience], None).files.get("a")

    before = files()
    assert before
    assert files() == before
    append(table, id=["d"], region=["fr"], n=[4])
    assert files() != before
    shutil.rmtree(project.root / "people")
    assert files() is None
