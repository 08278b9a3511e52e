"""One deadline for each request, from the connection to the last byte of the answer.

Time-outs of httpx restart with each byte: a server that sends a header line now and then, or
`100 Continue` again and again, holds a call for ever.
"""

import socket
import ssl
import threading
from collections.abc import Iterable
from time import monotonic
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

PIECE = 16_384
"""Bytes that are written at once: a socket that has room at all takes them."""
CONNECTIONS, IDLE_SECONDS = 100, 5.0
"""Connections of a credential, all of which may stay open: an apply has up to 96 workers."""


class Deadline(threading.local):
    """When the request of this thread must be over. A request and its answer stay in one thread."""

    end = 0.0

    def begin(self, seconds: float) -> None:
        self.end = monotonic() + seconds

    def left(self, timeout: float | None, late: type[Exception]) -> float:
        """Seconds that the next step may take; raises `late` when there are none."""
        left = self.end - monotonic()
        seconds = left if timeout is None else min(left, timeout)
        if seconds <= 0:
            raise late("the request took too long")
        return seconds


class _Stream(httpcore.NetworkStream):
    """A connection, each step of which ends by the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for at in range(0, len(buffer), PIECE):
            left = self._deadline.left(timeout, httpcore.WriteTimeout)
            self._stream.write(buffer[at : at + PIECE], left)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Network(httpcore.NetworkBackend):
    """Connects to one address of a host after the other; all of them share the time for a connection."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._system = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        end = monotonic() + self._deadline.left(timeout, httpcore.ConnectTimeout)
        failed: Exception = httpcore.ConnectError()
        addresses = _addresses(host, port)
        for number, address in enumerate(addresses):
            share = (end - monotonic()) / (len(addresses) - number)
            if share <= 0:
                raise httpcore.ConnectTimeout
            try:
                stream = self._system.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return _Stream(stream, self._deadline)
        raise failed


def _addresses(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label of the name is empty or too long
        raise httpcore.ConnectError from error
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


class _Wire(httpx.HTTPTransport):
    """httpx's own transport over connections that keep the deadline."""

    def __init__(self, context: ssl.SSLContext, deadline: Deadline, proxy: httpx.Proxy | None = None) -> None:
        super().__init__(verify=context, proxy=proxy)
        self._pool.close()
        pool: dict[str, Any] = {
            "ssl_context": context,
            "max_connections": CONNECTIONS,
            "max_keepalive_connections": CONNECTIONS,
            "keepalive_expiry": IDLE_SECONDS,
            "network_backend": _Network(deadline),
        }
        if proxy is None:
            self._pool = httpcore.ConnectionPool(**pool)
        else:
            at = httpcore.URL(
                scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target="/"
            )
            self._pool = httpcore.HTTPProxy(
                at, proxy_auth=proxy.raw_auth, proxy_headers=proxy.headers.raw, **pool
            )


class Loopback(httpx.BaseTransport):
    """Straight to a server on this machine, without TLS, and through no proxy."""

    def __init__(self) -> None:
        self._deadline = Deadline()
        self._wire = _Wire(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self._deadline)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._deadline.begin(request.extensions["timeout"]["read"])
        return self._wire.handle_request(request)

    def close(self) -> None:
        self._wire.close()


class Routes(httpx.BaseTransport):
    """Straight to a host, or through the proxy that the environment names for it.

    Reads the environment when it is made: OSError for certificates, ValueError for an address of a proxy.
    `authorities` is a file of those to be trusted instead of the environment's.
    """

    def __init__(self, authorities: str = "") -> None:
        self._deadline = Deadline()
        context = (
            ssl.create_default_context(cafile=authorities) if authorities else httpx.create_ssl_context()
        )
        self._direct = _Wire(context, self._deadline)
        named = {scheme: address for scheme, address in getproxies().items() if address}
        self._proxies: dict[str, _Wire] = {
            scheme: _Wire(context, self._deadline, _proxy(named[scheme]))
            for scheme in ("http", "https", "all")
            if scheme in named
        }

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._deadline.begin(request.extensions["timeout"]["read"])
        return self._way(request.url).handle_request(request)

    def _way(self, url: httpx.URL) -> httpx.HTTPTransport:
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        return self._direct if proxy is None or proxy_bypass(url.host) else proxy

    def close(self) -> None:
        for wire in (self._direct, *self._proxies.values()):
            wire.close()


def _proxy(address: str) -> httpx.Proxy:
    proxy = httpx.Proxy(address if "://" in address else f"http://{address}")
    if proxy.url.scheme not in {"http", "https"} or not proxy.url.host:
        raise ValueError("not the address of a proxy")
    return proxy
