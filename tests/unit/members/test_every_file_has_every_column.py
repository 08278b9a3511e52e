"""Each file of a pattern has each requested column; a file without it would let excluded members through."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.source_project import CUSTOMER, EMAIL, LIST_PLACE, PLACE, Project, make

from reconciler.core.model import SourceLocation

pytestmark = pytest.mark.promise("undamaged")

WHERE = SourceLocation("audiences/a.yaml", 6, 10)
FORMATS = ("csv", "tsv", "jsonl", "json", "parquet")
Rows = Sequence[Mapping[str, object]]


def write(project: Project, name: str, rows: Rows) -> None:
    """All rows have the keys of the first, but in JSON."""
    kind, keys = name.rpartition(".")[2], list(rows[0])
    if kind == "parquet":
        pq.write_table(
            pa.Table.from_pylist(list(rows), pa.schema([(key, pa.string()) for key in keys])),
            project.root / name,
        )
    elif kind == "json":
        project.write(name, json.dumps(list(rows)))
    elif kind == "jsonl":
        project.write(name, "".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        separator = {"csv": ",", "tsv": "\t"}[kind]
        lines = [separator.join(keys), *(separator.join(str(row[key]) for key in keys) for row in rows)]
        project.write(name, "\n".join(lines))


def person(number: int, column: str = "email") -> dict[str, object]:
    return {column: f"p{number}@example.com", "id": str(number)}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make(tmp_path)
    made.audience = replace(
        made.audience, source=replace(made.audience.source, where_place=WHERE), columns=((EMAIL, "email"),)
    )
    write(made, "good.csv", [person(one) for one in range(9)])
    return made


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("as_list", [False, True], ids=["source", "list"])
def test_a_file_that_lacks_a_column_is_named_with_the_column_and_the_place(project, kind, as_list):
    write(project, f"d1.{kind}", [person(1)])
    write(project, f"d2.{kind}", [person(2, "mail")])
    write(project, f"d3.{kind}", [person(3, "mail")])
    project.reads("good.csv" if as_list else f"d?.{kind}")
    if as_list:
        project.excludes(f"d?.{kind}")
    place = LIST_PLACE if as_list else PLACE
    said = f"{place}: there is no such column in d2.{kind} and 1 more: email → did you mean mail?"
    assert project.problems() == [said]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_column_that_only_where_names_is_asked_of_every_file(project, kind):
    write(project, f"d1.{kind}", [{**person(1), "city": "Nice"}])
    write(project, f"d2.{kind}", [{**person(2), "town": "Nice"}])
    [problem] = project.reads(f"d?.{kind}", where="city = 'Nice'").problems()
    assert problem.startswith(f"{WHERE}: there is no such column in d2.{kind}: city")


@pytest.mark.parametrize("kind", FORMATS)
def test_upper_and_lower_case_are_one(project, kind):
    write(project, f"d1.{kind}", [person(1)])
    write(project, f"d2.{kind}", [person(2, "Email")])
    write(project, f"d3.{kind}", [person(3, "EMAIL")])
    assert project.reads(f"d?.{kind}").emails() == {f"p{one}@example.com" for one in (1, 2, 3)}
    left = project.reads("good.csv").excludes(f"d?.{kind}").emails()
    assert left == {f"p{one}@example.com" for one in (0, 4, 5, 6, 7, 8)}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_column_that_is_there_twice_is_refused(project, kind):
    write(project, f"d1.{kind}", [person(1)])
    write(project, f"d2.{kind}", [{**person(2), "Email": "q@example.com"}])
    [problem] = project.reads(f"d?.{kind}").problems()
    assert f"{PLACE}: this column is there twice in d2.{kind}; upper and lower case are one" in problem


def test_two_spellings_in_the_rows_of_one_json_file_are_two_columns(project):
    """Far below what a reader would look at to guess columns."""
    rows = [*(person(one) for one in range(50_000)), person(50_001, "Email")]
    write(project, "a.jsonl", rows)
    [problem] = project.reads("good.csv").excludes("a.jsonl").problems()
    assert f"{LIST_PLACE}: this column is there twice in a.jsonl" in problem


def test_a_key_that_a_row_of_json_lacks_is_an_empty_value(project):
    write(project, "a.jsonl", [person(1), {"id": "2"}, {"id": "3", "email": None}])
    assert project.reads("a.jsonl").emails() == {"p1@example.com"}


def test_a_late_key_of_a_json_file_is_a_column(project):
    write(project, "a.jsonl", [*({"id": str(one)} for one in range(50_000)), person(7)])
    assert project.reads("a.jsonl").emails() == {"p7@example.com"}


def test_a_json_file_without_rows_has_no_column(project):
    write(project, "a.jsonl", [person(1)])
    project.write("b.jsonl", "")
    [problem] = project.reads("*.jsonl").problems()
    assert "there is no such column in b.jsonl: email" in problem


@pytest.mark.parametrize("row", ['"p1@example.com"', '["p1@example.com"]', "null", "7"])
def test_a_row_of_json_that_has_no_keys_is_refused(project, row):
    project.write("a.jsonl", f'{{"email": "p1@example.com"}}\n{row}\n')
    [problem] = project.reads("good.csv").excludes("a.jsonl").problems()
    assert f"{LIST_PLACE}: a.jsonl holds a row that is not an object" in problem
    assert "example.com" not in problem


def test_a_key_that_is_twice_in_a_row_of_json_is_refused(project):
    project.write("a.jsonl", '{"email": "p1@example.com", "email": "p2@example.com"}\n')
    assert (
        "a.jsonl, line 1: a key is there twice in one row"
        in project.reads("good.csv").excludes("a.jsonl").refusal()
    )


def test_values_where_keys_should_be_are_refused_and_never_shown(project):
    write(project, "a.jsonl", [{f"p{one}@example.com": True} for one in range(10_001)])
    [problem] = project.reads("a.jsonl").problems()
    assert "a.jsonl has rows with more than 10,000 different keys: are they values?" in problem
    assert "example.com" not in problem


def test_a_part_of_a_nested_column_is_no_column(project):
    nested = pa.array([{"email": "p1@example.com"}])
    pq.write_table(pa.table({"person": nested, "id": ["1"]}), project.root / "a.parquet")
    pq.write_table(pa.table({"email": ["p2@example.com"], "id": ["2"]}), project.root / "b.parquet")
    [problem] = project.reads("good.csv").excludes("?.parquet").problems()
    assert "there is no such column in a.parquet: email" in problem


def test_a_part_of_a_nested_column_says_nothing_of_a_column(project):
    """A number far down in one column is no rounded identifier in another."""
    nested = pa.array([{"email": 1.5, "more": [{"email": 2.5}]}])
    table = pa.table({"before": nested, "email": ["p1@example.com"], "after": nested})
    pq.write_table(table, project.root / "a.parquet")
    assert project.reads("a.parquet").emails() == {"p1@example.com"}


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.decimal128(12, 2), pa.date32(), pa.bool_()])
def test_the_type_of_an_identifier_is_asked_of_every_file(project, kind):
    """The types of all together may be text, of which one file's numbers have been rounded."""
    pq.write_table(pa.table({"id": ["1", "2"]}), project.root / "a.parquet")
    pq.write_table(pa.table({"id": pa.array([3], pa.int32()).cast(kind)}), project.root / "b.parquet")
    [problem] = project.reads("?.parquet", columns={CUSTOMER: "id"}).problems()
    assert problem.startswith(f"{PLACE}: the identifiers of this column are stored as ")
    assert " in b.parquet → store it as text" in problem


def test_text_in_one_file_and_whole_numbers_in_another_are_the_same_people(project):
    pq.write_table(pa.table({"id": ["1", "2"]}), project.root / "a.parquet")
    pq.write_table(pa.table({"id": pa.array([3], pa.int64())}), project.root / "b.parquet")
    assert project.reads("?.parquet", columns={CUSTOMER: "id"}).ids() == {"1", "2", "3"}


def test_a_header_that_no_reader_takes_is_reported(project):
    project.write("a.csv", "email," + "x" * 140_000 + "\np1@example.com,1\n")
    [problem] = project.reads("a.csv").problems()
    assert "a.csv has a column whose name is longer than 128 KiB" in problem


@pytest.mark.parametrize("column", ["bad", "k0", "n", "one", "stored", "source", "x0", "row"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_condition_may_name_a_column_of_any_name(tmp_path, kind, column):
    project = make(tmp_path)
    write(project, f"people.{kind}", [{**person(number), column: str(number)} for number in range(1, 6)])
    project.reads(f"people.{kind}", where=f"\"{column}\" IN ('4', '5')", columns={EMAIL: "email"})
    assert project.emails() == {str(person(number)["email"]) for number in (4, 5)}
