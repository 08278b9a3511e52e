"""A double of Snowflake's server: answers what its driver asks for over HTTP, from DuckDB.

It was never compared with the real server. Statements and errors follow Snowflake's documentation.
"""

import base64
import contextlib
import gzip
import io
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pyarrow
import sqlglot
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from support.databases import PASSWORD, READER, Row, SqlServer, values

from reconciler.core.database import DatabaseConnection, Driver, Login, Server, TlsMode
from reconciler.core.secret import Secret
from reconciler.members.queries.databases import Databases

ROLE, WAREHOUSE = "AUDIENCES_READER", "AUDIENCES"
TODAY = "RECONCILER_TODAY"
OWN = ("ALTER SESSION SET ", "USE SECONDARY ROLES ", "SET ")
PART = 1000
"""Rows of the first answer, and of each part that the driver fetches afterwards."""
ERRORS = (
    (duckdb.CatalogException, 2003, "42S02"),
    (duckdb.BinderException, 904, "42000"),
    (duckdb.ParserException, 1003, "42000"),
    (duckdb.ConversionException, 100038, "22018"),
    (duckdb.InterruptException, 630, "57014"),
)


class RefusedError(Exception):
    """An error of the server."""

    def __init__(self, code: int, state: str) -> None:
        super().__init__(code, state)
        self.code, self.state = code, state


