"""Why there is no connection, by the kinds of the errors that led to it: their texts are foreign."""

import ssl
from collections.abc import Iterator
from socket import gaierror
from typing import NamedTuple

import httpx

NETWORK = "check api.endpoint, the network, HTTPS_PROXY and SSL_CERT_FILE"


class Reason(NamedTuple):
    """What is said after "can't be reached", and what to do about it."""

    words: str
    remedy: str


_REASONS: tuple[tuple[type[BaseException], Reason], ...] = (
    (
        ssl.SSLCertVerificationError,
        Reason(
            "its certificate is not trusted",
            "if a proxy opens connections, name its authority in SSL_CERT_FILE; if not, check api.endpoint, "
            "and the clock of this machine",
        ),
    ),
    (ssl.SSLError, Reason("no secure connection can be made", NETWORK)),
    (gaierror, Reason("there is no host of that name", "check api.endpoint and the network's name servers")),
    (ConnectionRefusedError, Reason("nobody listens there", NETWORK)),
    (
        httpx.ProxyError,
        Reason("the proxy refuses", "check HTTPS_PROXY and NO_PROXY, or ask who runs the proxy"),
    ),
)


def connection_error_reason(error: Exception) -> Reason:
    """Of the innermost kind that says something."""
    causes = tuple(_causes(error))
    found = (reason for kind, reason in _REASONS if any(isinstance(one, kind) for one in causes))
    return next(found, Reason(type(error).__name__, NETWORK))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
