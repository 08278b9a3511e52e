"""A query of a database is one statement that reads, and its rows are members as those of files are."""

import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.databases import SQL_PLACE, Row, database, query, write_duckdb, write_sqlite
from support.full_disk import largest_file
from support.source_project import EMAIL, TODAY, Project, make, never

from reconciler.core.database import Dialect, Driver
from reconciler.core.errors import CancelledError, ConfigurationError, StorageError
from reconciler.core.members import AudienceRequest
from reconciler.core.model import Hashing
from reconciler.members.data_root import LocalFolder
from reconciler.members.engine import DuckDbEngine
from reconciler.members.queries import installed
from reconciler.members.queries.drivers import KINDS
from reconciler.members.queries.guard import guarded
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Limits
from reconciler.members.queries.sqlite import SqliteSession
from reconciler.members.source_check import check_all

SQL = "SELECT email, id FROM customers"
FILES = {Driver.SQLITE: ("crm.sqlite", write_sqlite), Driver.DUCKDB: ("crm.duckdb", write_duckdb)}
ROWS: list[Row] = [
    *((None, 10 + number, "2026-01-01") for number in range(1100)),  # more than a driver guesses types by
    ("Ann@Example.com", 1, "2026-01-01"),
    ("bo@example.com", 2, "2026-11-23"),
    ("no address, cleo.marker@example", 3, "2026-01-01"),
    ("bo@example.com", 2, "2026-11-24"),
]
FOREVER = (
    "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT max(i) AS email, 1 AS id FROM t"
)


drivers = pytest.mark.parametrize("driver", FILES, ids=str)


def crm(tmp_path: Path, driver: Driver, rows: list[Row], sql: str = SQL, freshness: str = "") -> Project:
    """Return a project whose audience is a query of a new database file."""
    file, write = FILES[driver]
    tmp_path.mkdir(exist_ok=True)
    project = make(tmp_path)
    write(project.root / file, rows)
    return project.queries(database(driver, file), query(sql, freshness))


@drivers
def test_today_is_the_run_date(tmp_path: Path, driver: Driver) -> None:
    sql = f"{SQL} WHERE last_order < :today; -- not ':today'"
    assert crm(tmp_path, driver, ROWS[-4:], sql).ids() == {"1", "2", "3"}
    later = crm(tmp_path / "later", driver, [("a@example.com", 4, TODAY.isoformat())], sql)
    assert later.ids() == frozenset()


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("", QueryProblem.EMPTY),
        ("-- nothing", QueryProblem.EMPTY),
        ("SELECT 1; SELECT 2", QueryProblem.SEVERAL),
        ("SELECT 'it", QueryProblem.UNPARSED),
        ("SELEC 1", QueryProblem.UNPARSED),
        ("UPDATE customers SET id = 1", QueryProblem.WRITES),
        ("INSERT INTO customers VALUES (1)", QueryProblem.WRITES),
        ("DELETE FROM customers", QueryProblem.WRITES),
        ("DROP TABLE customers", QueryProblem.WRITES),
        ("COPY customers TO 'x'", QueryProblem.WRITES),
        ("SELECT * INTO other FROM customers", QueryProblem.WRITES),
        ("SELECT * FROM customers FOR UPDATE", QueryProblem.WRITES),
        ("WITH gone AS (DELETE FROM customers RETURNING *) SELECT * FROM gone", QueryProblem.WRITES),
        ("EXPLAIN ANALYZE DELETE FROM customers", QueryProblem.WRITES),
        ("SET x = 1", QueryProblem.WRITES),
        ("VACUUM", QueryProblem.WRITES),
        ("SELECT pg_read_file('x')", QueryProblem.ACTS),
        ("SELECT a FROM b WHERE pg_catalog.set_config('a', 'b', true) = 'b'", QueryProblem.ACTS),
        ("SELECT :tomorrow", QueryProblem.PARAMETER),
        ("SELECT $1", QueryProblem.PARAMETER),
        ("SELECT :today, ?", QueryProblem.PARAMETER),
    ],
)
def test_a_statement_that_does_more_than_read_is_refused(sql: str, problem: QueryProblem) -> None:
    with pytest.raises(QueryError) as refused:
        guarded(sql, Driver.POSTGRESQL)
    assert refused.value.problem is problem


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT 1; SELECT 2", QueryProblem.SEVERAL),
        ("CALL take_all()", QueryProblem.WRITES),
        ("EXECUTE IMMEDIATE $$ DELETE FROM t $$", QueryProblem.WRITES),
        ("BEGIN DELETE FROM t; END", QueryProblem.UNPARSED),
        ("COPY INTO @stage/x FROM customers", QueryProblem.WRITES),
        ("MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", QueryProblem.WRITES),
        ("CREATE TABLE t AS SELECT 1", QueryProblem.WRITES),
        ("USE ROLE ACCOUNTADMIN", QueryProblem.WRITES),
        ("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 0", QueryProblem.WRITES),
        ("SELECT SYSTEM$CANCEL_ALL_QUERIES(1)", QueryProblem.ACTS),
        ("SELECT system$send_email('a', 'b')", QueryProblem.ACTS),
        ("SELECT $RECONCILER_TODAY", QueryProblem.PARAMETER),
        ("SELECT $1 FROM @stage/x", QueryProblem.PARAMETER),
        ("SELECT v:today FROM t", QueryProblem.PARAMETER),
    ],
)
def test_snowflake_is_asked_for_one_query(sql: str, problem: QueryProblem) -> None:
    with pytest.raises(QueryError) as refused:
        guarded(sql, Driver.SNOWFLAKE)
    assert refused.value.problem is problem


