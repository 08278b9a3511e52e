"""Whether a server answers, link by link: a driver tells these failures apart in its text only."""

import socket

from reconciler.members.queries.problems import QueryError, QueryProblem

WAIT = 10
"""Seconds that all addresses of a host may take together."""


def require_reachable(host: str, port: int) -> None:
    """Raise QueryError if the name has no address, or if none accepts a connection."""
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise QueryError(QueryProblem.NO_HOST) from None
    try:
        socket.create_connection((host, port), timeout=WAIT).close()
    except OSError:
        raise QueryError(QueryProblem.UNREACHABLE) from None
