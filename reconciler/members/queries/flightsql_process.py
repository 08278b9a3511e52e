"""The process that speaks Arrow Flight SQL: what to ask comes in as lines of JSON, answers go out.

An answer is a line of JSON. If its `status` is "", a stream of Arrow follows, and after it another line.
The driver prints texts of servers, and exports them as spans if the environment asks for that. So it runs
here: nobody reads what this process prints, and its environment asks for nothing.
"""

import json
import sys
from datetime import date
from typing import IO, Any

import adbc_driver_flightsql
import adbc_driver_manager as adbc
import pyarrow
from adbc_driver_manager._reader import AdbcRecordBatchReader


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
        _state(out, error)


def _answer(connection: adbc.AdbcConnection, asked: dict[str, Any], out: IO[bytes]) -> None:
    with adbc.AdbcStatement(connection) as statement:
        try:
            statement.set_sql_query(asked["sql"])
            statement.prepare()
            _send(out, _run(statement, asked["dates"]) if asked["run"] else _described(statement))
        except adbc.Error as error:
            _state(out, error)  # before the statement is closed, for which a server may take its time


def _described(statement: adbc.AdbcStatement) -> pyarrow.RecordBatchReader:
    schema = pyarrow.schema(statement.execute_schema())
    return pyarrow.RecordBatchReader.from_batches(schema, [])


def _run(statement: adbc.AdbcStatement, dates: list[str]) -> pyarrow.RecordBatchReader:
    if dates:
        columns = [pyarrow.array([date.fromisoformat(one)]) for one in dates]
        batch = pyarrow.record_batch(columns, [f"p{number}" for number in range(len(dates))])
        schema, array = batch.__arrow_c_array__()
        statement.bind(array, schema)
    handle, _ = statement.execute_query()
    reader = AdbcRecordBatchReader._import_from_c(handle.address)  # noqa: SLF001 - keeps the codes of errors
    return (
        reader if reader.schema.names else _described(statement)
    )  # some state no columns if there are no rows


def _send(out: IO[bytes], reader: pyarrow.RecordBatchReader) -> None:
    """Send batches. An error among them ends the stream, and the line after it names the error."""
    _state(out)
    failed = None
    with pyarrow.ipc.new_stream(out, reader.schema) as stream:
        try:
            for batch in reader:
                stream.write_batch(batch)
        except adbc.Error as error:
            failed = error
    _state(out, failed)


def _state(out: IO[bytes], error: adbc.Error | None = None) -> None:
    """Send the code of an error, and none of its text."""
    status = error.status_code.name if error else ""
    out.write(json.dumps({"status": status}).encode() + b"\n")
    out.flush()


if __name__ == "__main__":
    main()
