"""A double of a Databricks workspace over DuckDB: its Statement Execution API, its tokens, and its storage.

It was written from the published reference, and never compared with the real one. The storage that has the
rows of results is another server.
"""

import base64
import json
import ssl
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import duckdb
import pyarrow
import sqlglot
from support.databases import CERTIFICATES, PASSWORD, READER, Row, SqlServer, values

from reconciler.core.database import DatabaseConnection, Driver, Login, Server, TlsMode
from reconciler.core.secret import Secret
from reconciler.members.queries.databases import Databases
from reconciler.members.queries.installed import require
from reconciler.members.queries.problems import NotInstalledError

WAREHOUSE = "0123456789abcdef"
TOKEN = "dapi-not-a-secret"
PART = 5000
"""Rows of a part of a result."""
BATCH = 2000
STATES = (
    (duckdb.CatalogException, "42P01"),
    (duckdb.BinderException, "42703"),
    (duckdb.ParserException, "42601"),
    (duckdb.ConversionException, "22018"),
)
TYPES = {"VARCHAR": "STRING", "BLOB": "BINARY", "TIMESTAMP": "TIMESTAMP_NTZ", "INTEGER": "INT"}
TYPES |= {"TIMESTAMP WITH TIME ZONE": "TIMESTAMP"}


def _is_installed() -> bool:
    try:
        require(Driver.DATABRICKS)
    except NotInstalledError:
        return False
    return True


INSTALLED = _is_installed()


@dataclass
class Run:
    """A statement. Its rows are `parts`, or `values` if they were asked for inline."""

    state: str = "PENDING"
    error: dict[str, Any] = field(default_factory=dict)
    columns: list[dict[str, str]] = field(default_factory=list)
    rows: int = 0
    parts: list[bytes] = field(default_factory=list)
    values: list[list[Any]] = field(default_factory=list)
    cursor: Any = None


