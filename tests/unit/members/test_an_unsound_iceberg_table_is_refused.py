"""An Iceberg table that can't be read as its metadata states is refused, with what to do, without a value."""

import gzip
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.manifest import DataFileContent, FileFormat, ManifestContent
from pyiceberg.table import Table
from pyiceberg.types import IntegerType, NestedField, StringType, StructType
from support import source_project
from support.iceberg_tables import append, create, data_files, newest, read_here, rewrite, rewrite_files
from support.source_project import CUSTOMER, Project

from reconciler.core.errors import CancelledError, ConfigurationError
from reconciler.members.data_root import LocalFolder
from reconciler.members.iceberg import snapshot
from reconciler.members.iceberg.tables import IcebergTables

pytestmark = pytest.mark.promise("members")

MARK = "marker-4711"
"""An identifier, which is in the bounds of the manifests too."""
DAMAGED = "has metadata that can't be read: it is damaged, or was copied in part"
OUTSIDE = "names a file outside of it"
_CONTENT, _PATH, _FORMAT, _SIZE, _KEY = 0, 1, 2, 5, 12
"""Where the fields of a data file are."""
Change = Callable[[Path], object]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return source_project.make(tmp_path).reads(columns={CUSTOMER: "id"}).iceberg("people")


@pytest.fixture
def table(project: Project, monkeypatch: pytest.MonkeyPatch) -> Table:
    """A table of one append, which is read in this process."""
    monkeypatch.setattr(snapshot, "_asked", read_here)
    made = create(project.root / "people", partitions=["region"])
    append(made, id=[MARK, "other"], region=["fr", "fr"], n=[1, 2])
    return made


def stating(**values: object) -> Change:
    return lambda folder: rewrite(
        folder, lambda one: one.update({key.replace("_", "-"): value for key, value in values.items()})
    )


def in_snapshot(**values: object) -> Change:
    changed = {key.replace("_", "-"): value for key, value in values.items()}
    return lambda folder: rewrite(folder, lambda one: one["snapshots"][-1].update(changed))


