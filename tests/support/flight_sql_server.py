"""A server of Arrow Flight SQL over DuckDB: what a client that prepares statements needs.

python flight_sql_server.py FOLDER PORT [CERTIFICATE KEY]

It was written from the published protocol. `reader` may do all that SQL does, but for the tables in
FOLDER/revoked: the protocol itself keeps nobody from writing.
"""

import base64
import contextlib
import re
import secrets
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from pyarrow import flight

LOGINS = {"reader": "not-a-secret"}
TOKEN = "not-a-secret-token"
UNBOUND = "-- unbound"
"""A comment with which the server is one that binds nothing."""
ELSEWHERE = "-- elsewhere "
"""A comment whose next word is where the server says that the rows are."""
BATCH = 2048
COUNT = 'SELECT CAST(0 AS BIGINT) AS "Count"'
"""What a statement that is no query returns."""
MESSAGES: dict[str, tuple[str, ...]] = {
    "CommandPreparedStatementQuery": ("handle",),
    "ActionCreatePreparedStatementRequest": ("query",),
    "ActionClosePreparedStatementRequest": ("handle",),
    "ActionCreatePreparedStatementResult": ("handle", "dataset_schema", "parameter_schema"),
}
"""The messages of FlightSql.proto that are used, with their first fields, in order."""


