"""Records requests to Criteo as spans: methods, endpoints, statuses and durations."""

from datetime import timedelta
from http import HTTPMethod, HTTPStatus
from urllib.parse import urlsplit

from reconciler.core.endpoints import is_loopback
from reconciler.core.telemetry import (
    SILENT,
    Attribute,
    Attributes,
    ErrorName,
    Server,
    SpanName,
    Telemetry,
    TraceId,
)
from reconciler.criteo.endpoints import Endpoint

PORTS = {"http": 80, "https": 443}
IN_PROCESS = ".invalid"
"""The domain of an emulator without a socket. No name below it exists."""


class CallRecorder:
    """Records the requests of one connection. It is given no path, query, body or text of a response."""

    def __init__(self, telemetry: Telemetry = SILENT, base_url: str = "") -> None:
        self._telemetry = telemetry
        self._server = _server(base_url)

    def waited(self, took: timedelta) -> None:
        """Record a wait for the rate limit."""
        self._telemetry.record(SpanName.RATE_LIMIT, took)

    def answered(
        self, method: HTTPMethod, endpoint: Endpoint, took: timedelta, status: int, trace_id: str = ""
    ) -> None:
        """Record a request that got a response. `trace_id` is Criteo's."""
        attributes: dict[Attribute, int | ErrorName | TraceId] = {Attribute.STATUS: status}
        if status >= HTTPStatus.BAD_REQUEST:
            attributes[Attribute.ERROR] = ErrorName(str(status))
        if trace_id:
            attributes[Attribute.TRACE_ID] = TraceId(trace_id)
        self._record(method, endpoint, took, attributes)

    def broken(self, method: HTTPMethod, endpoint: Endpoint, took: timedelta, error: BaseException) -> None:
        """Record a request that got no response."""
        self._record(method, endpoint, took, {Attribute.ERROR: ErrorName.of(error)})

    def _record(
        self, method: HTTPMethod, endpoint: Endpoint, took: timedelta, attributes: Attributes
    ) -> None:
        about = {Attribute.METHOD: method, Attribute.TEMPLATE: endpoint, **self._server, **attributes}
        self._telemetry.record(SpanName.CALL, took, about)


def _server(base_url: str) -> Attributes:
    parts = urlsplit(base_url)
    if is_loopback(base_url) or (parts.hostname or "").endswith(IN_PROCESS):
        server = Server.LOCAL
    else:
        server = Server.CRITEO if parts.hostname == Server.CRITEO else Server.OTHER
    return {Attribute.SERVER: server, Attribute.PORT: parts.port or PORTS.get(parts.scheme, 0)}
