"""`where` is one expression over a row: it reads no file, calls nothing, and shows no value in an error."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from reconciler.core.errors import Finding
from reconciler.core.model import Audience, IdentifierType, Source, SourceLocation
from reconciler.members import expression
from reconciler.members import where_clause as where
from reconciler.members.database import connect
from reconciler.members.source_check import check_all
from reconciler.members.time_limit import OverdueError, time_limit

pytestmark = pytest.mark.promise("private")

TODAY = date(2026, 11, 24)
PLACE = SourceLocation("environments/sandbox/audiences/a.yaml", 7, 10)
REFERENCE = "\\1"
COLUMNS = {one.casefold(): one for one in ("last_order", "city", "Amount", "email")}


@pytest.fixture(scope="module")
def cursor():
    with duckdb.connect(":memory:") as connection:
        yield connection


def parsed(cursor, text):
    return where.parse(cursor, Source((), text, where_place=PLACE), COLUMNS, TODAY)


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
    assert isinstance(condition, where.WhereClause)
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
        ("$1", "a parameter"),
        ("? = city", "a parameter"),
        ("city = :name", "a parameter"),
        ("grouping(city) = 1", "something else"),
        ("list_transform([1], x -> x) = [1]", "calls list_transform"),
        ("[x for x in [1]] = [1]", "calls list_"),
        ("replace(city, new := 'a', old := 'b', text := 'c') = 'x'", "names an argument"),
        ("city::INTEGER[100000] is null", "converts to a type"),
        ("'1'::BIT(5) is null", "converts to a type"),
        ("city::main.mine = 'x'", "converts to a type"),
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


@pytest.mark.parametrize(
    "text",
    [
        "length(lpad('x', 2000000000, 'y')) > 1",
        "length(lpad(city, 2000000000, 'y')) > 1",
        "lpad(city, amount, 'y') = 'x'",
        "lpad(city, 1000 * 1000, 'y') = 'x'",
        "lpad(city, '2000000000', 'y') = 'x'",
        "lpad(city, 2e9, 'y') = 'x'",
        "lpad(city, -5, 'y') = 'x'",
        " or ".join(["lpad(city, 1000, 'y') = 'x'"] * 50),
        "replace(city, 'a', email) = 'x'",
        "replace(replace(replace(city, 'a', 'aaaaaaaaaa'), 'a', 'aaaaaaaaaa'), 'a', 'aaaaaaaaaaa') = 'x'",
        "regexp_replace(city, '', city || 'x', 'g') = 'x'",
        f"regexp_replace(city, '', '{'x' * 1000}', 'g') = 'x'",
        f"regexp_replace(city, '(.*)', '{REFERENCE * 1000}') = 'x'",
        f"strftime(last_order, '{'%c' * 5000}') = 'x'",
        f"{' || '.join(['city'] * 60)} = 'x' or {' || '.join(['city'] * 60)} = 'y'",
        f"concat_ws({', '.join(['city'] * 600)}) = 'x'",
        "json_extract(city, [" + "'$', " * 2_000 + "'$']) is null",
        "json_extract(city, email) is null",
        "len(json_extract(city, '$..*')) > 1",
        "json_extract_string(city, '$..a')[1] = 'x'",
        "city ->> ['$', '$'] = ['x']",
        'json_type(city, \'["$", "$"]\'::varchar[]) is null',
        "regexp_extract(city, '.*', [" + ", ".join(f"'group {i}'" for i in range(1_001)) + "]) is null",
        "regexp_extract(city, '(a)(b)', '[a, b]'::varchar[]) is null",
    ],
)
def test_texts_of_unknown_or_enormous_length_are_refused(cursor, text):
    """DuckDB would take gigabytes for them, whatever its memory limit, even before it reads a row."""
    finding = parsed(cursor, text)
    assert isinstance(finding, Finding)
    assert (
        "pads to" in finding.problem
        or "replaces by" in finding.problem
        or "may make texts" in finding.problem
        or "one fixed path" in finding.problem
        or "fixed groups" in finding.problem
    )
    assert finding.remedy


@pytest.mark.parametrize(
    "text",
    [
        "lpad(city, 1000, '0') = 'x'",
        "regexp_replace(city, '[^0-9]', '', 'g') = '1'",
        "regexp_replace(email, '(.*)@(.*)', '\\2') = 'x.com'",
        "replace(replace(replace(replace(lower(city), 'ä', 'ae'), 'ö', 'oe'), 'ü', 'ue'), 'ß', 'ss') = 'x'",
        "strftime(last_order, '%Y-%m') = '2026-11'",
        "concat_ws(' ', city, email, city) = 'x'",
        "city in (" + ", ".join(f"'code {i}'" for i in range(3_000)) + ")",
        " or ".join(f"lower(city) = 'code {i}'" for i in range(500)),
        " and ".join(["date_diff('day', last_order, :today) > 90"] * 300),
        "case when amount > 1 then lower(city) else upper(email) end = 'x'",
        "json_extract_string(city, '$.a[0].b') = 'x' or json_exists(city, 'a') or city ->> '$.a' = 'x'",
        "len(json_extract(city, '$.items[*].sku')) > 1 and json_type(city) = 'ARRAY'",
        "regexp_extract(city, '([a-z]+)-([0-9]+)', 2) = '1' or regexp_extract(city, '[a-z]+') = 'x'",
        "regexp_extract(city, '([a-z]+)-([0-9]+)', ['a', 'b']).a = 'x'",
        "regexp_extract(city, 'A', 0, 'i') = 'x' or json_extract(city, 0) is null",
        "replace(city, 'a') = 'x' or lpad(city, 5) = 'x' or regexp_replace(city, 'a') = 'x'",
        "cast(amount as decimal(9, 2)) > 1 and city::varchar[] = ['x'] and try_cast(amount as bigint) > 0",
    ],
)
def test_texts_as_people_make_them_are_taken(cursor, text):
    assert isinstance(parsed(cursor, text), where.WhereClause)


@pytest.mark.parametrize(
    "text",
    [
        "case when city = 'x' then " * 500 + "true" + " end" * 500,
        "case when city = 'x' then " * 3_000 + "true" + " end" * 3_000,
        "lower(" * 101 + "city" + ")" * 101 + " = 'x'",
        " || ".join(["city"] * 2_000) + " = 'x'",
        "not " * 3_000 + "true",
    ],
)
def test_an_expression_that_is_nested_too_deeply_is_one_clear_finding(cursor, text):
    finding = parsed(cursor, text)
    assert isinstance(finding, Finding)
    assert "levels deep" in finding.problem or "not one SQL expression" in finding.problem


def test_a_long_expression_is_refused_before_it_is_read(cursor):
    finding = parsed(cursor, "city in (" + "'x', " * 20_000 + "'x')")
    assert isinstance(finding, Finding)
    assert "more than 100,000 characters" in finding.problem


def test_a_query_without_an_end_is_ended(cursor):
    with pytest.raises(OverdueError), time_limit(cursor, 0.1):
        cursor.execute(
            "SELECT count(*) FROM range(1000000000000000) AS r(i) WHERE md5(i::VARCHAR) = ''"
        ).fetchall()
    assert cursor.execute("SELECT 1").fetchone() == (1,)


def test_a_query_that_others_interrupt_is_not_overdue(cursor):
    """They say themselves why."""
    with pytest.raises(duckdb.InterruptException), time_limit(cursor, 3_600):
        raise duckdb.InterruptException


def audience(name: str, text: str) -> Audience:
    source = Source(("*.csv",), text, place=PLACE, where_place=PLACE)
    return Audience(name, "A", "", source, ((IdentifierType.EMAIL, "email"),))


def checked(folder: Path, text: str) -> list[str]:
    return [str(finding) for finding in check_all((audience("a", text),), str(folder), TODAY, folder)]


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


MIXED = (
    "last_order < :today",
    "last_order > 5",
    "amount > 7",
    "amount",
    "amount >",
    "amount > 7",
    "nosuch = 1",
    "getenv('HOME') = 'x'",
    "$$x$$ = city",
    "'open",
    "zip = '01234' -- a comment",
    "zip = 'last' and last_order < :today",
    "",
)


def test_many_conditions_are_checked_together_as_each_by_itself(people):
    together = [audience(f"a{number}", text) for number, text in enumerate(MIXED)]
    alone = list(dict.fromkeys(finding for text in MIXED for finding in checked(people, text)))
    assert len(alone) == 6  # two are not an expression in the same way at the same place
    assert [str(finding) for finding in check_all(together, str(people), TODAY, people)] == alone


def test_many_conditions_that_suit_one_file_take_one_query_to_parse_and_one_to_compare(people, monkeypatch):
    def by_itself(*_):
        raise AssertionError

    monkeypatch.setattr(expression, "tree", by_itself)
    monkeypatch.setattr(where, "fit", by_itself)
    together = [audience(f"a{number}", f"amount > {number}") for number in range(300)]
    assert check_all(together, str(people), TODAY, people) == ()


def test_many_conditions_without_their_data_are_parsed_as_each_by_itself(cursor):
    sources = [audience("a", text).source for text in MIXED]
    trees = where.parsed(cursor, sources, TODAY)
    for one in sources:
        assert where.parse(cursor, one, COLUMNS, TODAY, trees) == where.parse(cursor, one, COLUMNS, TODAY)


def test_many_conditions_are_parsed_in_portions(cursor, monkeypatch):
    monkeypatch.setattr(expression, "PORTION", 30)
    texts = ["city = 'x'", "amount > 1", "amount > 2", "city", "length(city) < 1 or amount > 7 or amount < 3"]
    found = expression.trees(cursor, texts)
    assert {text: expression.tree(cursor, text) for text in texts} == found


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