def test_a_statement_of_snowflake_names_its_tables() -> None:
    statement = guarded(
        "SELECT a:b::text FROM crm.public.customers // all\nWHERE d < :today", Driver.SNOWFLAKE
    )
    assert statement.tables == ("crm.public.customers",)
    assert statement.with_today("$T").endswith("d < $T")


@pytest.mark.parametrize(
    ("sql", "wrong"),
    [
        ("SELECT a\n FROM b WHER c d", "c d"),
        ("SELECT 'é'\n;\n SELECT 2", ";\n"),
        ("-- all\nDELETE FROM b", "DELETE"),
        ("SELECT a\nINTO c FROM b", "c FROM"),
        ("SELECT a,\n  pg_sleep(1) FROM b", "pg_sleep"),
        ("WITH a AS (\n DELETE FROM b RETURNING *) SELECT * FROM a", "b RET"),
    ],
)
def test_a_mistake_has_a_position(sql: str, wrong: str) -> None:
    with pytest.raises(QueryError) as refused:
        guarded(sql, Driver.POSTGRESQL)
    assert refused.value.index == sql.index(wrong)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT 1 /*! INTO OUTFILE 'x' */", QueryProblem.COMMENT),
        ("SELECT 1 /*M!100100 , 2 */", QueryProblem.COMMENT),
        ("SELECT 1 ; /*!50000 DROP TABLE x */", QueryProblem.COMMENT),
        ("SELECT /*+ SET_VAR(max_execution_time = 0) */ 1", QueryProblem.COMMENT),
        ("SELECT 1 INTO OUTFILE 'x'", QueryProblem.UNPARSED),
        ("SELECT 1 INTO @x", QueryProblem.WRITES),
        ("SELECT * FROM t LOCK IN SHARE MODE", QueryProblem.WRITES),
        ("SET STATEMENT max_statement_time = 0 FOR SELECT 1", QueryProblem.WRITES),
        ("CALL x()", QueryProblem.WRITES),
        ("WITH a AS (SELECT 1) DELETE FROM t", QueryProblem.WRITES),
        ("SELECT sleep(1)", QueryProblem.ACTS),
        ("SELECT load_file('x')", QueryProblem.ACTS),
        ("SELECT get_lock('a', 1)", QueryProblem.ACTS),
        ("SELECT @reconciler_today := 1", QueryProblem.PARAMETER),
        ("SELECT @@version", QueryProblem.PARAMETER),
    ],
)
def test_mysql_is_asked_for_nothing_that_its_comments_or_variables_do(
    sql: str, problem: QueryProblem
) -> None:
    with pytest.raises(QueryError) as refused:
        guarded(sql, Driver.MYSQL)
    assert refused.value.problem is problem


