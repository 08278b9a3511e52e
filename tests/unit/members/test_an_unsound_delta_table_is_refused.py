"""A Delta table that can't be read as its log states is refused, with what to do, and without a value."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from deltalake import DeltaTable
from support import source_project
from support.delta_tables import Action, added_files, commit, map_columns, rewrite, write_table
from support.source_project import CUSTOMER, Project

from reconciler.core.errors import CancelledError, ConfigurationError
from reconciler.members.data_root import LocalFolder
from reconciler.members.delta_lake import version
from reconciler.members.delta_lake.tables import DeltaTables

pytestmark = pytest.mark.promise("members")

MARK = "marker-4711"
"""An identifier, which is in the statistics of the log too."""
DAMAGED = "has a log that can't be read: it is damaged, or was copied in part"
VECTOR = {"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "sizeInBytes": 40, "cardinality": 2}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A table of two versions, partitioned by `region`."""
    made = source_project.make(tmp_path).reads(columns={CUSTOMER: "id"}).delta("people")
    for name in (MARK, "other"):
        write_table(made.root / "people", {"id": [name], "region": ["fr"]}, ["region"])
    return made


def to(path: str) -> Callable[[Path], None]:
    """Let the first commit name a file of another path."""

    def change(action: Action) -> None:
        action.get("add", {}).update(path=path)

    return lambda table: rewrite(table, change)


def protocol(**stated: object) -> Callable[[Path], None]:
    return lambda table: rewrite(table, lambda one: one.get("protocol", {}).update(stated))


def features(*names: str) -> Callable[[Path], None]:
    stated = {"readerFeatures": [*names], "writerFeatures": [*names]}
    return protocol(minReaderVersion=3, minWriterVersion=7, **stated)


def with_deletion_vectors(table: Path) -> None:
    features("deletionVectors")(table)
    rewrite(table, lambda one: one.get("add", {}).update(deletionVector=VECTOR))


def partitioned_by_time(table: Path) -> None:
    """Let the log state another type of the partition."""

    def change(action: Action) -> None:
        if stated := action.get("metaData"):
            stated["schemaString"] = stated["schemaString"].replace(
                '"region","type":"string"', '"region","type":"timestamp"'
            )
        for one in ("add", "remove"):
            action.get(one, {}).get("partitionValues", {}).update(region="2026-01-01 00:00:00")

    for number in (0, 1):
        rewrite(table, change, number)


def checkpointed(table: Path, share: float) -> None:
    """Leave a part of a checkpoint, and no commit."""
    DeltaTable(table).create_checkpoint()
    for number in (0, 1):
        commit(table, number).unlink()
    [file] = table.glob("_delta_log/*.checkpoint.parquet")
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])


def cut(table: Path) -> None:
    text = commit(table, 1).read_text()
    commit(table, 1).write_text(text[: len(text) - 60])


def moved_out(table: Path) -> None:
    table.rename(table.parents[1] / "elsewhere")
    table.symlink_to(table.parents[1] / "elsewhere")


def log_moved_out(table: Path) -> None:
    (table / "_delta_log").rename(table.parents[1] / "log")
    (table / "_delta_log").symlink_to(table.parents[1] / "log")


def file_moved_out(table: Path) -> None:
    [file] = added_files(table)
    file.rename(table.parents[1] / file.name)
    file.symlink_to(table.parents[1] / file.name)


UNSOUND: dict[str, tuple[Callable[[Path], object], str]] = {
    "no table": (shutil.rmtree, "has no log: there is no version in `_delta_log`"),
    "no log": (lambda table: shutil.rmtree(table / "_delta_log"), "has no log"),
    "no first version": (lambda table: commit(table, 0).unlink(), "has no version 0 in its log"),
    "a gap": (lambda table: commit(table, 1).rename(commit(table, 2)), "has no version 1 in its log"),
    "an empty commit": (lambda table: commit(table, 1).write_text(""), DAMAGED),
    "a commit that breaks off": (cut, DAMAGED),
    "a commit that is no JSON": (lambda table: commit(table, 1).write_bytes(b"\xff\x00{{"), DAMAGED),
    "a commit of no object": (lambda table: commit(table, 1).write_text("[1]\n"), DAMAGED),
    "half of a checkpoint": (lambda table: checkpointed(table, 0.5), DAMAGED),
    "no metadata": (lambda table: rewrite(table, lambda one: one.pop("metaData", None)), DAMAGED),
    "a newer reader": (protocol(minReaderVersion=9, minWriterVersion=9), "needs features that can't be read"),
    "an unknown feature": (features("fancy"), "needs features that can't be read"),
    "commits in a catalog": (features("v2Checkpoint"), "needs features that can't be read: v2Checkpoint"),
    "deletion vectors": (with_deletion_vectors, "has deletion vectors"),
    "column mapping": (map_columns, "has column mapping"),
    "a partition of times": (partitioned_by_time, "a partition column of a type that can't be read: region"),
    "a path above": (to("../secret.parquet"), "names a file outside of it"),
    "an encoded path above": (to("%2e%2e/secret.parquet"), "names a file outside of it"),
    "an absolute path": (to("/etc/passwd"), "names a file outside of it"),
    "another store": (to("s3://bucket/x.parquet"), "names a file outside of it"),
    "an URL of a file": (to("file:///etc/passwd"), "names a file outside of it"),
    "a path with a NUL": (to("x%00.parquet"), "names a file outside of it"),
    "a file of another kind": (to("region=fr/people.csv"), "names a file that is not `.parquet`"),
    "a file of no kind": (to("people"), "names a file that is not `.parquet`"),
    "a table elsewhere": (moved_out, "leads out of the data root by a link"),
    "a log elsewhere": (log_moved_out, "leads out of the data root by a link"),
    "a file elsewhere": (file_moved_out, "leads out of the data root by a link"),
    "a missing file": (
        lambda table: added_files(table)[0].unlink(),
        "lacks a file of version 1: people/region=fr/part-",
    ),
    "no rows": (lambda table: DeltaTable(table).delete(), "has no rows: version 2 has no file"),
}


