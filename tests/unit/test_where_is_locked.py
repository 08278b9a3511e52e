"""`where` is one expression over a row: it reads no file, calls nothing, and says no value in an error."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from reconciler.core.errors import Finding
from reconciler.core.model import Audience, IdentifierType, Place, Source
from reconciler.members import where
from reconciler.members.check import check_all
from reconciler.members.database import connect

pytestmark = pytest.mark.promise("private")

TODAY = date(2026, 11, 24)
PLACE = Place("environments/sandbox/audiences/a.yaml", 7, 10)
COLUMNS = {one.casefold(): one for one in ("last_order", "city", "Amount", "email")}


@pytest.fixture(scope="module")
def cursor():
    with duckdb.connect(":memory:") as connection:
        yield connection


def parsed(cursor, text):
    return where.parse(cursor, text, COLUMNS, TODAY, PLACE)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("last_order < :today - interval 90 day", ["last_order"]),
        ("last_order::date < :today::timestamp -- lapsed", ["last_order"]),
        ("AMOUNT > 5 and city in ('Köln', ':today') or not email is null", ["AMOUNT", "city", "email"]),
        ("case when amount between 1 and 2 then true else city like 'x%' escape '!' end", ["amount", "city"]),
        ("date_diff('day', last_order, :today) > 90 /* days */", ["last_order"]),
        ("md5(email) < '8'", ["email"]),
        ("extract(year from last_order) = 2026", ["last_order"]),
        ("try_cast(amount as integer) % 2 = 0", ["amount"]),
        ("\"city\" = 'it''s'", ["city"]),
    ],
)
def test_an_expression_over_the_columns_is_taken(cursor, text, columns):
    condition = parsed(cursor, text)
    assert isinstance(condition, where.Condition)
    assert list(condition.columns) == columns


def test_today_is_the_date_of_the_run_and_only_where_it_is_meant(cursor):
    condition = parsed(cursor, "last_order < :today and city = ':today' and last_order::date < :today")
    assert (
        condition.sql
        == "(last_order < DATE '2026-11-24' and city = ':today' and last_order::date < DATE '2026-11-24'\n)"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("email in (select email from read_csv('/etc/passwd'))", "sub-query"),
        ("exists (from read_text('/etc/passwd'))", "sub-query"),
        ("(with x as (select 1) select true)", "sub-query"),
        ("city = any(['a'])", "sub-query"),
        ("read_text('/etc/passwd') is not null", "calls read_text"),
        ("getenv('HOME') = 'x'", "calls getenv"),
        ("current_setting('home_directory') = 'x'", "calls current_setting"),
        ("getvariable('x') = 1", "calls getvariable"),
        ("query('select 1')", "calls query"),
        ("main.lower(city) = 'x'", "calls lower"),
        ("error('x')", "calls error"),
        ("sum(amount) > 1", "calls sum"),
        ("count(*) > 1", "calls count_star"),
        ("unnest([true])", "calls unnest"),
        ("row_number() over () < 5", "other rows"),
        ("last_order < now()", "uses now"),
        ("last_order < current_date", "current_date"),
        ("random() < 0.5", "random"),
        ("true; drop table source", "not one SQL expression"),
        ("true) ; select (true", "not one SQL expression"),
        ("true) union select (true", "not one SQL expression"),
        ("true) from other where (true", "not one SQL expression"),
        ("true) as wanted, (true", "not one SQL expression"),
        ("true), (true", "not one SQL expression"),
        ("true) order by (1", "not one SQL expression"),
        ("true) limit (1", "not one SQL expression"),
        ("true) -- ", "not one SQL expression"),
        ("true /* ", "not one SQL expression"),
        ("true) as wanted from source --", "not one SQL expression"),
        ("'open", "not one SQL expression"),
        ("select true", "sub-query"),
        ("last_order <", "not one SQL expression"),
        ("$$x$$ = city", "a character"),
        ("*", "something else"),
        ("columns(*) = 1", "something else"),
        ("#1 = 1", "something else"),
        ("$1", "something else"),
        ("? = city", "something else"),
        ("grouping(city) = 1", "something else"),
        ("list_transform([1], x -> x) = [1]", "something else"),
        ("source is not null", "isn't there"),
        ("city.name = 'x'", "with a dot"),
        ("lastorder < :today", "isn't there"),
    ],
)
def test_anything_else_is_one_clear_finding(cursor, text, problem):
    finding = parsed(cursor, text)
    assert isinstance(finding, Finding)
    assert problem in finding.problem
    assert finding.where == str(PLACE)
    assert finding.remedy


@pytest.mark.parametrize(
    "text",
    [
        'email = "jane@example.com"',
        "email = 'jane@example.com' and 'jane@example.com'(1)",
        "email = 'jane@example.com' limit 1",
        "jane@example.com",
    ],
)
def test_no_value_of_it_is_repeated(cursor, text):
    finding = parsed(cursor, text)
    assert isinstance(finding, Finding)
    assert "jane" not in str(finding)


def test_a_misspelt_column_or_function_gets_a_suggestion(cursor):
    assert parsed(cursor, "last_ordr < :today").remedy == "did you mean last_order?"
    assert parsed(cursor, "lowr(city) = 'x'").remedy == "did you mean lower?"


def checked(folder: Path, text: str) -> list[str]:
    audience = Audience(
        "a",
        "A",
        "",
        Source(("*.csv",), text, place=PLACE, where_place=PLACE),
        ((IdentifierType.EMAIL, "email"),),
    )
    return [str(finding) for finding in check_all((audience,), str(folder), TODAY, folder)]


@pytest.fixture
def people(tmp_path: Path) -> Path:
    (tmp_path / "people.csv").write_text(
        "email,last_order,amount,zip\njane@example.com,2026-01-31,7.5,01234\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    "text", ["last_order < :today", "amount > 7", "zip = '01234'", "amount is not null", ""]
)
def test_an_expression_that_suits_its_columns_passes(people, text):
    assert checked(people, text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("last_order > 5", "doesn't suit its columns: last_order is date"),
        ("email + 1 > 2", "doesn't suit its columns: email is text"),
        ("amount", "gives double, not yes or no"),
        ("lower(email)", "gives varchar, not yes or no"),
        ("zip < :today", "doesn't suit its columns: zip is text"),
    ],
)
def test_an_expression_of_the_wrong_type_names_the_types(people, text, said):
    [finding] = checked(people, text)
    assert finding.startswith(f"{PLACE}: ")
    assert said in finding
    assert "jane" not in finding


def test_the_database_itself_is_locked(tmp_path):
    """A second wall: were an expression to slip through, it would find no file and no switch."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "in.csv").write_text("a\n1\n")
    (tmp_path / "out.csv").write_text("a\n1\n")
    (root / "link.csv").symlink_to(tmp_path / "out.csv")
    with connect((root,), tmp_path / "spill") as database, database.cursor() as cursor:
        assert cursor.execute(f"SELECT count(*) FROM read_csv('{root}/in.csv') AS s").fetchone() == (1,)
        for forbidden in (
            "FROM read_text('/etc/hostname')",
            f"FROM read_csv('{tmp_path}/out.csv')",
            f"FROM read_csv('{root}/../out.csv')",
            f"FROM read_csv('{root}/link.csv')",
            "FROM read_csv('https://example.com/x.csv')",
            f"COPY (SELECT 1) TO '{tmp_path}/new.csv'",
            f"ATTACH '{tmp_path}/new.db'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET enable_external_access = true",
            "SET memory_limit = '2GB'",
            "SELECT getenv('HOME')",
        ):
            with pytest.raises(duckdb.Error):
                cursor.execute(forbidden)
