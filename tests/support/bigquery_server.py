"""A double of BigQuery over DuckDB: jobs, dry runs, results and the API that reads them, on one port.

python bigquery_server.py FOLDER PORT

It was written from the published REST reference, the table of error reasons and the messages of the Read API.
FOLDER has the certificate of the service account in `public.pem`, and in `revoked` the rights that are taken.
Accounts may do all that SQL does.
"""

import contextlib
import json
import re
import secrets
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import grpc
import pyarrow
import sqlglot
from google.auth import jwt
from google.cloud.bigquery_storage_v1 import types
from sqlglot import exp

SUBJECT_TOKEN = "not-a-secret-token-of-the-runner"
LEAST_BILLED = 10 * 1024 * 1024
"""Bytes that BigQuery bills at least for each table."""
WIDTH = 100
"""Bytes of a row, by which queries are estimated."""
BATCH = 2048
STATUSES = {"accessDenied": 403, "notFound": 404, "stopped": 499, "bytesBilledLimitExceeded": 500}
STATUSES |= {"responseTooLarge": 403, "quotaExceeded": 403, "authError": 401}
CODES = {
    "INTEGER": "BIGINT",
    "FLOAT": "DOUBLE",
    "NUMERIC": "DECIMAL(38, 9)",
    "STRING": "VARCHAR",
    "BYTES": "BLOB",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMPTZ",
}
"""The types of results in DuckDB, if they have another name there."""