def refused(project: Project, table: str = "people", columns: Sequence[str] = ("id",)) -> str:
    lake = DeltaTables(LocalFolder(project.root), project.work / "logs", lambda: None)
    with pytest.raises(ConfigurationError) as found:
        lake.latest(table, columns, source_project.PLACE)
    [one] = found.value.findings
    assert found.value.__suppress_context__ or not found.value.__context__
    return f"{one.where}: {one.problem} → {one.remedy}"


@pytest.mark.parametrize("name", UNSOUND)
def test_a_table_that_is_not_as_its_log_says(project: Project, name: str) -> None:
    change, expected = UNSOUND[name]
    change(project.root / "people")
    problem = refused(project)
    assert problem.startswith("audiences/a.yaml:5:3: the Delta table people ")
    assert expected in problem
    assert MARK not in problem


@pytest.mark.parametrize("size", [-1, 10, 1 << 40])
def test_a_file_of_another_size_than_its_log_says(project: Project, size: int) -> None:
    rewrite(project.root / "people", lambda one: one.get("add", {}).update(size=size))
    [problem] = project.problems()
    assert "people/region=fr/part-" in problem
    assert "has another size than the log of its Delta table says → copy the whole table again" in problem


def test_each_problem_of_a_table_stops_its_audience(project: Project) -> None:
    commit(project.root / "people", 0).unlink()
    [problem] = project.problems()
    assert "the Delta table people has no version 0 in its log → copy the whole table again" in problem


def test_identifiers_are_not_read_from_partitions(project: Project) -> None:
    problem = refused(project, columns=("id", "Region"))
    assert "is partitioned by identifiers, which are never read from folders → name another column" in problem


def test_a_column_that_numbers_files_is_refused_beside_columns_of_the_log(project: Project) -> None:
    write_table(project.root / "other", {"id": ["c"], "file_index": [1]})
    assert project.delta("other").problems() == []
    write_table(project.root / "other", {"id": ["d"], "n": [1]}, schema_mode="merge")
    [problem] = project.problems()
    assert "has a column `file_index`, which a source with `delta` can't have" in problem


def test_without_its_extra_a_table_names_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "find_spec", lambda _: None)
    problem = refused(project)
    assert "needs a library that is not installed → pip install 'criteo-reconciler[delta]'" in problem


def test_a_working_folder_that_the_library_takes_for_another_is_refused(
    project: Project, tmp_path: Path
) -> None:
    project.work = tmp_path / "w%6Frk"
    project.work.mkdir()
    problem = refused(project)
    assert "the path of the working folder has a `%`" in problem


def test_a_table_may_be_in_a_folder_of_any_name(project: Project) -> None:
    """deltalake would take the first name for another folder."""
    lake = DeltaTables(LocalFolder(project.root), project.work / "logs", lambda: None)
    for name in ("100%41", "a b#c?", "é"):
        write_table(project.root / "plain", {"id": [name]})
        (project.root / "plain").rename(project.root / name)
        [file] = lake.latest(name, (), source_project.PLACE).sizes
        assert file.parent == project.root / name


def test_a_process_that_fails_or_prints_does_no_harm(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(version, "READER", "this")  # prints a poem
    assert DAMAGED in refused(project)
    monkeypatch.setattr(version, "READER", "no.such.module")
    assert DAMAGED in refused(project)
    assert capfd.readouterr() == ("", "")


def test_a_request_to_stop_ends_the_process(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise CancelledError("stopped")

    monkeypatch.setattr(version, "READER", "timeit")  # works for seconds
    lake = DeltaTables(LocalFolder(project.root), project.work / "logs", stop)
    with pytest.raises(CancelledError):
        lake.latest("people", (), source_project.PLACE)
    assert not [*(project.work / "logs").iterdir()]