def _messages() -> dict[str, Any]:
    package = "arrow.flight.protocol.sql"
    file = descriptor_pb2.FileDescriptorProto(name="FlightSql.proto", package=package, syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in MESSAGES.items():
        made = file.message_type.add(name=name)
        for number, one in enumerate(fields, 1):
            kind = kinds.TYPE_STRING if one == "query" else kinds.TYPE_BYTES
            made.field.add(name=one, number=number, type=kind, label=kinds.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in MESSAGES
    }


CLASSES = _messages()


def unpacked(body: bytes) -> Any:
    """Return the message in an `Any`."""
    packed = any_pb2.Any.FromString(body)
    name = packed.type_url.rpartition(".")[2]
    if name not in CLASSES:
        raise NotImplementedError(name)
    return CLASSES[name].FromString(packed.value)


def packed(name: str, **fields: bytes) -> bytes:
    made = any_pb2.Any()
    made.Pack(CLASSES[name](**fields))
    return made.SerializeToString()


class User(flight.ServerMiddleware):
    """Who calls, with which header `database`; the answer to a password is a token."""

    def __init__(self, database: str, answer: dict[str, str]) -> None:
        self.database = database
        self.answer = answer

    def sending_headers(self) -> dict[str, str]:
        return self.answer


class Users(flight.ServerMiddlewareFactory):
    def __init__(self) -> None:
        self.tokens = {TOKEN}

    def start_call(self, info: object, headers: dict[str, list[str]]) -> User:
        kind, _, value = headers.get("authorization", [""])[0].partition(" ")
        [name] = headers.get("database", [""])
        if kind == "Basic":
            user, _, password = base64.b64decode(f"{value}==").decode().partition(":")
            if LOGINS.get(user) == password:
                token = secrets.token_hex(8)
                self.tokens.add(token)
                return User(name, {"authorization": f"Bearer {token}"})
        elif kind == "Bearer" and value in self.tokens:
            return User(name, {})
        raise flight.FlightUnauthenticatedError("no such user")


class Anybody(flight.ServerAuthHandler):
    """Headers decide, not the handshake."""

    def authenticate(self, outgoing: object, incoming: object) -> None:
        pass

    def is_valid(self, token: object) -> bytes:
        return b""


@dataclass
class Prepared:
    sql: str
    schema: pyarrow.Schema
    values: list[object] = field(default_factory=list)


class Server(flight.FlightServerBase):
    def __init__(self, folder: Path, location: str, certificates: list[tuple[bytes, bytes]]) -> None:
        super().__init__(
            location,
            auth_handler=Anybody(),
            middleware={"users": Users()},
            tls_certificates=certificates or None,
        )
        self.folder = folder
        self.database = duckdb.connect()
        self.prepared: dict[bytes, Prepared] = {}

    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> Iterator[bytes]:
        body = action.body.to_pybytes()
        if action.type == "admin":
            rows = self.database.cursor().execute(body.decode()).fetchall()
            yield repr(rows[0][0] if rows else "").encode()
        elif action.type == "CreatePreparedStatement":
            yield self._prepare(unpacked(body).query)
        elif action.type == "ClosePreparedStatement":
            self.prepared.pop(unpacked(body).handle, None)
        else:
            raise NotImplementedError(action.type)

    def _prepare(self, sql: str) -> bytes:
        revoked = (self.folder / "revoked").read_text().split()
        if any(re.search(rf"\b{one}\b", sql) for one in revoked):
            raise flight.FlightUnauthorizedError("no right")
        with translated():
            statements = duckdb.extract_statements(sql)
        if len(statements) != 1:
            raise pyarrow.ArrowInvalid("one statement")
        [statement] = statements
        cursor = self.database.cursor()
        with translated():
            parameters = len(statement.named_parameters)
            asked = f"SELECT * FROM ({sql}\n) LIMIT 0" if statement.type.name == "SELECT" else COUNT
            described = cursor.sql(asked, params=[None] * parameters).to_arrow_table().schema
        handle = secrets.token_bytes(8)
        self.prepared[handle] = Prepared(sql, described)
        types = pyarrow.schema([(f"p{number}", pyarrow.date32()) for number in range(parameters)])
        return packed(
            "ActionCreatePreparedStatementResult",
            handle=handle,
            dataset_schema=described.serialize().to_pybytes(),
            parameter_schema=types.serialize().to_pybytes(),
        )

    def do_put(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        handle = unpacked(descriptor.command).handle
        if UNBOUND in self.prepared[handle].sql:
            raise NotImplementedError
        self.prepared[handle].values = [column[0].as_py() for column in reader.read_all().columns]

    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        handle = unpacked(descriptor.command).handle
        _, is_elsewhere, where = self.prepared[handle].sql.rpartition(ELSEWHERE)
        places = where.split()[:1] if is_elsewhere else []
        endpoint = flight.FlightEndpoint(flight.Ticket(handle), places)
        return flight.FlightInfo(self.prepared[handle].schema, descriptor, [endpoint], -1, -1)

    def do_get(self, context: flight.ServerCallContext, ticket: flight.Ticket) -> flight.FlightDataStream:
        prepared = self.prepared[ticket.ticket]
        cursor = self.database.cursor()
        cursor.execute("SET VARIABLE database = ?", [context.get_middleware("users").database])
        with interruptible(context, cursor), translated():
            rows = cursor.sql(prepared.sql, params=prepared.values) or cursor.sql(COUNT)
            reader = rows.to_arrow_reader(BATCH)
        if any(pyarrow.types.is_dictionary(one) for one in reader.schema.types):
            return flight.RecordBatchStream(reader)  # the other one sends no dictionaries

        def batches() -> Iterator[pyarrow.RecordBatch]:
            with interruptible(context, cursor), translated():
                yield from reader

        return flight.GeneratorStream(reader.schema, batches())


@contextlib.contextmanager
def interruptible(context: flight.ServerCallContext, cursor: Any) -> Iterator[None]:
    """End a statement that nobody waits for any more."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            if context.is_cancelled():
                cursor.interrupt()

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Errors of the database as Flight states them, with its texts."""
    try:
        yield
    except duckdb.CatalogException as error:
        raise KeyError(str(error)) from None
    except (duckdb.Error, pyarrow.ArrowException) as error:
        raise pyarrow.ArrowInvalid(str(error)) from None


if __name__ == "__main__":
    folder, port, *files = sys.argv[1:]
    pair = [tuple(Path(one).read_bytes() for one in files)] if files else []
    scheme = "grpc+tls" if files else "grpc"
    server = Server(Path(folder), f"{scheme}://127.0.0.1:{port}", pair)  # type: ignore[arg-type] # a pair
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    server.serve()