@pytest.mark.parametrize(
    ("dialect", "sql", "tables"),
    [
        (Dialect.ANSI, 'SELECT "a" FROM "b c"."d" WHERE x < CAST(:today AS DATE)', ('"b c"."d"',)),
        (Dialect.DREMIO, 'SELECT a FROM space.folder."t" LIMIT 1', ('space.folder."t"',)),
        (Dialect.DORIS, "SELECT a FROM `b`.`c` WHERE d < date_sub(:today, INTERVAL 90 DAY)", ("`b`.`c`",)),
        (Dialect.DUCKDB, "FROM t SELECT a WHERE b < :today - INTERVAL 90 DAY", ("t",)),
        (Dialect.POSTGRESQL, "SELECT a::text FROM t WHERE b ~ 'c'", ("t",)),
    ],
)
def test_flight_sql_is_read_in_the_dialect_of_the_connection(
    dialect: Dialect, sql: str, tables: tuple[str, ...]
) -> None:
    statement = guarded(sql, Driver.FLIGHTSQL, dialect)
    assert statement.tables == tables
    assert statement.with_today("?") == sql.replace(":today", "?")


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("DELETE FROM t", QueryProblem.WRITES),
        ("SELECT 1; SELECT 2", QueryProblem.SEVERAL),
        ("SELECT 1) AS rows_; DELETE FROM t; SELECT * FROM (SELECT 1", QueryProblem.UNPARSED),
        ("SELECT /*+ SET_VAR(query_timeout = 1) */ 1", QueryProblem.COMMENT),
        ("SELECT 1 /*! , 2 */", QueryProblem.COMMENT),
        ("SELECT ?", QueryProblem.PARAMETER),
    ],
)
def test_no_dialect_of_flight_sql_writes(dialect: Dialect, sql: str, problem: QueryProblem) -> None:
    with pytest.raises(QueryError) as refused:
        guarded(sql, Driver.FLIGHTSQL, dialect)
    assert refused.value.problem is problem


def test_mysql_may_have_comments_that_say_something() -> None:
    statement = guarded("SELECT ':today', :today -- /*! no */\n/* nothing */ FROM `a b` # all", Driver.MYSQL)
    assert statement.with_today("X").startswith("SELECT ':today', X --")
    assert statement.tables == ("`a b`",)


def test_a_statement_keeps_its_text_but_for_the_run_date() -> None:
    statement = guarded(
        "WITH a AS (SELECT ':today', :today) SELECT * FROM a, s.\"B c\" -- :today\n;", Driver.POSTGRESQL
    )
    assert statement.with_today("$1").startswith("WITH a AS (SELECT ':today', $1) SELECT * FROM a")
    assert statement.tables == ('s."B c"',)


@drivers
def test_the_database_itself_is_asked_for_nothing_else(tmp_path: Path, driver: Driver) -> None:
    """Files of the machine, and of the engine, are out of reach of a query."""
    secret = tmp_path / "secret.txt"
    secret.write_text("marker@example.com")
    project = crm(tmp_path, driver, ROWS)
    reading = {
        Driver.DUCKDB: f"SELECT content AS email, 1 AS id FROM read_text('{secret}')",
        Driver.SQLITE: f"SELECT edit('{secret}') AS email, 1 AS id",
    }
    project.queries(project.databases, query(reading[driver]))
    assert "marker" not in project.refusal()


def test_sqlite_refuses_what_no_parser_saw(tmp_path: Path) -> None:
    write_sqlite(tmp_path / "crm.sqlite", ROWS)
    session = SqliteSession(tmp_path / "crm.sqlite", tmp_path, Limits(timedelta(minutes=1), lambda: None))
    for sql in (
        f"ATTACH '{tmp_path}/other.sqlite' AS other",
        "SELECT load_extension('x')",
        "PRAGMA user_version",
    ):
        with pytest.raises(QueryError), session._guarded():
            session._database.execute(sql)
    session.close()


@drivers
def test_a_missing_column_is_found_before_any_row_is_read(tmp_path: Path, driver: Driver) -> None:
    sql = "SELECT email AS mail, 1 AS id FROM customers WHERE CAST(email AS INTEGER) > 1"
    found = crm(tmp_path, driver, ROWS, sql).refusal()
    assert "there is no such column" in found
    assert "did you mean mail?" in found or "name a column that the query returns" in found


@drivers
def test_a_column_of_another_type_is_refused_at_the_next_run(tmp_path: Path, driver: Driver) -> None:
    project = crm(tmp_path, driver, ROWS)
    assert len(project.emails()) == 2
    project.queries(project.databases, query("SELECT CAST(email AS BLOB) AS email, id FROM customers"))
    assert "stored as blob in the query of crm" in project.refusal()
    project.queries(project.databases, query("SELECT id + 0.5 AS email, id FROM customers"))
    assert "numbers lose digits" in project.refusal()


@drivers
def test_a_query_with_more_rows_than_its_login_may_read_is_refused(tmp_path: Path, driver: Driver) -> None:
    project = crm(tmp_path, driver, ROWS)
    for most, said in ((len(ROWS), ""), (len(ROWS) - 1, "more rows than this login may read (limit 1,103)")):
        project.databases = database(driver, FILES[driver][0], max_rows=most)
        if said:
            assert said in project.refusal()
            assert not [*project.work.rglob("queries/*")]
        else:
            assert len(project.emails()) == 2


