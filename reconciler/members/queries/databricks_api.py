"""The Statement Execution API of Databricks: a statement, its result, and the rows of that result.

Rows are downloaded from addresses that the workspace names. These get no token, and no redirect is followed.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx

from reconciler.core.database import DatabaseConnection, Server, TlsMode
from reconciler.core.errors import ConfigurationError
from reconciler.members.queries.databricks_errors import failed, refused, unreachable
from reconciler.members.queries.databricks_login import login
from reconciler.members.queries.databricks_types import Column
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Account, Limits
from reconciler.web.deadline import Loopback, Routes
from reconciler.web.size_limits import Bounded

STATEMENTS = "/api/2.0/sql/statements"
SECONDS, CONNECT_SECONDS, CANCEL_SECONDS = 30.0, 10.0, 3.0
"""For one request, for its connection, and for the request that cancels a statement."""
ATTEMPTS, PAUSE = 3, 0.5
"""How often a request is sent, and seconds before it is sent again."""
FIRST_POLL, LAST_POLL = 0.05, 1.0
"""Seconds between two questions whether a statement is done: they double."""
LARGEST_ANSWER, LARGEST_CHUNK = 32 << 20, 256 << 20
"""Bytes of an answer, and of a part of a result."""
_NOT_TAKEN = frozenset({429, 503})
_LATER = _NOT_TAKEN | {500, 502, 504}
"""Statuses after which a request is sent again: each request, and one that only reads."""
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement returned. Its rows are in `chunks`, or in `values` if they were asked for inline."""

    id: str
    columns: tuple[Column, ...]
    rows: int
    chunks: int
    values: tuple[tuple[object, ...], ...]