def cut(pattern: str) -> Change:
    """Let a file break off."""

    def change(folder: Path) -> None:
        [file] = folder.glob(pattern)
        content = file.read_bytes()
        file.write_bytes(content[: len(content) * 3 // 4])

    return change


def without_blocks(pattern: str) -> Change:
    """Let a file of Avro end after its header, where it looks complete."""

    def change(folder: Path) -> None:
        [file] = folder.glob(pattern)
        content = file.read_bytes()
        mark = content[-16:]  # ends the header and each block
        file.write_bytes(content[: content.index(mark) + len(mark)])

    return change


def removed(pattern: str) -> Change:
    def change(folder: Path) -> None:
        for file in folder.glob(pattern):
            file.unlink()

    return change


def written(name: str, content: bytes = b"{}") -> Change:
    return lambda folder: (folder / "metadata" / name).write_bytes(content)


def renamed(name: str) -> Change:
    return lambda folder: newest(folder).rename(folder / "metadata" / name)


def moved_out(inside: str) -> Change:
    """Let a link lead out of the data root."""

    def change(folder: Path) -> None:
        found = max(folder.glob(inside)) if inside else folder
        there = folder.parents[1] / "elsewhere"
        found.rename(there)
        found.symlink_to(there)

    return change


def one_id(folder: Path) -> None:
    """Let the first column have the id of the last one."""

    def change(stated: dict[str, Any]) -> None:
        for schema in stated["schemas"]:
            schema["fields"][0]["id"] = schema["fields"][-1]["id"]

    rewrite(folder, change)


def both(*changes: Change) -> Change:
    return lambda folder: [one(folder) for one in changes]


def older(folder: Path) -> None:
    for file in sorted(folder.glob("metadata/*.metadata.json"))[:-1]:
        file.unlink()


TWICE = "00001-copy.metadata.json"
UNSOUND: dict[str, tuple[Change, str]] = {
    "no table": (shutil.rmtree, "has no metadata: there is no `*.metadata.json` in `metadata`"),
    "deleted metadata": (removed("metadata/*.json"), "has no metadata"),
    "two metadata files of one version": (
        written(TWICE),
        "has 2 metadata files of version 1, and nothing says which is current → ask its catalog, and name",
    ),
    "metadata of two kinds": (written("v7.metadata.json"), "has metadata of a catalog and of a folder"),
    "metadata without a number": (both(older, renamed("x.metadata.json")), "has metadata without version"),
    "a hint of a missing version": (
        written("version-hint.text", b"9"),
        "lacks the metadata that its `version-hint.text` names",
    ),
    "a hint of a path": (written("version-hint.text", b"../metadata/x"), "lacks the metadata that its"),
    "a hint that is no text": (written("version-hint.text", b"\xff\x00"), "lacks the metadata that its"),
    "metadata that is no JSON": (lambda folder: newest(folder).write_bytes(b"\xff{"), DAMAGED),
    "metadata that is no object": (lambda folder: newest(folder).write_text("[1]"), DAMAGED),
    "metadata that breaks off": (lambda folder: newest(folder).write_text("{"), DAMAGED),
    "a newer format": (stating(format_version=3), "has a newer format version than 2"),
    "a format of no number": (stating(format_version="2"), "has a newer format version than 2"),
    "no schema": (stating(schemas=[]), DAMAGED),
    "two columns with one id": (one_id, "has two columns with one id → copy the whole table again"),
    "an unknown snapshot": (stating(current_snapshot_id=1), DAMAGED),
    "no snapshot": (stating(current_snapshot_id=-1), "has no rows: its current snapshot has no data file"),
    "another number of files": (
        in_snapshot(summary={"operation": "append", "total-data-files": "3"}),
        "lists another number of data files than its current snapshot states",
    ),
    "no manifest list": (
        removed("metadata/snap-*.avro"),
        "lacks a file of its metadata: people/metadata/",
    ),
    "no manifest": (removed("metadata/*-m0.avro"), "lacks a file of its metadata: people/metadata/"),
    "a manifest list that breaks off": (cut("metadata/snap-*.avro"), DAMAGED),
    "a manifest that breaks off": (cut("metadata/*-m0.avro"), DAMAGED),
    "a manifest without its rows": (without_blocks("metadata/*-m0.avro"), DAMAGED),
    "no data file": (
        removed("data/*/*.parquet"),
        "lacks a file of its current snapshot: people/data/region=fr/",
    ),
    "a location elsewhere": (stating(location="file:///elsewhere"), OUTSIDE),
    "a location beside": (lambda folder: stating(location=folder.as_uri()[:-2])(folder), OUTSIDE),
    "a manifest list elsewhere": (in_snapshot(manifest_list="s3://acme/secret.avro"), OUTSIDE),
    "a manifest list above": (
        lambda folder: in_snapshot(manifest_list=f"{folder.as_uri()}/../../secret.avro")(folder),
        OUTSIDE,
    ),
    "a table elsewhere": (moved_out(""), "leads out of the data root by a link"),
    "metadata elsewhere": (moved_out("metadata/*.metadata.json"), "leads out of the data root by a link"),
    "a file elsewhere": (moved_out("data/*/*.parquet"), "leads out of the data root by a link"),
}


def refused(project: Project, columns: Sequence[str] = ("id",), **source: object) -> str:
    tables = IcebergTables(LocalFolder(project.root), lambda: None)
    with pytest.raises(ConfigurationError) as found:
        tables.current(replace(project.audience.source, **source), columns)  # type: ignore[arg-type]
    [one] = found.value.findings
    assert found.value.__suppress_context__ or not found.value.__context__
    return f"{one.where}: {one.problem} → {one.remedy}"


@pytest.mark.parametrize("name", UNSOUND)
def test_a_table_that_is_not_as_its_metadata_says(project: Project, table: Table, name: str) -> None:
    change, expected = UNSOUND[name]
    change(project.root / "people")
    problem = refused(project)
    assert problem.startswith("audiences/a.yaml:5:3: the Iceberg table people ")
    assert expected in problem
    assert MARK not in problem


def stated(at: int, value: object) -> Callable[[list[Any]], None]:
    def change(fields: list[Any]) -> None:
        fields[at] = value

    return change


FILES: dict[str, tuple[Callable[[list[Any]], None], str]] = {
    "position deletes": (stated(_CONTENT, DataFileContent.POSITION_DELETES), "has delete files"),
    "equality deletes": (stated(_CONTENT, DataFileContent.EQUALITY_DELETES), "has delete files"),
    "ORC": (stated(_FORMAT, FileFormat.ORC), "has data files that are not Parquet"),
    "encryption": (stated(_KEY, b"key"), "has encrypted files"),
    "a file of another table": (stated(_PATH, "file:///etc/passwd.parquet"), OUTSIDE),
    "a file of another bucket": (stated(_PATH, "s3://other/x.parquet"), OUTSIDE),
    "a path with a NUL": (lambda one: one.__setitem__(_PATH, one[_PATH] + "\0.parquet"), OUTSIDE),
    "a file of another kind": (
        lambda one: one.__setitem__(_PATH, one[_PATH] + ".csv"),
        "names a data file that is not `.parquet`",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_can_not_be_read_as_it_is(project: Project, table: Table, name: str) -> None:
    change, expected = FILES[name]
    rewrite_files(table, change)
    problem = refused(project)
    assert expected in problem
    assert MARK not in problem


def test_a_manifest_of_deletes_is_refused(project: Project, table: Table) -> None:
    rewrite_files(table, lambda _: None, ManifestContent.DELETES)
    problem = refused(project)
    assert "has delete files: rows of its data files are deleted that are still there" in problem
    assert "→ let its owner run rewrite_data_files" in problem


@pytest.mark.parametrize("size", [-1, 10, 1 << 40])
def test_a_file_of_another_size_than_its_metadata_says(project: Project, table: Table, size: int) -> None:
    rewrite_files(table, stated(_SIZE, size))
    [problem] = project.problems()
    assert "people/data/region=fr/0" in problem
    assert "has another size than the metadata of its Iceberg table says → copy the whole table" in problem


def test_many_files_of_another_size_are_counted(project: Project, table: Table) -> None:
    append(table, id=["c"], region=["de"], n=[3])
    for file in data_files(project.root / "people"):
        file.write_bytes(b"")
    [problem] = project.problems()
    assert "and 1 other file have another size than the metadata of its Iceberg table says" in problem


def test_each_problem_of_a_table_stops_its_audience(project: Project, table: Table) -> None:
    data_files(project.root / "people")[0].unlink()
    [problem] = project.problems()
    assert "the Iceberg table people lacks a file of its current snapshot" in problem


def test_identifiers_are_not_read_from_partitions(project: Project, table: Table) -> None:
    problem = refused(project, columns=("id", "Region"))
    assert "is partitioned by identifiers, which are never read from folders → name another column" in problem


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("people/metadata/none.metadata.json", "lacks the metadata file that is named: people/metadata/none"),
        ("people/none.metadata.json", "is named by a file that is in no folder `metadata`"),
        ("x" * 300, "has no metadata"),
        ("../people", "lies outside the data root → give a path relative to it"),
    ],
)
def test_a_table_that_is_named_wrongly(project: Project, table: Table, named: str, expected: str) -> None:
    assert expected in refused(project, iceberg=named)


def test_columns_that_differ_in_case_only_are_refused(project: Project, table: Table) -> None:
    with table.update_schema() as schema:
        schema.add_column("ID", StringType())
    assert "has columns whose names differ in upper and lower case only" in refused(project)


def test_columns_with_parts_are_not_offered(project: Project, table: Table) -> None:
    with table.update_schema() as schema:
        schema.add_column("home", StructType(NestedField(9, "city", StringType())))
    [problem] = project.iceberg("people", where="home IS NULL").problems()
    assert "`where` names a column that isn't there → name a column of the Iceberg table" in problem


def test_a_column_that_numbers_files_is_refused_beside_columns_that_came_later(
    project: Project, table: Table
) -> None:
    made = create(project.root / "other", {"id": StringType(), "file_index": IntegerType()})
    append(made, id=["c"], file_index=[1])
    assert project.iceberg("other").problems() == []
    with made.update_schema() as schema:
        schema.add_column("n", IntegerType())
    [problem] = project.problems()
    assert "has a column `file_index`, which a source with `iceberg` can't have" in problem


@pytest.mark.parametrize(
    ("files", "hint", "expected"),
    [
        (["v1", "v2", "v10"], None, "v10"),
        (["v1", "v2", "v10"], "1", "v2"),
        (["v1", "v2.gz"], "1\n", "v2.gz"),
        (["00000-a", "00001-b", "00001-c"], "00001-b", "00001-b"),
        (["00000-a", "00001-b", "00001-c"], "00000-a.metadata.json", "00000-a"),
    ],
)
def test_the_current_metadata_is_that_of_the_hint_or_the_newest(
    project: Project, table: Table, files: list[str], hint: str | None, expected: str
) -> None:
    folder, rows = project.root / "people", newest(project.root / "people").read_bytes()
    removed("metadata/*.json")(folder)
    for one in files:
        content = rows if one == expected else b"{}"
        packed = gzip.compress(content) if one.endswith(".gz") else content
        written(f"{one}.metadata.json", packed)(folder)
    if hint:
        written("version-hint.text", hint.encode())(folder)
    assert project.ids() == {MARK, "other"}


def test_a_table_may_be_in_a_folder_of_any_name(project: Project, table: Table) -> None:
    for name in ("100%41", "a b#c?", "é"):
        shutil.copytree(project.root / "people", project.root / name)
        assert project.iceberg(name).ids() == {MARK, "other"}


def test_without_its_extra_a_table_names_it(
    project: Project, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "find_spec", lambda _: None)
    problem = refused(project)
    assert "needs a library that is not installed → pip install 'criteo-reconciler[iceberg]'" in problem


def test_a_process_that_fails_or_prints_does_no_harm(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    append(create(project.root / "people"), id=["a"], region=["fr"], n=[1])
    assert project.ids() == {"a"}
    newest(project.root / "people").write_text("{")
    assert DAMAGED in refused(project)
    for module in ("this", "no.such.module"):  # the first prints a poem
        monkeypatch.setattr(snapshot, "READER", module)
        assert DAMAGED in refused(project)
    assert capfd.readouterr() == ("", "")


def test_the_process_has_a_limit_of_memory(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    create(project.root / "people")
    written("00009-x.gz.metadata.json", gzip.compress(bytes(64 << 20), 1))(project.root / "people")
    monkeypatch.setattr(snapshot, "MEMORY", 64 << 20)
    assert "has metadata that needs more than 4 GB of memory → let its owner expire" in refused(project)


def test_a_request_to_stop_ends_the_process(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    append(create(project.root / "people"), id=["a"], region=["fr"], n=[1])

    def stop() -> None:
        raise CancelledError("stopped")

    monkeypatch.setattr(snapshot, "READER", "timeit")  # works for seconds
    with pytest.raises(CancelledError):
        IcebergTables(LocalFolder(project.root), stop).current(project.audience.source, ())
