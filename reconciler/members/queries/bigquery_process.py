"""The process that asks BigQuery: what to ask comes in as lines of JSON, answers go out.

An answer is a line of JSON. After that of `read`, a stream of Arrow follows, and another line. Google's
clients retry for minutes, log texts of the server, and connect to where the environment says. So they run
here.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import IO, Any

import pyarrow
import requests
from google.api_core.exceptions import GoogleAPICallError, RetryError, ServiceUnavailable
from google.api_core.retry import Retry, if_exception_type
from google.auth import default
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
from google.cloud.bigquery_storage_v1.types import DataFormat, ReadSession
from google.oauth2 import service_account
from grpc import local_channel_credentials

from reconciler.members.queries.bigquery_errors import (
    LATE,
    NO_CREDENTIALS,
    PROBLEMS,
    REFUSED,
    UNREACHABLE,
)

LABELS = {"application": "criteo-reconciler"}
SCOPES = ("https://www.googleapis.com/auth/bigquery",)
RETRYING, CALLING, CANCELLING = 20.0, 30.0, 2.0
"""Seconds in which a request that failed is sent again, that one may take, and that a cancellation may."""
_ASKING = bigquery.DEFAULT_RETRY.with_timeout(RETRYING)
_READING = Retry(predicate=if_exception_type(ServiceUnavailable), timeout=RETRYING)


class NotAKeyError(Exception):
    """The secret is no key of a service account."""


class BigQuery:
    """Asks as one login. `run` keeps its result for `read`."""

    def __init__(self, address: dict[str, Any]) -> None:
        self._address = address
        self._credentials = _credentials(address["key"], address["project"])
        self._client = bigquery.Client(
            project=address["project"],
            credentials=self._credentials,
            location=address["location"],
            client_options={"api_endpoint": address["api"]},
        )
        self._result = ""
        self._job: bigquery.QueryJob | None = None

    def describe(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return what a dry run states: the kind of a statement, the bytes that it reads, and its columns."""
        job = self._begun(asked, dry_run=True, use_query_cache=False)
        columns = [one.to_api_repr() for one in job.schema or ()]
        return {"kind": job.statement_type or "", "bytes": job.total_bytes_processed or 0, "columns": columns}

    def run(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Run a query until it is done, and return the number of its rows."""
        seconds, limits = self._address["seconds"], {}
        if self._address["bytes"] is not None:
            limits["maximum_bytes_billed"] = self._address["bytes"]
        job = self._job = self._begun(asked, job_timeout_ms=max(1, int(seconds * 1000)), **limits)
        try:
            rows = job.result(max_results=0, retry=_ASKING, timeout=seconds + CALLING, job_retry=None)
        except GoogleAPICallError:
            self._job = None  # it has ended
            raise
        self._job = None
        kept = job.destination
        self._result = f"projects/{kept.project}/datasets/{kept.dataset_id}/tables/{kept.table_id}"
        return {"rows": rows.total_rows or 0}

    def read(self) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
        """Return the rows of the last query."""
        client = BigQueryReadClient(
            transport=BigQueryReadGrpcTransport(
                host=self._address["reads"],
                credentials=self._credentials,
                ssl_channel_credentials=None if self._address["encrypted"] else local_channel_credentials(),
            )
        )
        session = client.create_read_session(
            parent=f"projects/{self._address['project']}",
            read_session=ReadSession(table=self._result, data_format=DataFormat.ARROW),
            max_stream_count=1,
            retry=_READING,
            timeout=CALLING,
        )
        schema = pyarrow.ipc.read_schema(pyarrow.py_buffer(session.arrow_schema.serialized_schema))

        def batches() -> Iterator[pyarrow.RecordBatch]:
            seconds = self._address["seconds"] + CALLING
            for stream in session.streams:
                for one in client.read_rows(stream.name, retry=_READING, timeout=seconds):
                    content = one.arrow_record_batch.serialized_record_batch
                    yield pyarrow.ipc.read_record_batch(pyarrow.py_buffer(content), schema)

        return schema, batches()

    def cancel(self) -> None:
        """End the query that runs, if there is one: nobody waits for it any more, and it costs."""
        if self._job is not None:
            self._job.cancel(retry=None, timeout=CANCELLING)

    def _begun(self, asked: dict[str, Any], **settings: Any) -> bigquery.QueryJob:
        today = bigquery.ScalarQueryParameter("reconciler_today", "DATE", asked["today"])
        config = bigquery.QueryJobConfig(
            query_parameters=[today] if asked["today"] else [], labels=LABELS, **settings
        )
        if dataset := self._address["dataset"]:
            config.default_dataset = bigquery.DatasetReference.from_string(dataset, self._client.project)
        return self._client.query(
            asked["sql"], job_config=config, retry=_ASKING, timeout=CALLING, job_retry=None
        )


def _credentials(key: str, project: str) -> Any:
    """Return those of a key, or without one those that this machine has."""
    if not key:
        os.environ["GOOGLE_CLOUD_PROJECT"] = project  # or another API is asked which project this is
        found, _ = default(scopes=SCOPES)
        return found
    try:
        return service_account.Credentials.from_service_account_info(json.loads(key), scopes=SCOPES)
    except (ValueError, AttributeError, TypeError):
        raise NotAKeyError from None


_FAILURES = (GoogleAPICallError, RetryError, GoogleAuthError, NotAKeyError, OSError)
"""What the clients raise. Errors of `requests` and times out are among those of the system."""


def _code(error: BaseException) -> str:
    """Return the code of an error, and none of its text."""
    if isinstance(error, RetryError):
        return _code(error.cause) if isinstance(error.cause, Exception) else UNREACHABLE
    if isinstance(error, GoogleAPICallError):
        reasons = [one.get("reason") for one in error.errors if isinstance(one, dict)]
        if reasons or isinstance(error.response, requests.Response):
            return str(next((one for one in reasons if one in PROBLEMS), int(error.code or 0)))
        return str(getattr(error.grpc_status_code, "name", "UNKNOWN"))
    if isinstance(error, (DefaultCredentialsError, NotAKeyError)):
        return NO_CREDENTIALS
    if isinstance(error, RefreshError):
        return REFUSED
    late = isinstance(error, (TimeoutError, requests.Timeout))
    return LATE if late else UNREACHABLE


def main() -> None:
    lines, out = sys.stdin.buffer, sys.stdout.buffer
    try:
        asker = BigQuery(json.loads(lines.readline()))
    except _FAILURES as error:
        _state(out, _code(error))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        for line in lines:
            _answer(asker, json.loads(line), out)
    finally:
        asker.cancel()


def _answer(asker: BigQuery, asked: dict[str, Any], out: IO[bytes]) -> None:
    try:
        if asked["step"] == "read":
            _send(out, *asker.read())
        else:
            answer = asker.describe(asked) if asked["step"] == "describe" else asker.run(asked)
            _state(out, "", **answer)
    except _FAILURES as error:
        _state(out, _code(error))


def _send(out: IO[bytes], schema: pyarrow.Schema, batches: Iterator[pyarrow.RecordBatch]) -> None:
    """Send batches. An error among them ends the stream, and the line after it names the error."""
    _state(out, "")
    code = ""
    with pyarrow.ipc.new_stream(out, schema) as stream:
        try:
            for batch in batches:
                stream.write_batch(batch)
        except _FAILURES as error:
            code = _code(error)
    _state(out, code)


def _state(out: IO[bytes], status: str, **answer: Any) -> None:
    out.write(json.dumps({"status": status, **answer}).encode() + b"\n")
    out.flush()


if __name__ == "__main__":
    main()