class Workspace:
    """Asks one SQL warehouse. Raises QueryError."""

    def __init__(
        self,
        connection: DatabaseConnection,
        server: Server,
        warehouse: str,
        account: Account,
        limits: Limits,
    ) -> None:
        self._limits = limits
        self._encrypted = server.tls is not TlsMode.DISABLE
        self._where = {
            "warehouse_id": warehouse,
            **({"catalog": connection.catalog} if connection.catalog else {}),
            **({"schema": server.database} if server.database else {}),
        }
        host = f"[{server.host}]" if ":" in server.host else server.host
        url = f"{'https' if self._encrypted else 'http'}://{host}:{server.port}"
        self._api = _client(self._encrypted, LARGEST_ANSWER, base_url=url, auth=login(url, account))
        self._storage = _client(self._encrypted, LARGEST_CHUNK)

    def close(self) -> None:
        self._api.close()
        self._storage.close()

    def run(self, sql: str, today: date | None, end: float, *, inline: bool = False) -> Result:
        """Run a statement to its end. It is cancelled if nobody waits for it any more."""
        kept = ("INLINE", "JSON_ARRAY") if inline else ("EXTERNAL_LINKS", "ARROW_STREAM")
        asked: dict[str, Any] = {
            **self._where,
            "statement": sql,
            "disposition": kept[0],
            "format": kept[1],
            "wait_timeout": "0s",  # its ID arrives at once, and can be cancelled
            "on_wait_timeout": "CONTINUE",
        }
        if today is not None:
            asked["parameters"] = [{"name": "today", "value": today.isoformat(), "type": "DATE"}]
        answer = self._asked("POST", STATEMENTS, end, asked)
        id_ = answer.get("statement_id")
        if not isinstance(id_, str) or not _ID.fullmatch(id_):
            raise QueryError(QueryProblem.NOT_A_WORKSPACE)
        try:
            answer = self._ended(id_, answer, end)
        except BaseException:
            self._cancel(id_)
            raise
        _require_success(answer)
        return _result(id_, answer)

    def chunk(self, result: Result, index: int, end: float) -> bytearray:
        """Return a part of a result, as a stream of Arrow. An address that fails is asked for again."""
        for attempt in range(ATTEMPTS):
            self._wait(attempt)
            answer = self._asked("GET", f"{STATEMENTS}/{result.id}/result/chunks/{index}", end)
            url, headers = _link(answer, index)
            self._require_safe(url)
            try:
                return self._downloaded(url, headers, end)
            except (httpx.HTTPError, ValueError) as error:  # ValueError: a header that can't be sent
                found = unreachable(error)
        raise _late(end) or found

    def _downloaded(self, url: str, headers: Mapping[str, str], end: float) -> bytearray:
        content = bytearray()
        timeout = httpx.Timeout(_left(end), connect=CONNECT_SECONDS)
        with self._storage.stream("GET", url, headers=headers, timeout=timeout) as answer:
            if answer.status_code != httpx.codes.OK:
                raise httpx.RemoteProtocolError("not the part of a result")
            for piece in answer.iter_bytes():
                self._limits.check()
                content += piece
        return content

    def _require_safe(self, url: str) -> None:
        """Raise QueryError for an address that anybody on the way could read."""
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL:
            raise QueryError(QueryProblem.NOT_A_WORKSPACE) from None
        is_local = not self._encrypted and parts.scheme == "http" and parts.host in _HERE
        if parts.scheme != "https" and not is_local:
            raise QueryError(QueryProblem.OPEN_ADDRESS)

    def _ended(self, id_: str, answer: dict[str, Any], end: float) -> dict[str, Any]:
        pause = FIRST_POLL
        while _status(answer).get("state") in ("PENDING", "RUNNING"):
            self._limits.check()
            if late := _late(end):
                raise late
            time.sleep(pause)
            pause = min(2 * pause, LAST_POLL)
            answer = self._asked("GET", f"{STATEMENTS}/{id_}", end)
        return answer

    def _cancel(self, id_: str) -> None:
        try:
            self._api.post(f"{STATEMENTS}/{id_}/cancel", timeout=CANCEL_SECONDS)
        except (httpx.HTTPError, QueryError):
            return  # it ends by itself, or at the time limit of the warehouse

    def _asked(
        self, method: str, path: str, end: float, content: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return a sound answer. A request that may have had an effect is not sent again."""
        for attempt in range(ATTEMPTS):
            self._wait(attempt)
            timeout = httpx.Timeout(min(SECONDS, _left(end)), connect=CONNECT_SECONDS)
            try:
                answer = self._api.request(method, path, json=content, timeout=timeout)
            except httpx.HTTPError as error:
                found = _late(end) or unreachable(error)
                if method != "GET":
                    break
            else:
                if answer.status_code == httpx.codes.OK:
                    return _object(answer)
                found = refused(answer.status_code, _code(answer))
                if answer.status_code not in (_LATER if method == "GET" else _NOT_TAKEN):
                    break
        raise found

    def _wait(self, attempt: int) -> None:
        self._limits.check()
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))


def _client(encrypted: bool, largest: int, **more: Any) -> httpx.Client:
    try:
        transport = Bounded(Routes() if encrypted else Loopback(), largest, frozenset())
    except (OSError, ValueError):
        raise ConfigurationError(
            "SSL_CERT_FILE, SSL_CERT_DIR or HTTPS_PROXY is not usable",
            remedy="name a file in PEM format and the address of a proxy, or unset them",
        ) from None
    headers = {"Accept-Encoding": "gzip", "User-Agent": "criteo-reconciler"}
    return httpx.Client(transport=transport, headers=headers, trust_env=False, follow_redirects=False, **more)


def _left(end: float) -> float:
    """Return the seconds for a request. Raises QueryError if there are none."""
    if (left := end - time.monotonic()) <= 0:
        raise QueryError(QueryProblem.TIME)
    return left


def _late(end: float) -> QueryError | None:
    return QueryError(QueryProblem.TIME) if time.monotonic() >= end else None


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except (ValueError, RecursionError):
        raise QueryError(QueryProblem.NOT_A_WORKSPACE) from None
    if not isinstance(content, dict):
        raise QueryError(QueryProblem.NOT_A_WORKSPACE)
    return content


def _code(answer: httpx.Response) -> object:
    try:
        return _object(answer).get("error_code")
    except QueryError:
        return None


def _status(answer: dict[str, Any]) -> dict[str, Any]:
    status = answer.get("status")
    if not isinstance(status, dict):
        raise QueryError(QueryProblem.NOT_A_WORKSPACE)
    return status


def _require_success(answer: dict[str, Any]) -> None:
    match _status(answer).get("state"):
        case "SUCCEEDED":
            return
        case "FAILED":
            raise failed(_status(answer))
        case "CANCELED" | "CLOSED" as state:
            raise QueryError(QueryProblem.LOST, state)
        case _:
            raise QueryError(QueryProblem.NOT_A_WORKSPACE)


def _result(id_: str, answer: dict[str, Any]) -> Result:
    """Return what a statement that succeeded returned. A result that was cut is refused."""
    try:
        manifest = answer["manifest"]
        columns = tuple(
            Column(str(one["name"]), str(one["type_text"])) for one in manifest["schema"]["columns"]
        )
        rows, chunks = int(manifest.get("total_row_count", 0)), int(manifest.get("total_chunk_count", 0))
        values = tuple(tuple(one) for one in (answer.get("result") or {}).get("data_array") or ())
        truncated = manifest.get("truncated")
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise QueryError(QueryProblem.NOT_A_WORKSPACE) from None
    if truncated:
        raise QueryError(QueryProblem.RESULT)
    return Result(id_, columns, rows, chunks, values)


def _link(answer: dict[str, Any], index: int) -> tuple[str, dict[str, str]]:
    """Return where a part of a result is, and the headers that its storage needs."""
    try:
        [found] = [one for one in answer["external_links"] if one.get("chunk_index", 0) == index]
        return str(found["external_link"]), {
            str(key): str(value) for key, value in (found.get("http_headers") or {}).items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise QueryError(QueryProblem.NOT_A_WORKSPACE) from None