@dataclass
class SnowflakeServer(SqlServer):
    """`asked` are the statements of all sessions. `is_cut` breaks off parts of a result, `is_deaf` hangs."""

    port: int = 0
    driver: Driver = Driver.SNOWFLAKE
    home: str = "CRM"
    is_deaf: bool = False
    is_cut: bool = False
    revoked: bool = False
    key: rsa.RSAPublicKey | None = None
    asked: list[str] = field(default_factory=list)
    logins: list[dict[str, Any]] = field(default_factory=list)
    parts: dict[str, bytes] = field(default_factory=dict)
    database: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    seconds: float = 600
    today: str = ""

    def write(self, rows: Sequence[Row]) -> None:
        self.database.execute("CREATE OR REPLACE TABLE customers (email VARCHAR, id BIGINT, last_order DATE)")
        self.database.execute(f"INSERT INTO customers VALUES {values(rows)}")

    def databases(
        self,
        *,
        user: str = READER,
        password: str = PASSWORD,
        port: int = 0,
        time_limit: timedelta = timedelta(minutes=1),
        max_rows: int | None = None,
        **login: Any,
    ) -> Databases:
        server = Server("127.0.0.1", port or self.port, self.home, TlsMode.DISABLE)
        login = {"role": ROLE, "warehouse": WAREHOUSE, **login}
        logging_in = Login("env:USER", "env:PASSWORD", time_limit, max_rows, **login)
        connection = DatabaseConnection("crm", self.driver, server=server, login=logging_in)
        secrets = {"env:USER": Secret(user), "env:PASSWORD": Secret(password)}
        return Databases({"crm": connection.writing}, secrets.__getitem__)

    def log_in(self, path: str, data: dict[str, Any]) -> dict[str, Any]:
        asked = parse_qs(urlsplit(path).query)
        self.logins.append({**asked, **data})
        if not self._is_proved(data):
            raise RefusedError(390100, "08004")
        if asked.get("roleName") != [ROLE]:
            raise RefusedError(390189, "08004")
        return {"token": "a-token", "parameters": [], "sessionInfo": {}}

    def _is_proved(self, data: dict[str, Any]) -> bool:
        if self.key is None:
            return (data.get("LOGIN_NAME"), data.get("PASSWORD")) == (READER, PASSWORD)
        text, _, signature = data["TOKEN"].rpartition(".")
        self.key.verify(_unpacked(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
        claims = json.loads(_unpacked(text.partition(".")[2]))
        return (data["AUTHENTICATOR"], claims["sub"]) == ("SNOWFLAKE_JWT", f"127.{READER.upper()}")

    def answer(self, sql: str, *, describe: bool, authority: str) -> dict[str, Any]:
        self.asked.append(sql)
        if sql.startswith(OWN):
            if sql.startswith("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS"):
                self.seconds = float(sql.rpartition(" ")[2])
            if sql.startswith("SET "):
                self.today = sql.removeprefix(f"SET {TODAY} = ")
            return _result(pyarrow.table({"status": ["Statement executed successfully."]}), {})
        table = self._rows(sql, describe=describe)
        first, rest = table.slice(0, PART), table.slice(PART)
        chunks = {f"/parts/{len(self.parts)}-{n}": rest.slice(n, PART) for n in range(0, len(rest), PART)}
        self.parts |= {path: _stream(part) for path, part in chunks.items()}
        listed = [
            {"url": f"http://{authority}{path}", "rowCount": len(part), "uncompressedSize": part.nbytes}
            for path, part in chunks.items()
        ]
        return _result(first, {"chunks": listed, "chunkHeaders": {"part": "yes"}} if listed else {})

    def _rows(self, sql: str, *, describe: bool) -> pyarrow.Table:
        if self.revoked and "customers" in sql.lower():
            raise RefusedError(2003, "42S02")
        try:
            text = sqlglot.transpile(sql, read="snowflake", write="duckdb")[0]
        except sqlglot.errors.SqlglotError:
            raise RefusedError(1003, "42000") from None
        text = text.replace(f"${TODAY}", f"getvariable('{TODAY}')")
        cursor = self.database.cursor()
        timer = threading.Timer(self.seconds, cursor.interrupt)
        timer.start()
        try:
            if self.today:
                cursor.execute(f"SET VARIABLE {TODAY} = {self.today}")
            run = f"SELECT * FROM ({text}) LIMIT 0" if describe else text
            return cursor.sql(run).to_arrow_table()
        except duckdb.Error as error:
            raise next(
                (RefusedError(code, state) for kind, code, state in ERRORS if isinstance(error, kind)),
                RefusedError(603, "XX000"),
            ) from None
        finally:
            timer.cancel()


def _unpacked(part: str) -> bytes:
    return base64.urlsafe_b64decode(f"{part}==")


def _result(table: pyarrow.Table, more: dict[str, Any]) -> dict[str, Any]:
    encoded, kinds = _encoded(table)
    return {
        "rowtype": kinds,
        "rowsetBase64": base64.b64encode(_stream(encoded)).decode() if len(table) else "",
        "total": len(table),
        "returned": len(table),
        "queryResultFormat": "arrow",
        "statementTypeId": 4096,
        "queryId": "01b2c3d4-0000-0000-0000-000000000000",
        "parameters": [{"name": "TIMEZONE", "value": "UTC"}],
        **more,
    }


def _kind(kind: pyarrow.DataType) -> tuple[str, int, int]:
    """Return Snowflake's name of a type, its digits and its decimal places."""
    if pyarrow.types.is_decimal(kind):
        return "fixed", kind.precision, kind.scale
    if pyarrow.types.is_integer(kind):
        return "fixed", 38, 0
    if pyarrow.types.is_timestamp(kind):
        return "timestamp_ntz", 0, 6
    named = {pyarrow.float64(): "real", pyarrow.date32(): "date", pyarrow.binary(): "binary"}
    if pyarrow.types.is_list(kind):
        return "array", 0, 0
    return named.get(kind, "text"), 0, 0


def _encoded(table: pyarrow.Table) -> tuple[pyarrow.Table, list[dict[str, Any]]]:
    """Return the rows as Snowflake has them in Arrow, and the types of their columns."""
    columns, fields, kinds = [], [], []
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind, precision, scale = _kind(column.type)
        if kind == "fixed" and scale:
            column = pyarrow.array(
                [None if one is None else int(one.scaleb(scale)) for one in column.to_pylist()]
            )
        elif kind == "fixed":
            column = column.cast(pyarrow.int64()) if not pyarrow.types.is_decimal(column.type) else column
        elif kind == "timestamp_ntz":
            column = column.cast(pyarrow.timestamp("us")).cast(pyarrow.int64())
        elif kind == "array":
            column = pyarrow.array([json.dumps(one) for one in column.to_pylist()], pyarrow.string())
        facts = {
            "logicalType": kind.upper(),
            "precision": str(precision),
            "scale": str(scale),
            "charLength": "0",
        }
        fields.append(pyarrow.field(name.upper(), column.type, metadata=facts))
        columns.append(column)
        kinds.append(
            {"name": name.upper(), "type": kind, "precision": precision, "scale": scale, "nullable": True}
        )
    return pyarrow.Table.from_arrays(columns, schema=pyarrow.schema(fields)), kinds


def _stream(table: pyarrow.Table) -> bytes:
    sink = io.BytesIO()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: SnowflakeServer

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        try:
            data, more = self._data(json.loads(body) if body else {}), {"success": True}
        except RefusedError as error:
            code = f"{error.code:06}"
            data = {"errorCode": code, "sqlState": error.state}
            more = {"success": False, "code": code, "message": f"A text that quotes {PASSWORD}"}
        self._send(json.dumps({"data": data, **more}).encode())

    def do_GET(self) -> None:
        self._send(self.double.parts[self.path], cut=self.double.is_cut)

    def _data(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self.path.startswith("/session/v1/login-request"):
            return self.double.log_in(self.path, asked["data"])
        if self.path.startswith("/queries/v1/query-request"):
            if self.double.is_deaf and "customers" in asked["sqlText"]:
                threading.Event().wait(5)
            describe = asked.get("describeOnly", False)
            return self.double.answer(asked["sqlText"], describe=describe, authority=self.headers["Host"])
        return {}

    def _send(self, content: bytes, *, cut: bool = False) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut


class _Http(ThreadingHTTPServer):
    def handle_error(self, *request: Any) -> None:
        """A process that is ended leaves its connections."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*request)


@contextmanager
def snowflake() -> Iterator[SnowflakeServer]:
    """Serve on this machine."""
    made = SnowflakeServer()
    http = _Http(("127.0.0.1", 0), type("Handler", (_Handler,), {"double": made}))
    made.port = http.server_port
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        http.shutdown()
        http.server_close()
