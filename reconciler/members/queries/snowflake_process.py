"""A process that loads Snowflake's driver and answers one request after another; `snowflake.py` starts it.

It takes part in a `Conversation`. A status is Snowflake's number of an error, and SQLSTATE. No text of the
driver leaves the process.
"""

import json
import os
import sys
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import adbc_driver_manager as adbc
    import pyarrow

_SUCCESS = {"status": ""}
_FETCHING = {"adbc.rpc.result_queue_size": "1", "adbc.snowflake.rpc.prefetch_concurrency": "2"}
"""Batches that wait of each part, and parts fetched at once. All parts would wait in a larger queue."""


def main() -> None:
    """Connect with the options of the first line, then answer until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    import adbc_driver_manager as adbc
    import adbc_driver_snowflake

    library = adbc_driver_snowflake._driver_path()  # noqa: SLF001 - no other name for it
    requests = sys.stdin.buffer
    try:
        database = adbc.AdbcDatabase(driver=library, **json.loads(requests.readline()))
        connection = adbc.AdbcConnection(database)
    except adbc.Error as error:
        _tell(answers, _codes(error))
        return
    _tell(answers, _SUCCESS)
    for line in requests:
        _answer(connection, json.loads(line), answers)


def _answer(connection: "adbc.AdbcConnection", request: dict[str, Any], answers: IO[bytes]) -> None:
    import adbc_driver_manager as adbc
    import pyarrow

    with adbc.AdbcStatement(connection) as statement:
        try:
            statement.set_sql_query(request["sql"])
            reader = None if request["describe"] else _run(statement)
            schema = reader.schema if reader else pyarrow.schema(statement.execute_schema())
        except adbc.Error as error:
            _tell(answers, _codes(error))
            return
        _tell(answers, _SUCCESS)
        _tell(answers, _written(schema, reader, answers))


def _run(statement: "adbc.AdbcStatement") -> Any:
    from adbc_driver_manager._reader import AdbcRecordBatchReader

    statement.set_options(**_FETCHING)
    handle, _ = statement.execute_query()
    return AdbcRecordBatchReader._import_from_c(handle.address)  # noqa: SLF001 - keeps codes of errors


def _written(schema: "pyarrow.Schema", reader: Any, answers: IO[bytes]) -> dict[str, str]:
    """Write a stream, and return what ended it early."""
    import adbc_driver_manager as adbc
    import pyarrow

    with pyarrow.ipc.new_stream(answers, schema) as stream:
        try:
            for batch in reader or ():
                stream.write_batch(batch)
        except adbc.Error as error:
            return _codes(error)
    return _SUCCESS


def _codes(error: "adbc.Error") -> dict[str, str]:
    return {"status": f"{error.vendor_code or 0:06} {error.sqlstate or ''}"}


def _tell(answers: IO[bytes], value: dict[str, str]) -> None:
    answers.write(json.dumps(value).encode() + b"\n")
    answers.flush()


if __name__ == "__main__":
    main()
