"""Databases for the tests of queries, and a PostgreSQL server where one is installed."""

import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb

from reconciler.core.database import DatabaseConnection, Driver, Login, Server, TlsMode
from reconciler.core.model import Query, SourceLocation
from reconciler.core.secret import Secret
from reconciler.members.queries.databases import Databases

SQL_PLACE = SourceLocation("audiences/a.yaml", 5, 10)
FRESHNESS_PLACE = SourceLocation("audiences/a.yaml", 6, 16)
INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
CERTIFICATES = Path(__file__).parents[1] / "faults" / "certificates"
ADMIN, READER = "postgres", "reader"
PASSWORD = "not-a-secret"
Row = tuple[str | None, int | None, str]
"""E-mail address, id, and the day of the last order."""


def query(sql: str, freshness: str = "", connection: str = "crm") -> Query:
    return Query(connection, sql, freshness, place=SQL_PLACE, freshness_place=FRESHNESS_PLACE)


def database(
    driver: Driver, file: str, *, time_limit: timedelta = timedelta(minutes=1), max_rows: int | None = None
) -> Databases:
    """Return a database file as the only connection, `crm`."""
    login = Login(time_limit=time_limit, max_rows=max_rows)
    connection = DatabaseConnection("crm", driver, file=file, login=login)
    return Databases({"crm": connection.writing})


def write_sqlite(file: Path, rows: Sequence[Row]) -> None:
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE customers (email, id, last_order)")
        made.executemany("INSERT INTO customers VALUES (?, ?, ?)", rows)
    made.close()


def write_duckdb(file: Path, rows: Sequence[Row]) -> None:
    with duckdb.connect(str(file)) as made:
        made.execute("CREATE TABLE customers (email VARCHAR, id BIGINT, last_order DATE)")
        made.execute(f"INSERT INTO customers VALUES {values(rows)}")


class SqlServer:
    """A server on this machine, which the tests started: what all kinds have."""

    driver: Driver
    port: int
    home: str
    """The database that the tests read."""

    def admin(self, sql: str) -> str:
        """Run statements with all rights; returns what they print."""
        raise NotImplementedError

    def write(self, rows: Sequence[Row]) -> None:
        """Replace the table of customers, and let the reader read it."""
        raise NotImplementedError

    def revoke(self) -> None:
        """Take the right to read customers from the reader."""
        raise NotImplementedError

    def serves(self, certificate: str) -> None:
        """Offer TLS with a certificate of the tests."""
        raise NotImplementedError

    def disconnect(self) -> None:
        """End the connections of the reader."""
        raise NotImplementedError

    def databases(
        self,
        *,
        user: str = READER,
        password: str = PASSWORD,
        host: str = "127.0.0.1",
        port: int = 0,
        time_limit: timedelta = timedelta(minutes=1),
        tls: TlsMode = TlsMode.DISABLE,
        ca_file: str = "",
        max_rows: int | None = None,
    ) -> Databases:
        server = Server(host, port or self.port, self.home, tls, ca_file)
        login = Login("env:USER", "env:PASSWORD", time_limit, max_rows)
        connection = DatabaseConnection("crm", self.driver, server=server, login=login)
        secrets = {"env:USER": Secret(user), "env:PASSWORD": Secret(password)}
        return Databases({"crm": connection.writing}, secrets.__getitem__, CERTIFICATES)


@dataclass(frozen=True)
class PostgresqlServer(SqlServer):
    """A server on this machine. `folder` holds its data and nothing else."""

    folder: Path
    port: int
    driver: Driver = Driver.POSTGRESQL
    home: str = "postgres"

    def admin(self, sql: str) -> str:
        command = [
            "psql",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            ADMIN,
            "-AtqX",
            "-v",
            "ON_ERROR_STOP=1",
        ]
        environ = os.environ | {"PGPASSWORD": PASSWORD}
        done = subprocess.run(
            [*command, "-f", "-", "postgres"],
            input=sql,
            env=environ,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def serves(self, certificate: str) -> None:
        for name in (certificate, "key.pem"):
            file = self.folder / name
            shutil.copy(CERTIFICATES / name, file)
            file.chmod(0o600)
            if os.getuid() == 0:
                shutil.chown(file, "postgres", "postgres")
        for name, value in (
            ("ssl_cert_file", self.folder / certificate),
            ("ssl_key_file", self.folder / "key.pem"),
            ("ssl", "on"),
        ):
            self.admin(f"ALTER SYSTEM SET {name} = '{value}'")
        self.admin("SELECT pg_reload_conf()")
        while self.admin("SHOW ssl_cert_file") != str(self.folder / certificate):
            time.sleep(0.02)

    def revoke(self) -> None:
        self.admin(f"REVOKE SELECT ON customers FROM {READER}")

    def disconnect(self) -> None:
        self.admin(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{READER}'")

    def write(self, rows: Sequence[Row]) -> None:
        self.admin(
            "DROP TABLE IF EXISTS customers; CREATE TABLE customers (email text, id bigint, last_order date);"
            f"INSERT INTO customers VALUES {values(rows)}; GRANT SELECT ON customers TO {READER};"
        )


def values(rows: Sequence[Row]) -> str:
    return ", ".join(f"({_literal(email)}, {id_ or 'NULL'}, '{day}')" for email, id_, day in rows)


def _literal(text: str | None) -> str:
    doubled = (text or "").replace("'", "''")
    return "NULL" if text is None else f"'{doubled}'"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def postgresql() -> Iterator[PostgresqlServer]:
    """Start a server of Debian's package, which refuses to run as root."""
    programs = INSTALLED[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="reconciler-postgresql-"))
    data, secret = folder / "data", folder / "password"
    secret.write_text(PASSWORD)
    as_user: list[str] = []
    if os.getuid() == 0:
        as_user = ["runuser", "-u", "postgres", "--"]
        for one in (folder, secret):
            shutil.chown(one, "postgres", "postgres")
    port = free_port()

    def run(program: str, *options: str) -> None:
        subprocess.run([*as_user, programs / program, *options], cwd=folder, check=True, capture_output=True)

    settings = f"-p {port} -k {folder} -c fsync=off -c listen_addresses=127.0.0.1 -c max_connections=20"
    run("initdb", "-D", str(data), "-A", "scram-sha-256", "-U", ADMIN, f"--pwfile={secret}", "--no-sync")
    run("pg_ctl", "-D", str(data), "-w", "-o", settings, "-l", str(folder / "log"), "start")
    try:
        server = PostgresqlServer(folder, port)
        server.admin(f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'")
        yield server
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)
