"""What goes wrong in Databricks: SQLSTATE of a statement, and codes of its REST API.

SQLSTATE is shown. A code that is not known here is not passed on: it is a text of the server.
"""

import re
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.web.size_limits import TooLargeError

_STATES: Mapping[str, QueryProblem] = {
    "22": QueryProblem.VALUE,
    "42": QueryProblem.INVALID,
    "42501": QueryProblem.FORBIDDEN,
    "42703": QueryProblem.UNKNOWN_NAME,
    "42704": QueryProblem.UNKNOWN_NAME,
    "42883": QueryProblem.UNKNOWN_NAME,
    "42P01": QueryProblem.UNKNOWN_NAME,
    "57014": QueryProblem.TIME,
    "57KD0": QueryProblem.TIME,
    "08": QueryProblem.LOST,
}
"""What SQLSTATE means, or its first two characters."""
_CODES: Mapping[str, QueryProblem] = {
    "ABORTED": QueryProblem.LOST,
    "BAD_REQUEST": QueryProblem.INVALID,
    "CANCELLED": QueryProblem.LOST,
    "DEADLINE_EXCEEDED": QueryProblem.TIME,
    "INTERNAL_ERROR": QueryProblem.LOST,
    "IO_ERROR": QueryProblem.LOST,
    "NOT_FOUND": QueryProblem.UNKNOWN_NAME,
    "NOT_IMPLEMENTED": QueryProblem.NO_FILES,
    "RESOURCE_EXHAUSTED": QueryProblem.BUSY,
    "SERVICE_UNDER_MAINTENANCE": QueryProblem.LOST,
    "TEMPORARILY_UNAVAILABLE": QueryProblem.LOST,
    "UNAUTHENTICATED": QueryProblem.TOKEN,
    "WORKSPACE_TEMPORARILY_UNAVAILABLE": QueryProblem.LOST,
}
"""What the code of a statement means that failed without SQLSTATE."""
_STATE = re.compile(r"[0-9A-Z]{5}")
_REQUESTS: Mapping[str, QueryProblem] = {
    "BAD_REQUEST": QueryProblem.INVALID,
    "INVALID_PARAMETER_VALUE": QueryProblem.NO_FILES,
    "NOT_IMPLEMENTED": QueryProblem.NO_FILES,
    "PERMISSION_DENIED": QueryProblem.SQL_WAREHOUSE,
    "RESOURCE_DOES_NOT_EXIST": QueryProblem.SQL_WAREHOUSE,
}
"""What the code of a request means that is refused before its statement is looked at."""
_REFUSED: Mapping[int, QueryProblem] = {
    httpx.codes.FORBIDDEN: QueryProblem.TOKEN,
    httpx.codes.TOO_MANY_REQUESTS: QueryProblem.BUSY,
}
"""What a status of HTTP means, if the code has no meaning here."""


def failed(status: Mapping[str, Any]) -> QueryError:
    """Return why a statement failed, by its `StatementStatus`."""
    state = status.get("sql_state")
    if isinstance(state, str) and _STATE.fullmatch(state):
        return QueryError(_STATES.get(state) or _STATES.get(state[:2], QueryProblem.OTHER), state)
    error = status.get("error")
    code = error.get("error_code") if isinstance(error, dict) else ""
    if isinstance(code, str) and code in _CODES:
        return QueryError(_CODES[code], code)
    return QueryError(QueryProblem.OTHER)


def refused(status: int, code: object) -> QueryError:
    """Return why a request was refused, by its status of HTTP and the code of its answer."""
    shown = str(status)
    if status == httpx.codes.UNAUTHORIZED:
        return QueryError(QueryProblem.TOKEN, shown)
    if isinstance(code, str) and code in _REQUESTS:
        return QueryError(_REQUESTS[code], code)
    otherwise = (
        QueryProblem.LOST if status >= httpx.codes.INTERNAL_SERVER_ERROR else QueryProblem.NOT_A_WORKSPACE
    )
    return QueryError(_REFUSED.get(status, otherwise), shown)


def unreachable(error: Exception) -> QueryError:
    """Return why no answer arrived, or none that can be used."""
    if isinstance(error, TooLargeError):
        return QueryError(QueryProblem.NOT_A_WORKSPACE)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return QueryError(QueryProblem.CERTIFICATE)
        cause = cause.__cause__ or cause.__context__
    return QueryError(QueryProblem.LOST)