def test_a_column_of_sqlite_may_hold_texts_and_numbers(tmp_path: Path) -> None:
    project = crm(tmp_path, Driver.SQLITE, [("a@example.com", 7, "")])
    with sqlite3.connect(project.root / "crm.sqlite") as opened:
        opened.execute("INSERT INTO customers VALUES (NULL, 'x8', '')")
    opened.close()
    assert project.ids() == {"7", "x8"}


@drivers
def test_the_age_of_rows_is_what_the_database_says(tmp_path: Path, driver: Driver) -> None:
    fresh = "SELECT max(last_order) FROM customers WHERE last_order <= :today"
    [(_, target)] = crm(tmp_path, driver, ROWS, SQL, fresh).build((EMAIL, Hashing.NONE))
    assert target.newest == datetime(2026, 11, 24, tzinfo=UTC)
    [(_, target)] = crm(tmp_path / "unknown", driver, ROWS).build((EMAIL, Hashing.NONE))
    assert target.newest is None


@drivers
@pytest.mark.parametrize(
    "fresh",
    [
        "SELECT max(email) FROM customers",
        "SELECT id, id FROM customers",
        "SELECT id FROM customers",
        "SELECT max(id) FROM customers WHERE false",
    ],
)
def test_an_age_that_is_no_time_blocks(tmp_path: Path, driver: Driver, fresh: str) -> None:
    assert "`freshness` does not return one date or time" in crm(tmp_path, driver, ROWS, SQL, fresh).refusal()


@drivers
def test_a_slow_query_ends_at_its_time_limit(tmp_path: Path, driver: Driver) -> None:
    project = crm(tmp_path, driver, ROWS, FOREVER)
    project.databases = database(driver, FILES[driver][0], time_limit=timedelta(milliseconds=300))
    assert "took longer than its time limit" in project.refusal()


@drivers
def test_a_slow_query_ends_when_somebody_asks_to_stop(tmp_path: Path, driver: Driver) -> None:
    project = crm(tmp_path, driver, ROWS, FOREVER)
    soon: list[float] = []

    def check() -> None:
        if soon and time.monotonic() > soon[0]:
            raise CancelledError("stopped")

    root, key = LocalFolder(project.root), b"k" * 32
    with DuckDbEngine(
        root, project.work, never, key, None, check=check, databases=project.databases
    ) as engine:
        soon.append(time.monotonic() + 0.3)
        with pytest.raises(CancelledError):
            engine.build([AudienceRequest(project.audience, ((EMAIL, Hashing.NONE),))], TODAY, lambda _: None)


@pytest.mark.parametrize(
    ("driver", "file", "said"),
    [
        (Driver.SQLITE, "none.sqlite", "not below the data root"),
        (Driver.SQLITE, "../crm.sqlite", "not below the data root"),
        (Driver.SQLITE, "link.sqlite", "not below the data root"),
        (Driver.SQLITE, "text.sqlite", "not a database of this kind"),
        (Driver.DUCKDB, "text.sqlite", "not a database of this kind"),
        (Driver.DUCKDB, "none.duckdb", "not below the data root"),
    ],
)
def test_a_file_that_is_no_database_is_named(tmp_path: Path, driver: Driver, file: str, said: str) -> None:
    project = crm(tmp_path, Driver.SQLITE, ROWS)
    write_sqlite(tmp_path / "crm.sqlite", ROWS)
    (project.root / "link.sqlite").symlink_to(tmp_path / "crm.sqlite")
    project.write("text.sqlite", "marker@example.com\n" * 500)
    found = project.queries(database(driver, file), query(SQL)).refusal()
    assert said in found
    assert "marker" not in found


@drivers
@pytest.mark.parametrize(
    "item", ["CAST(email AS INTEGER) / 0", "abs(email)", "json_extract(email, '$.a')", "date(email)"]
)
def test_no_finding_holds_a_value(tmp_path: Path, driver: Driver, item: str) -> None:
    project = crm(tmp_path, driver, ROWS, f"SELECT email, {item} AS id FROM customers")
    with project.engine() as engine:
        request = AudienceRequest(project.audience, ((EMAIL, Hashing.NONE),))
        found = engine.build([request], TODAY, lambda _: None)["a"]
    if isinstance(found, ConfigurationError):
        assert "marker" not in "".join(map(str, (found, *found.findings)))