@dataclass
class DatabricksServer(SqlServer):
    """`asked` are the statements and `fetched` the headers of downloads.

    A test can let the storage break off (`is_cut`), expire addresses or move rows to another `storage`.
    """

    port: int = 0
    driver: Driver = Driver.DATABRICKS
    home: str = "main"
    token: str = TOKEN
    storage: str = ""
    revoked: bool = False
    is_cut: bool = False
    expired: int = 0
    truncates: bool = False
    loses_rows: bool = False
    answers: list[tuple[int, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 3600
    logins: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    fetched: list[dict[str, str]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    database: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)

    def admin(self, sql: str) -> str:
        return str((self.database.cursor().execute(sql).fetchone() or [""])[0])

    def write(self, rows: Sequence[Row]) -> None:
        self.admin("CREATE OR REPLACE TABLE customers (email VARCHAR, id BIGINT, last_order DATE)")
        self.admin(f"INSERT INTO customers VALUES {values(rows)}")

    def revoke(self) -> None:
        self.revoked = True

    def databases(  # type: ignore[override] # a token in place of a user
        self,
        *,
        token: str = TOKEN,
        secret: str = "",
        warehouse: str = WAREHOUSE,
        host: str = "127.0.0.1",
        port: int = 0,
        time_limit: timedelta = timedelta(minutes=1),
        max_rows: int | None = None,
        tls: TlsMode = TlsMode.DISABLE,
    ) -> Databases:
        """Return the connection `crm`; with a `secret`, that of a service principal."""
        server = Server(host, port or self.port, self.home, tls)
        login = Login(time_limit=time_limit, max_rows=max_rows, token="env:TOKEN", warehouse=warehouse)
        if secret:
            login = replace(login, token="", user="env:ID", password="env:SECRET")
        connection = DatabaseConnection("crm", self.driver, server=server, login=login, catalog="memory")
        known = {"env:TOKEN": Secret(token), "env:ID": Secret(READER), "env:SECRET": Secret(secret)}
        return Databases({"crm": connection.writing}, known.__getitem__, CERTIFICATES)

    def begin(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        id_, run = f"01f0-{len(self.runs)}", Run()
        self.runs[id_] = run
        threading.Thread(target=self._run, args=[run, asked], daemon=True).start()
        return {"statement_id": id_, "status": {"state": "PENDING"}}

    def cancel(self, id_: str) -> dict[str, Any]:
        self.cancelled.append(id_)
        if self.runs[id_].cursor is not None:
            self.runs[id_].cursor.interrupt()
        return {}

    def stated(self, id_: str) -> dict[str, Any]:
        run = self.runs[id_]
        answer: dict[str, Any] = {"statement_id": id_, "status": {"state": run.state, **run.error}}
        if run.state == "SUCCEEDED":
            answer["manifest"] = {
                "schema": {"column_count": len(run.columns), "columns": run.columns},
                "total_row_count": run.rows,
                "total_chunk_count": len(run.parts),
                "truncated": self.truncates,
            }
            answer["result"] = {"data_array": run.values} if run.values else {}
        return answer

    def link(self, id_: str, index: int) -> dict[str, Any]:
        url = f"{self.storage}/{id_}/{index}?signature=marker"
        return {
            "external_links": [{"chunk_index": index, "external_link": url, "http_headers": self.headers}]
        }

    def _run(self, run: Run, asked: dict[str, Any]) -> None:
        try:
            self._answer(run, asked)
        except duckdb.InterruptException:
            run.state = "CANCELED"
        except (duckdb.Error, sqlglot.errors.SqlglotError, PermissionError) as error:
            found = [state for kind, state in STATES if isinstance(error, kind)]
            state = "42501" if isinstance(error, PermissionError) else "".join(found[:1]) or "42601"
            run.error = {"error": {"error_code": "BAD_REQUEST", "message": str(error)}, "sql_state": state}
            run.state = "FAILED"

    def _answer(self, run: Run, asked: dict[str, Any]) -> None:
        sql = asked["statement"]
        if self.revoked and "customers" in sql:
            raise PermissionError(f"[INSUFFICIENT_PERMISSIONS] {sql}")
        described = sql.startswith("DESCRIBE QUERY ")
        read = sql.removeprefix("DESCRIBE QUERY ")
        statement = sqlglot.transpile(read, read="databricks", write="duckdb")[0]
        given = {one["name"]: date.fromisoformat(one["value"]) for one in asked.get("parameters", [])}
        run.cursor = self.database.cursor()
        run.cursor.execute("SET TimeZone = 'UTC'")
        found = run.cursor.sql(
            f"SELECT * FROM ({statement}) LIMIT 0" if described else statement, params=given
        )
        types = [_type(one) for one in found.types]
        if described:
            run.values = [[name, kind.lower(), None] for name, kind in zip(found.columns, types, strict=True)]
            run.rows = len(run.values)
        else:
            run.columns = [
                {"name": name, "type_text": kind} for name, kind in zip(found.columns, types, strict=True)
            ]
            table = found.to_arrow_table()
            run.rows = len(table) + self.loses_rows
            if asked["disposition"] == "INLINE":
                run.values = [[str(value) for value in row.values()] for row in table.to_pylist()]
            else:
                run.parts = [_stream(table.slice(start, PART)) for start in range(0, len(table), PART)]
        run.state = "SUCCEEDED"


def _type(kind: Any) -> str:
    if kind.id == "list":
        return f"ARRAY<{_type(kind.child)}>"
    if kind.id == "struct":
        return "STRUCT<{}>".format(", ".join(f"{name}: {_type(one)}" for name, one in kind.children))
    return TYPES.get(str(kind), str(kind))


def _stream(table: pyarrow.Table) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table, max_chunksize=BATCH)
    return bytes(sink.getvalue())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: DatabricksServer

    def log_message(self, *_: object) -> None:
        pass

    def send(self, status: int, content: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length or len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class _Api(_Handler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self._answer(body)

    def do_GET(self) -> None:
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        if self.double.answers and not self.path.endswith("/cancel"):
            status, content = self.double.answers.pop(0)
            text = content if isinstance(content, str) else json.dumps(content)
            return self.send(status, text.encode(), Location="http://127.0.0.1:1/login")
        status, answer = self._found(body)
        return self.send(status, json.dumps(answer).encode())

    def _found(self, body: bytes) -> tuple[int, dict[str, Any]]:
        if self.path == "/oidc/v1/token":
            return self._token(parse_qs(body.decode()))
        if self.headers["Authorization"] != f"Bearer {self.double.token}":
            return 403, {"error_code": "403", "message": "Invalid access token."}
        _, _, id_ = self.path.partition("/api/2.0/sql/statements")
        if not id_:
            asked = json.loads(body)
            if asked["warehouse_id"] != WAREHOUSE:
                return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "marker"}
            return 200, self.double.begin(asked)
        match id_.strip("/").split("/"):
            case [one, "cancel"]:
                return 200, self.double.cancel(one)
            case [one, "result", "chunks", index]:
                return 200, self.double.link(one, int(index))
        return 200, self.double.stated(id_.strip("/"))

    def _token(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        login = base64.b64encode(f"{READER}:{PASSWORD}".encode()).decode()
        asked = {"grant_type": ["client_credentials"], "scope": ["all-apis"]}
        if self.headers["Authorization"] != f"Basic {login}" or form != asked:
            return 401, {"error": "invalid_client"}
        self.double.logins += 1
        return 200, {
            "access_token": self.double.token,
            "token_type": "Bearer",
            "expires_in": self.double.seconds,
        }


class _Storage(_Handler):
    def do_GET(self) -> None:
        self.double.fetched.append({key.lower(): value for key, value in self.headers.items()})
        _, id_, index = self.path.partition("?")[0].split("/")
        if self.double.expired:
            self.double.expired -= 1
            return self.send(403, b"<Error>Request has expired</Error>")
        content = self.double.runs[id_].parts[int(index)]
        if self.double.is_cut and index != "0":
            self.close_connection = True
            return self.send(200, content[: len(content) // 2], len(content))
        return self.send(200, content)


class _Http(ThreadingHTTPServer):
    def handle_error(self, *request: Any) -> None:
        """A session that ends leaves its connections."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(*request)


def _encrypted(server: ThreadingHTTPServer) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "good.pem", CERTIFICATES / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)


@contextmanager
def databricks(*, encrypted: tuple[bool, bool] = (False, False)) -> Iterator[DatabricksServer]:
    """Serve on this machine. `encrypted`: the workspace, and its storage."""
    made = DatabricksServer()
    servers = [_Http(("127.0.0.1", 0), type("Handler", (one,), {"double": made})) for one in (_Api, _Storage)]
    for one, has_tls in zip(servers, encrypted, strict=True):
        if has_tls:
            _encrypted(one)
    made.port = servers[0].server_port
    made.storage = f"http{'s' if encrypted[1] else ''}://localhost:{servers[1].server_port}"
    for one in servers:
        threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield made
    finally:
        for one in servers:
            one.shutdown()
            one.server_close()
        for _ in range(500):  # a statement that nobody waits for is interrupted
            running = [run for run in made.runs.values() if run.state == "PENDING" and run.cursor is not None]
            if not running:
                break
            for run in running:
                run.cursor.interrupt()
            time.sleep(0.01)
