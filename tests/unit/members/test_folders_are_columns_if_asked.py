"""Folders are columns where a manifest asks for it, and files that `where` excludes by them are not read."""

import os
from dataclasses import replace
from itertools import product
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import source_project
from support.source_project import CUSTOMER, TODAY, Project, look

from reconciler.core.members import AudienceRequest, FileCounts
from reconciler.core.model import Audience, Hashing, Partition, PartitionType
from reconciler.members import pruning
from reconciler.members.database import literal

pytestmark = pytest.mark.promise("members")

KIND = (CUSTOMER, Hashing.NONE)
DATE, TEXT, INTEGER = PartitionType.DATE, PartitionType.TEXT, PartitionType.INTEGER
DT, REGION = Partition("dt", DATE), Partition("region", TEXT)
DAYS, REGIONS = ("2026-11-01", "2026-11-20", "2026-11-24"), ("fr", "de", "__HIVE_DEFAULT_PARTITION__")
PATTERN = "orders/dt=*/region=*/*.parquet"
DAMAGED = b"PAR1 this is no file PAR1"


def written(project: Project, folder: str, people: str, column: str = "id") -> Path:
    """Write one row for each letter."""
    file = project.root / folder / "people.parquet"
    file.parent.mkdir(parents=True)
    rows = " UNION ALL ".join(
        f"SELECT '{one}' AS {column}, {number} AS n" for number, one in enumerate(people)
    )
    duckdb.execute(f"COPY ({rows}) TO {literal(str(file))} (FORMAT parquet)")
    return file


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Nine files of two rows: a1, a2 of the first day and region, to i1, i2."""
    made = source_project.make(tmp_path).reads(PATTERN, columns={CUSTOMER: "id"})
    for letter, (day, region) in zip("abcdefghi", product(DAYS, REGIONS), strict=True):
        written(made, f"orders/dt={day}/region={region}", letter)
    return made.partitions(DT, REGION)


def read(project: Project) -> tuple[frozenset[str], int, int]:
    """Return the members, and how many files were read and left out."""
    [(members, target)] = project.build(KIND)
    return members, target.files.read, target.files.left_out


@pytest.mark.parametrize(
    ("where", "members", "files"),
    [
        ("", "abcdefghi", 9),
        ("dt >= :today - interval 7 day", "defghi", 6),
        ("dt = :today AND region = 'fr'", "g", 1),
        ("region IS NULL", "cfi", 3),
        ("region IN ('fr', 'de') AND n = 0", "abdegh", 6),
        ("region = 'fr' OR n = 0", "abcdefghi", 9),
        ("NOT (region = 'fr' OR dt < DATE '2026-11-10')", "eh", 2),
        ("dt BETWEEN '2026-11-02' AND '2026-11-23' AND region LIKE 'd%' AND id <> 'x'", "e", 1),
        ("date_part('month', dt) = 11 AND upper(region) = 'DE'", "beh", 3),
        ("CASE WHEN region = 'fr' THEN dt < :today ELSE false END", "ad", 2),
    ],
)
def test_only_files_that_where_may_keep_are_read(
    project: Project, where: str, members: str, files: int
) -> None:
    project.reads(PATTERN, where=where)
    assert read(project) == (frozenset(members), files, 9 - files)


def test_a_damaged_file_in_a_partition_that_where_excludes_is_not_noticed(project: Project) -> None:
    (project.root / "orders/dt=2026-11-01/region=fr/people.parquet").write_bytes(DAMAGED)
    project.reads(PATTERN, where="dt > DATE '2026-11-10'")
    assert project.problems() == []
    assert read(project) == (frozenset("defghi"), 6, 3)
    project.reads(PATTERN, where="dt > DATE '2026-11-10' OR n = 0")
    [problem] = project.problems()
    assert "orders/dt=2026-11-01/region=fr/people.parquet" in problem


def test_where_that_excludes_every_file_gives_an_empty_audience(project: Project) -> None:
    project.reads(PATTERN, where="dt > DATE '2027-01-01'")
    members, files, left_out = read(project)
    assert (members, files, left_out) == (frozenset(), 1, 8)


@pytest.mark.parametrize(
    "where", ["dt = 1", "dt", "region > 5 AND cast(region AS integer) = 1", "nothing = 'x'"]
)
def test_a_where_that_suits_no_column_is_refused_as_without_partitions(project: Project, where: str) -> None:
    project.reads(PATTERN, where=where)
    assert project.problems() or project.refusal()


def test_a_folder_that_no_key_names_is_no_column(project: Project) -> None:
    project.partitions(REGION).reads(PATTERN, where="dt = DATE '2026-11-24'")
    assert "names a column that isn't there" in project.problems()[0]


def test_a_folder_of_the_name_of_a_column_is_refused(project: Project) -> None:
    written(project, "shadow/dt=2026-11-24/DT=x", "z", column="dt")
    project.partitions(DT).reads("shadow/*/*/*.parquet", columns={CUSTOMER: "n"})
    [problem] = project.problems()
    assert "shadow/dt=2026-11-24/DT=x/people.parquet has a column `dt` as well as a folder `dt=…`" in problem
    assert "remove it from `partitions`, or from the files" in problem


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        ("odd/region=fr", "is in no folder `dt=…`"),
        ("odd/DT=2026-11-24/region=fr", "is in no folder `dt=…`"),
        ("odd/dt=2026-11-24/dt=2026-11-25/region=fr", "is in 2 folders `dt=…`"),
        ("odd/dt=yesterday/region=fr", "value is not of type date"),
        ("odd/dt=20261124/region=fr", "value is not of type date"),
        ("odd/dt=2026-11-31/region=fr", "value is not of type date"),
    ],
)
def test_a_path_without_one_sound_value_is_refused(project: Project, folder: str, problem: str) -> None:
    written(project, folder, "z")
    project.reads("odd/**/*.parquet")
    [found] = project.problems()
    assert found.startswith("audiences/a.yaml:5:3: odd/")
    assert problem in found


@pytest.mark.parametrize(
    ("stated", "type_", "where"),
    [
        ("a%2Fb%20c%3D%C3%A9", TEXT, "p = 'a/b c=é'"),
        ("it's", TEXT, "p = 'it''s'"),
        ("-7", INTEGER, "p = -7"),
        ("007", INTEGER, "p = 7"),
        ("007", TEXT, "p = '007'"),
        ("2026-11-24", DATE, "p = :today"),
        ("__HIVE_DEFAULT_PARTITION__", INTEGER, "p IS NULL"),
    ],
)
def test_values_are_of_their_type_and_unescaped(
    tmp_path: Path, stated: str, type_: PartitionType, where: str
) -> None:
    made = source_project.make(tmp_path).partitions(Partition("p", type_))
    written(made, f"in/p={stated}", "a")
    made.reads("in/*/*.parquet", where=where, columns={CUSTOMER: "id"})
    assert read(made) == (frozenset("a"), 1, 0)


@pytest.mark.parametrize("stated", ["1.0", "1e3", "٣", "+1", "--1", "", "9" * 19])
def test_a_value_that_is_no_integer_is_refused(tmp_path: Path, stated: str) -> None:
    made = source_project.make(tmp_path).partitions(Partition("p", INTEGER))
    written(made, f"in/p={stated}", "a")
    made.reads("in/*/*.parquet", columns={CUSTOMER: "id"})
    assert "value is not of type integer" in made.problems()[0]


@pytest.mark.parametrize("column", ["number", "shared", "source", "k0", "bad", "select", "one", "n"])
def test_a_folder_may_have_any_name_that_no_column_has(tmp_path: Path, column: str) -> None:
    made = source_project.make(tmp_path).partitions(Partition(column, INTEGER))
    for letter, value in {"a": 0, "b": 1, "c": 7}.items():
        file = written(made, f"in/{column}={value}", letter)
        duckdb.execute(f"COPY (SELECT id FROM '{file}') TO '{file}' (FORMAT parquet)")
    made.reads("in/*/*.parquet", where=f'"{column}" IN (1, 2)', columns={CUSTOMER: "id"})
    assert read(made) == (frozenset("b"), 1, 2)
    made.reads("in/*/*.parquet", where=f'"{column}" + 0 * length(id) = 7', columns={CUSTOMER: "id"})
    assert read(made) == (frozenset("c"), 3, 0)


def test_other_formats_than_parquet_are_refused(tmp_path: Path) -> None:
    made = source_project.make(tmp_path).partitions(DT)
    made.write("in/dt=2026-11-24/people.csv", "id\na\n")
    made.reads("in/*/*.csv", columns={CUSTOMER: "id"})
    assert "`partitions` needs Parquet files, and these are csv" in made.problems()[0]


def test_a_column_that_would_hide_the_position_of_a_file_is_refused(tmp_path: Path) -> None:
    made = source_project.make(tmp_path).partitions(DT)
    written(made, "in/dt=2026-11-24", "a", column="File_Index")
    made.reads("in/*/*.parquet", columns={CUSTOMER: "n"})
    assert "has a column `file_index`" in made.problems()[0]


def test_folders_above_the_data_root_state_no_value(tmp_path: Path) -> None:
    (tmp_path / "dt=1999-01-01").mkdir()
    made = source_project.make(tmp_path / "dt=1999-01-01").partitions(DT)
    written(made, "in/dt=2026-11-24", "a")
    made.reads("in/*/*.parquet", where="dt = :today", columns={CUSTOMER: "id"})
    assert made.ids() == {"a"}


def test_files_with_other_columns_keep_their_values(tmp_path: Path) -> None:
    """They are read by several calls, and each call counts its files for itself."""
    made = source_project.make(tmp_path).partitions(REGION).reads("in/*/*.parquet", columns={CUSTOMER: "id"})
    for letter in "abcdef":
        file = written(made, f"in/region={letter}", letter)
        if letter in "bde":
            duckdb.execute(f"COPY (SELECT 1 AS more, id FROM '{file}') TO '{file}' (FORMAT parquet)")
    for letter in "abcdef":
        made.reads("in/*/*.parquet", where=f"region || '' = '{letter}'")
        assert read(made) == (frozenset(letter), 1, 5)
    made.reads("in/*/*.parquet", where="region = id")
    assert read(made) == (frozenset("abcdef"), 6, 0)


def test_audiences_over_the_same_files_may_name_other_folders(project: Project) -> None:
    """Each reads the files that it needs, with the types that it states."""

    def audience(name: str, where: str, *declared: Partition) -> Audience:
        source = replace(project.audience.source, where=where, partitions=declared)
        return replace(project.audience, name=name, source=source)

    asked = {
        audience("day", "dt = :today", DT, REGION): ("ghi", FileCounts(3, 6)),
        audience("region", "region = 'fr' OR n = 0", DT, REGION): ("abcdefghi", FileCounts(9, 0)),
        audience("text", "dt > '2026-11-1'", replace(DT, type=TEXT)): ("defghi", FileCounts(6, 3)),
        audience("none", "id = 'a'"): ("a", FileCounts(9, 0)),
        audience("later", "dt >= DATE '2026-11-20' AND n < 5", DT): ("defghi", FileCounts(6, 3)),
    }
    with project.engine() as engine:
        built = engine.build([AudienceRequest(one, (KIND,)) for one in asked], TODAY, lambda _: None)
        for one, (members, files) in asked.items():
            target = built[one.name][KIND]
            assert (look(engine, target.members), target.files) == (frozenset(members), files)


def test_some_files_of_a_table_keep_their_values(project: Project) -> None:
    """A cluster reads a table in shares."""
    with project.engine() as engine, engine._stoppable() as cursor:
        table = engine._sources.table(cursor, project.audience.source, (), TODAY)
        [part] = table.parts
        share = replace(table, parts=(part.of((part.files[7], part.files[2])),))
        rows = cursor.execute(
            f"SELECT id, dt, region FROM {share.relation(['id', 'dt', 'region'])}"
        ).fetchall()
    found = {(one, f"{day}", region) for one, day, region in rows}
    assert len(found) == 2
    assert all(found_in(project, one)[:2] == (day, region) for one, day, region in found)


def found_in(project: Project, letter: str) -> tuple[str, str | None, Path]:
    """Return day and region of the folder that has a person."""
    for file in project.root.glob(PATTERN):
        if duckdb.execute(f"SELECT id FROM {literal(str(file))}").fetchall() == [(letter,)]:
            day, region = (folder.partition("=")[2] for folder in file.parts[-3:-1])
            return day, None if region == REGIONS[-1] else region, file
    raise AssertionError(letter)


TERMS = (
    "dt > DATE '2026-11-10'", "dt IS NULL", "region = 'fr'", "region IN ('de', 'es')", "region LIKE 'e%'",
    "k % 2 = 0", "k BETWEEN 2 AND 5", "n = 1", "n > k", "region < 'e' || k", "true", "dt = :today",
    "region < id", "coalesce(region, 'fr') = 'fr'", "k / (k - 3) > 0", "try_cast(region AS integer) IS NULL",
)  # fmt: skip
NAMES = ("dt", "region", "k")
JOINED = (
    "({one}) AND ({other})", "({one}) OR ({other})", "NOT ({one}) AND ({other})",
    "({one}) IS DISTINCT FROM ({other})", "(({one}) OR ({other})) IS NOT TRUE",
    "({one}) AND NOT (({other}) IS NULL)",
)  # fmt: skip


@st.composite
def conditions(draw: st.DrawFn) -> str:
    """Draw terms, joined two by two in a random order."""
    terms = draw(st.lists(st.sampled_from(TERMS), min_size=1, max_size=5))
    while len(terms) > 1:
        one, other = terms.pop(0), terms.pop(0)
        joined = draw(st.sampled_from(JOINED)).format(one=one, other=other)
        terms.insert(draw(st.integers(0, len(terms))), joined)
    return terms[0]


@given(conditions())
@settings(deadline=None, max_examples=int(os.environ.get("PRUNING", "40")))
def test_no_kept_row_is_in_a_file_that_is_left_out(where: str) -> None:
    cursor = duckdb.connect()
    days, regions = (
        ("DATE '2026-11-01'", f"DATE '{TODAY}'", "NULL::DATE"),
        ("'fr'", "'de'", "'es'", "NULL::VARCHAR"),
    )
    values = [(*one, f"{number % 7}::BIGINT") for number, one in enumerate(product(days, regions))]
    dated = where.replace(":today", f"DATE '{TODAY}'")
    kept = pruning.kept(cursor, dated, NAMES, values)
    for one in values:
        shared = ", ".join(f"{value} AS {name}" for value, name in zip(one, NAMES, strict=True))
        row = f"SELECT {shared}, n, id FROM (VALUES (1, 'a'), (9, 'z')) r(n, id)"
        [[found]] = cursor.execute(f"SELECT coalesce(bool_or({dated}), false) FROM ({row})").fetchall()
        assert one in kept or not found