def test_all_that_is_wrong_with_a_query_is_found_without_its_database(tmp_path: Path) -> None:
    project = make(tmp_path).queries(
        database(Driver.DUCKDB, "none"), query("SELECT 1; SELECT 2", "DROP TABLE x")
    )
    found = check_all(
        (project.audience,), str(project.root), TODAY, project.work, databases=project.databases
    )
    assert [one.where for one in found] == [str(SQL_PLACE), "audiences/a.yaml:6:16"]
    elsewhere = check_all(
        (project.audience,), str(tmp_path / "away"), TODAY, project.work, databases=project.databases
    )
    assert elsewhere == found


def test_a_missing_driver_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = replace(KINDS[Driver.SQLITE], libraries=("no_such_library",))
    monkeypatch.setitem(KINDS, Driver.SQLITE, lacking)  # type: ignore[arg-type] # a dict
    installed._are_there.cache_clear()
    try:
        found = crm(tmp_path, Driver.SQLITE, ROWS).refusal()
    finally:
        installed._are_there.cache_clear()
    assert "pip install 'criteo-reconciler[sqlite]'" in found


@drivers
def test_two_audiences_with_one_query_share_its_rows(tmp_path: Path, driver: Driver) -> None:
    """The next look runs the query again, because nothing tells whether its rows changed."""
    project = crm(tmp_path, driver, ROWS)
    audiences = [project.audience, replace(project.audience, name="b")]
    requests = [AudienceRequest(one, ((EMAIL, Hashing.NONE),)) for one in audiences]
    with project.engine() as engine:
        for runs in (1, 2):
            engine.build(requests, TODAY, lambda _: None)
            assert len([*project.work.rglob("queries/*.parquet")]) == runs
        assert not engine.identify(audiences).files
    assert not [*project.work.rglob("*.parquet")]


@drivers
def test_queries_are_read_beside_conditions_and_other_queries(tmp_path: Path, driver: Driver) -> None:
    """Whatever the engine read before, the rows of each query arrive."""
    project = crm(tmp_path, driver, ROWS)
    project.write("people.csv", "email,id,day\ndee@example.com,4,2026-01-01\n")
    first = project.audience.source
    sources = {
        "a": replace(first, where="id < 3"),
        "b": replace(first, query=query(f"{SQL} WHERE id = 2")),
        "c": replace(first, query=None, files=("people.csv",), where="day < :today"),
        "d": replace(first, query=query(f"{SQL} WHERE id = 1")),
    }
    audiences = [replace(project.audience, name=name, source=source) for name, source in sources.items()]
    requests = [AudienceRequest(one, ((EMAIL, Hashing.NONE),)) for one in audiences]
    with project.engine() as engine:
        built = engine.build(requests, TODAY, lambda _: None)
    counts = {
        name: [] if isinstance(one, ConfigurationError) else [target.members.count for target in one.values()]
        for name, one in built.items()
    }
    assert counts == {"a": [2], "b": [1], "c": [1], "d": [1]}


@drivers
def test_a_full_disk_is_no_fault_of_the_query(tmp_path: Path, driver: Driver) -> None:
    """The file of the rows, or SQLite's copy of them, has no room."""
    sql = "SELECT hex(randomblob(40000)) AS email, id FROM customers"
    if driver is Driver.DUCKDB:
        sql = "SELECT email || md5(CAST(n AS VARCHAR)) AS email, n AS id FROM customers, range(2000) AS t(n)"
    project = crm(
        tmp_path, driver, [(f"p{number}@example.com", number, "2026-01-01") for number in range(1, 60)], sql
    )
    with project.engine() as engine, largest_file(200_000):
        request = AudienceRequest(project.audience, ((EMAIL, Hashing.NONE),))
        with pytest.raises(StorageError, match=r"larger than this process may write|is full"):
            engine.build([request], TODAY, lambda _: None)


WRITER = "import duckdb, sys; made = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"


def test_a_database_that_another_process_writes_is_in_use(tmp_path: Path) -> None:
    project = crm(tmp_path, Driver.DUCKDB, ROWS)
    words = [sys.executable, "-c", WRITER, str(project.root / "crm.duckdb")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        assert "open in another process" in project.refusal()
        writer.communicate()
    assert len(project.emails()) == 2


@drivers
def test_a_statement_may_end_in_a_comment(tmp_path: Path, driver: Driver) -> None:
    assert (
        len(crm(tmp_path, driver, ROWS, f"{SQL} -- of all", "SELECT date('2026-11-01') -- fixed").emails())
        == 2
    )