class FailedError(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def stated(self) -> dict[str, Any]:
        """Return an `ErrorProto`, with texts as BigQuery has them."""
        return {"reason": self.reason, "message": str(self), "domain": "global"}


@dataclass
class Job:
    id: str
    config: dict[str, Any]
    kind: str = ""
    sql: str = ""
    columns: list[dict[str, Any]] = field(default_factory=list)
    processed: int = 0
    rows: int = 0
    failed: FailedError | None = None
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def table(self) -> str:
        return "r" + self.id.replace("-", "_")


class Warehouse:
    """One database; each call has a cursor of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = duckdb.connect()
        self.database.execute("SET TimeZone = 'UTC'; CREATE SCHEMA crm; CREATE SCHEMA results")
        self.jobs: dict[str, Job] = {}
        self.configs: list[dict[str, Any]] = []
        self.cancellations: list[str] = []
        self.waits: list[str] = []

    def tokens(self) -> list[str]:
        """Return what was given out, also before a restart."""
        file = self.folder / "tokens"
        return file.read_text().split() if file.exists() else []

    def revoked(self) -> list[str]:
        return (self.folder / "revoked").read_text().split()

    def insert(self, id_: str, config: dict[str, Any]) -> Job:
        """Begin a job. Raises FailedError for what BigQuery finds before it accepts one."""
        if "bigquery.jobs.create" in self.revoked():
            raise FailedError("accessDenied", "Access Denied: Project: bigquery.jobs.create")
        job = self.jobs[id_] = Job(id_, config)
        self.configs.append(config)
        self._analyse(job)
        if not config.get("dryRun"):
            threading.Thread(target=self._run, args=[job], daemon=True).start()
        return job

    def cancelled(self, id_: str) -> Job:
        self.cancellations.append(id_)
        return self.jobs[id_]

    def _analyse(self, job: Job) -> None:
        query = job.config["query"]
        try:
            found = [one for one in sqlglot.parse(query["query"], read="bigquery") if one]
        except sqlglot.errors.SqlglotError as error:
            raise FailedError("invalidQuery", str(error)) from None
        job.kind = "SCRIPT" if len(found) > 1 else type(found[0]).__name__.upper()
        job.sql = "; ".join(one.sql("duckdb") for one in found)
        if job.kind != "SELECT":
            return
        for table in found[0].find_all(exp.Table):
            if table.name in self.revoked():
                raise FailedError("accessDenied", f"Access Denied: Table {table.name}")
        cursor = self._cursor(job)
        with translated():
            described = cursor.sql(f"SELECT * FROM ({job.sql}\n) LIMIT 0", params=self._values(job))
            job.columns = [column(*one) for one in zip(described.columns, described.types, strict=True)]
            for table in {one.name for one in found[0].find_all(exp.Table) if one.name == "customers"}:
                counted = cursor.execute(f"SELECT count(*) FROM {table}").fetchone()
                job.processed += WIDTH * (counted[0] if counted else 0)

    def _run(self, job: Job) -> None:
        config, cursor = job.config, self._cursor(job)
        late = threading.Event()

        def interrupt() -> None:
            late.set()
            cursor.interrupt()

        timer = threading.Timer(int(config.get("jobTimeoutMs") or 3_600_000) / 1000, interrupt)
        timer.daemon = True
        timer.start()
        try:
            self._require_cheap(job)
            with translated():
                if job.kind == "SELECT":
                    items = ", ".join(item(one) for one in job.columns)
                    made = f"CREATE TABLE results.{job.table} AS SELECT {items} FROM ({job.sql}\n) AS rows_"
                    cursor.execute(made, self._values(job))
                    counted = cursor.execute(f"SELECT count(*) FROM results.{job.table}").fetchone()
                    job.rows = counted[0] if counted else 0
                else:
                    cursor.execute(job.sql)
        except FailedError as error:
            stopped = FailedError("stopped", "Job execution was cancelled: Job timed out after 0 sec")
            job.failed = stopped if late.is_set() else error
        finally:
            timer.cancel()
            job.done.set()

    @staticmethod
    def _require_cheap(job: Job) -> None:
        most, billed = job.config["query"].get("maximumBytesBilled"), max(LEAST_BILLED, job.processed)
        if most and job.processed and billed > int(most):
            raise FailedError("bytesBilledLimitExceeded", f"limit: {most}. {billed} or higher required")
        if asked := re.search(r"fails_with_(\w+)", job.sql):
            raise FailedError(asked[1], "as a test asks for")

    def _cursor(self, job: Job) -> Any:
        cursor = self.database.cursor()
        name = job.config["query"].get("defaultDataset", {}).get("datasetId", "main")
        with translated():
            cursor.execute(f"USE {name}")
        return cursor

    @staticmethod
    def _values(job: Job) -> dict[str, date]:
        named = job.config["query"].get("queryParameters", [])
        return {one["name"]: date.fromisoformat(one["parameterValue"]["value"]) for one in named}


def column(name: str, kind: Any) -> dict[str, Any]:
    """Return a `TableFieldSchema`."""
    base = str(kind).partition("(")[0]
    names = {"VARCHAR": "STRING", "BLOB": "BYTES", "DOUBLE": "FLOAT", "DECIMAL": "NUMERIC", "DATE": "DATE"}
    names |= {"BOOLEAN": "BOOLEAN", "TIMESTAMP": "DATETIME", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP"}
    names |= {"JSON": "JSON", "TIME": "TIME", "FLOAT": "FLOAT"}
    mode = "NULLABLE"
    if kind.id == "list":
        mode, kind = "REPEATED", kind.child
        base = str(kind).partition("(")[0]
    stated: dict[str, Any] = {"name": name, "type": names.get(base, "INTEGER"), "mode": mode}
    if kind.id == "struct":
        stated |= {"type": "RECORD", "fields": [column(one, part) for one, part in kind.children]}
    return stated


def item(stated: dict[str, Any]) -> str:
    quoted = '"{}"'.format(stated["name"].replace('"', '""'))
    if stated["mode"] == "REPEATED" or stated["type"] == "RECORD":
        return quoted
    return f"CAST({quoted} AS {CODES.get(stated['type'], stated['type'])}) AS {quoted}"


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Errors of the database as BigQuery states them, with its texts."""
    try:
        yield
    except duckdb.CatalogException as error:
        raise FailedError("notFound", str(error)) from None
    except duckdb.Error as error:
        raise FailedError("invalidQuery", str(error)) from None


class Api(BaseHTTPRequestHandler):
    """The REST API, the endpoints that exchange tokens, and `/admin` for the tests."""

    protocol_version = "HTTP/1.1"
    warehouse: Warehouse
    public: bytes

    def log_message(self, *words: object) -> None:
        pass

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/admin":
            return self._send(200, json.loads(json.dumps(self._admin(content), default=str)))
        if self.path == "/token":
            return self._token(parse_qs(content).get("assertion", [""])[0])
        if self.path == "/sts":
            accepted = parse_qs(content).get("subject_token") == [SUBJECT_TOKEN]
            return self._exchanged(accepted=accepted)
        if self.path.partition("?")[0].endswith("/cancel"):
            id_ = self.path.split("/")[-2]
            return self._answer(lambda: {"job": self._stated(self.warehouse.cancelled(id_))})
        asked = json.loads(content)
        return self._answer(lambda: self._stated(self._inserted(asked)))

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        kind, id_ = address.path.split("/")[-2:]
        if kind == "queries":
            wait = int(parse_qs(address.query).get("timeoutMs", ["10000"])[0]) / 1000
            return self._answer(lambda: self._results(id_, min(wait, 10)))
        return self._answer(lambda: self._stated(self.warehouse.jobs[id_]))

    def _admin(self, sql: str) -> Any:
        if sql in ("configs", "cancellations", "waits"):
            return getattr(self.warehouse, sql)
        rows = self.warehouse.database.cursor().execute(f"USE crm; {sql}").fetchall()
        return rows[0][0] if rows else ""

    def _token(self, assertion: str) -> None:
        try:
            jwt.decode(assertion, certs=self.public)
        except ValueError:
            return self._exchanged(accepted=False)
        return self._exchanged(accepted=True)

    def _exchanged(self, *, accepted: bool) -> None:
        if not accepted:
            return self._send(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        token = secrets.token_hex(8)
        with (self.warehouse.folder / "tokens").open("a") as tokens:
            tokens.write(f"{token}\n")
        kind = "urn:ietf:params:oauth:token-type:access_token"
        answer = {
            "access_token": token,
            "expires_in": 3600,
            "token_type": "Bearer",
            "issued_token_type": kind,
        }
        return self._send(200, answer)

    def _inserted(self, asked: dict[str, Any]) -> Job:
        return self.warehouse.insert(asked["jobReference"]["jobId"], asked["configuration"])

    def _results(self, id_: str, wait: float) -> dict[str, Any]:
        job = self.warehouse.jobs[id_]
        self.warehouse.waits.append(id_)
        done = job.done.wait(wait)
        if job.failed:
            raise job.failed
        more = {"totalRows": str(job.rows), "schema": {"fields": job.columns}} if done else {}
        return {"jobComplete": done, "jobReference": self._reference(job), **more}

    def _stated(self, job: Job) -> dict[str, Any]:
        destination = {"projectId": "example-project", "datasetId": "results", "tableId": job.table}
        query = {"statementType": job.kind, "totalBytesProcessed": str(job.processed)}
        dry = bool(job.config.get("dryRun"))
        done = dry or job.done.is_set()
        error = {"errorResult": job.failed.stated(), "errors": [job.failed.stated()]} if job.failed else {}
        return {
            "jobReference": self._reference(job),
            "configuration": {
                **job.config,
                "query": {**job.config["query"], "destinationTable": destination},
            },
            "statistics": {"query": query | ({"schema": {"fields": job.columns}} if dry else {})},
            "status": {"state": "DONE" if done else "RUNNING", **error},
        }

    def _reference(self, job: Job) -> dict[str, str]:
        return {"projectId": "example-project", "jobId": job.id, "location": "EU"}

    def _authenticate(self) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.warehouse.tokens():
            raise FailedError("authError", "Invalid Credentials")

    def _answer(self, stated: Any) -> None:
        try:
            self._authenticate()
            self._send(200, stated())
        except FailedError as error:
            code = STATUSES.get(error.reason, 400)
            self._send(code, {"error": {"code": code, "message": str(error), "errors": [error.stated()]}})

    def _send(self, code: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass
class Reads:
    """The Read API: a session has one stream, or none for no rows."""

    warehouse: Warehouse
    public: bytes

    def authenticate(self, context: grpc.ServicerContext) -> None:
        token = dict(context.invocation_metadata()).get("authorization", "").removeprefix("Bearer ")
        with contextlib.suppress(ValueError):
            if token in self.warehouse.tokens() or jwt.decode(token, certs=self.public):
                return
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "Invalid Credentials")

    def create(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.authenticate(context)
        if "bigquery.readsessions.create" in self.warehouse.revoked():
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "bigquery.readsessions.create")
        id_ = request.read_session.table.rpartition("/")[2]
        schema = self._rows(id_).schema
        [job] = [one for one in self.warehouse.jobs.values() if one.table == id_]
        streams = [types.ReadStream(name=f"sessions/{id_}/streams/{id_}")] if job.rows else []
        arrow = types.ArrowSchema(serialized_schema=schema.serialize().to_pybytes())
        return types.ReadSession(name=f"sessions/{id_}", arrow_schema=arrow, streams=streams)

    def read(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self.authenticate(context)
        id_ = request.read_stream.rpartition("/")[2]
        if not any(one.table == id_ for one in self.warehouse.jobs.values()):
            context.abort(grpc.StatusCode.NOT_FOUND, "Requested stream was not found")
        for batch in self._rows(id_, request.offset):
            rows = types.ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes())
            yield types.ReadRowsResponse(arrow_record_batch=rows, row_count=batch.num_rows)

    def _rows(self, id_: str, offset: int = 0) -> pyarrow.RecordBatchReader:
        cursor = self.warehouse.database.cursor()
        return cursor.sql(f"FROM results.{id_} OFFSET {offset}").to_arrow_reader(BATCH)

    def handlers(self) -> grpc.GenericRpcHandler:
        kinds = {
            "CreateReadSession": grpc.unary_unary_rpc_method_handler(
                self.create, types.CreateReadSessionRequest.deserialize, types.ReadSession.serialize
            ),
            "ReadRows": grpc.unary_stream_rpc_method_handler(
                self.read, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
            ),
        }
        name = "google.cloud.bigquery.storage.v1.BigQueryRead"
        return grpc.method_handlers_generic_handler(name, kinds)


def pumped(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def joined(client: socket.socket, http: int, rpc: int) -> None:
    """Connect a client by how it begins: HTTP/2 has a preface."""
    begun = client.recv(3, socket.MSG_PEEK)
    server = socket.create_connection(("127.0.0.1", rpc if begun == b"PRI" else http))
    for one in (client, server):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=pumped, args=[server, client], daemon=True).start()
    pumped(client, server)


def main(folder: Path, port: int) -> None:
    warehouse, public = Warehouse(folder), (folder / "public.pem").read_bytes()
    Api.warehouse, Api.public = warehouse, public
    http = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    rpc = grpc.server(ThreadPoolExecutor(8))
    rpc.add_generic_rpc_handlers((Reads(warehouse, public).handlers(),))
    reads = rpc.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
    rpc.start()
    listener = socket.create_server(("127.0.0.1", port))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        client, _ = listener.accept()
        threading.Thread(target=joined, args=[client, http.server_port, reads], daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
