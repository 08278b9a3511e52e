"""Faults in queries of databases: statements that do more than read, and databases that can't be reached."""

import sqlite3
from collections.abc import Callable

from faults.case import Case, Group
from faults.project import AFTER, World, customer, email

INVALID, BLOCKED = 3, 5
SQL = "SELECT email, id FROM customers"
FOREVER = "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT max(i) AS email FROM t"
FILE = "driver: sqlite\nfile: crm.sqlite\n"
SERVER = "driver: postgresql\nhost: {host}\nport: 1\ndatabase: crm\nuser: env:ID\npassword: env:SECRET\n"


def queries(
    sql: str = SQL, database: str = FILE, after: str = "", name: str = "crm"
) -> Callable[[World], object]:
    """Let the audience query a database of the same people."""

    def query(world: World) -> None:
        with sqlite3.connect(world.data / "crm.sqlite") as made:
            made.execute("CREATE TABLE customers (email, id, loaded_at)")
            people = ((email(one), customer(one), "2020-01-01") for one in AFTER)
            made.executemany("INSERT INTO customers VALUES (?, ?, ?)", people)
        made.close()
        (world.manifests / "connections.yaml").write_text(f"kind: Connection\nname: crm\n{database}")
        source = f'source: {{query: {{connection: {name}, sql: "{sql}"}}{after}}}'
        world.edit("buyers.yaml", 'source: {files: ["people.csv"]}', source)

    return query


def in_a_file(text: str | None) -> Callable[[World], object]:
    """Let the audience name a file with this text; None for a file that is missing."""

    def query(world: World) -> None:
        queries()(world)
        world.edit("buyers.yaml", f'sql: "{SQL}"', "file: buyers.sql")
        if text is not None:
            (world.manifests / "buyers.sql").write_text(text)

    return query


QUERIES = Group(
    "Queries",
    "A query is one statement that reads. Messages contain the code of the database, never its text.",
    (
        Case(
            "a query writes",
            queries("DELETE FROM customers"),
            BLOCKED,
            "crm: the statement does more than read",
            "write one SELECT statement",
        ),
        Case(
            "a query in a file has a mistake",
            in_a_file("SELECT email, id\nFROM customers\nWHERE (loaded_at"),
            BLOCKED,
            "environments/sandbox/buyers.sql:3:8: crm: this is not a statement of this database's SQL",
            "try it in the database's own client",
        ),
        Case(
            "the file of a query is missing",
            in_a_file(None),
            INVALID,
            "there is no file environments/sandbox/buyers.sql",
            "create it, or correct the path, which begins at the folder of this manifest",
        ),
        Case(
            "the file of a query has a control character",
            in_a_file("SELECT email, id \0 FROM customers"),
            INVALID,
            "environments/sandbox/buyers.sql:1:18: a control character (U+0000)",
            "remove it",
        ),
        Case(
            "a query has two statements",
            queries("SELECT 1; SELECT 2"),
            BLOCKED,
            "crm: there is more than one statement",
            "write one SELECT statement",
        ),
        Case(
            "a query lacks an identifier column",
            queries("SELECT email FROM customers"),
            BLOCKED,
            "there is no such column",
            "name a column that the query returns",
        ),
        Case(
            "a query names a table that does not exist",
            queries("SELECT email, id FROM nobody"),
            BLOCKED,
            "crm: the database can't run the statement (SQLITE_ERROR)",
            "try it in the database's own client",
        ),
        Case(
            "the rows of a query are too old",
            queries(f'{SQL}", freshness: "SELECT max(loaded_at) FROM customers', after=", maxAge: 36h"),
            BLOCKED,
            "the newest source row is",
            "deliver fresh rows, or raise source.maxAge",
        ),
        Case(
            "a query has `maxAge` without `freshness`",
            queries(after=", maxAge: 36h"),
            INVALID,
            "`maxAge` needs a time, and the query has no `freshness`",
            "add `freshness:`, such as",
        ),
        Case(
            "a query takes longer than its time limit",
            queries(FOREVER, f"{FILE}timeout: 1s\n"),
            BLOCKED,
            "crm: the statement took longer than its time limit",
            "make it faster, or raise `timeout`",
        ),
        Case(
            "the file of a database is missing",
            queries(database="driver: duckdb\nfile: none.duckdb\n"),
            BLOCKED,
            "crm: the database file is not below the data root",
            "check `file` of the connection, and data.root",
        ),
        Case(
            "the file of a connection is no database",
            queries(database="driver: duckdb\nfile: crm.sqlite\n"),
            BLOCKED,
            "crm: the file is not a database of this kind",
            "check `file` and `driver` of the connection",
        ),
        Case(
            "the host of a database has no address",
            queries(database=SERVER.format(host="db.invalid")),
            BLOCKED,
            "crm: the host name has no address",
            "check `host` of the connection",
        ),
        Case(
            "no database server answers",
            queries(database=SERVER.format(host="localhost")),
            BLOCKED,
            "crm: no server answers at this host and port",
            "check `host` and `port`, and the firewall",
        ),
        Case(
            "a query names an unknown connection",
            queries(name="cmr"),
            INVALID,
            "there is no Connection of that name",
            "did you mean `crm`?",
        ),
    ),
)
