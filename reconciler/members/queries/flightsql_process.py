"""The process that speaks Arrow Flight SQL: what to ask comes in as lines of JSON, answers go out.

An answer is a line of JSON. If its `status` is "", a stream of Arrow follows, and after it another line.
The driver prints texts of servers, and exports them as spans if the environment asks for that. So it runs
here: nobody reads what this process prints, and its environment asks for nothing.
"""

import contextlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import IO, Any
from urllib.parse import urlsplit

import adbc_driver_flightsql
import adbc_driver_manager as adbc
import pyarrow
from adbc_driver_manager._reader import AdbcRecordBatchReader
from pyarrow import flight

ELSEWHERE = "ELSEWHERE"
"""The status of rows that are at a host to which the login would go without TLS."""
_SAME = "arrow-flight-reuse-connection"
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_CODE = re.compile(r"UNKNOWN: \[FlightSQL\] rpc error: code = ([A-Za-z]+) ")
_CODES = {
    "Canceled": "CANCELLED",
    "DeadlineExceeded": "TIMEOUT",
    "InvalidArgument": "INVALID_ARGUMENT",
    "PermissionDenied": "UNAUTHORIZED",
    "Unauthenticated": "UNAUTHENTICATED",
    "Unavailable": "IO",
}
"""The status of a code of gRPC, which the driver puts only into its text if rows end early."""
_Batches = tuple[pyarrow.Schema, Iterable[pyarrow.RecordBatch]]


class ElsewhereError(Exception):
    """A server names a host without TLS."""


def main() -> None:
    lines, out = sys.stdin.buffer, sys.stdout.buffer
    address = json.loads(lines.readline())
    library = adbc_driver_flightsql._driver_path()  # noqa: SLF001 - no other name for it
    try:
        with (
            adbc.AdbcDatabase(driver=library, uri=address["uri"], **address["options"]) as database,
            adbc.AdbcConnection(database) as connection,
        ):
            for line in lines:
                _answer(connection, json.loads(line), out)
    except adbc.Error as error:
        _state(out, _status(error))


def _answer(connection: adbc.AdbcConnection, asked: dict[str, Any], out: IO[bytes]) -> None:
    statement = adbc.AdbcStatement(connection)
    try:
        statement.set_sql_query(asked["sql"])
        statement.prepare()
        if asked["run"]:
            _bind(statement, asked["dates"])
            _send(out, _run(connection, statement))
        else:
            _send(out, _described(statement))
    except (adbc.Error, ElsewhereError) as error:
        # Before the statement is closed: for that, a server may take its time.
        _state(out, _status(error))
    finally:
        with contextlib.suppress(adbc.Error):  # a server that is lost closes nothing
            statement.close()


def _bind(statement: adbc.AdbcStatement, dates: Sequence[str]) -> None:
    if dates:
        columns = [pyarrow.array([date.fromisoformat(one)]) for one in dates]
        batch = pyarrow.record_batch(columns, [f"p{number}" for number in range(len(dates))])
        schema, array = batch.__arrow_c_array__()
        statement.bind(array, schema)


def _described(statement: adbc.AdbcStatement) -> _Batches:
    return pyarrow.schema(statement.execute_schema()), ()


def _run(connection: adbc.AdbcConnection, statement: adbc.AdbcStatement) -> _Batches:
    parts, handle, _ = statement.execute_partitions()
    for part in parts:
        _require_safe(part)
    schema = pyarrow.schema(handle)
    if not schema.names:  # some servers state no columns if there are no rows
        return _described(statement)
    return schema, (batch for part in parts for batch in _batches(connection, part))


def _require_safe(part: bytes) -> None:
    """Raise ElsewhereError if the login would go to a host without TLS, and not to this machine."""
    for endpoint in flight.FlightInfo.deserialize(part).endpoints:
        for location in endpoint.locations:
            url = urlsplit(location.uri.decode())
            if url.scheme not in (_SAME, "grpc+tls") and url.hostname not in _HERE:
                raise ElsewhereError


def _batches(connection: adbc.AdbcConnection, part: bytes) -> Iterator[pyarrow.RecordBatch]:
    handle = connection.read_partition(part)
    yield from AdbcRecordBatchReader._import_from_c(handle.address)  # noqa: SLF001 - keeps the codes of errors


def _send(out: IO[bytes], answer: _Batches) -> None:
    """Send batches. An error among them ends the stream, and the line after it names the error."""
    schema, batches = answer
    status = ""
    _state(out, status)
    with pyarrow.ipc.new_stream(out, schema) as stream:
        try:
            for batch in batches:
                stream.write_batch(batch)
        except adbc.Error as error:
            status = _status(error)
    _state(out, status)


def _status(error: adbc.Error | ElsewhereError) -> str:
    """Return the code of an error, and none of its text."""
    if isinstance(error, ElsewhereError):
        return ELSEWHERE
    status, found = str(error.status_code.name), _CODE.match(str(error))
    return _CODES.get(found[1], status) if found else status


def _state(out: IO[bytes], status: str) -> None:
    out.write(json.dumps({"status": status}).encode() + b"\n")
    out.flush()


if __name__ == "__main__":
    main()
