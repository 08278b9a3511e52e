"""Requests to secret backends on the network, with limits, below the libraries of AWS and Vault.

Those libraries follow redirects with the token, wait as long as single bytes arrive, and read responses of
any size. Here, each request has one deadline, its response has a size limit, and redirects are not followed.
"""

import ssl
from collections.abc import Iterator
from typing import Any

import httpx

from reconciler.web.deadline import Routes
from reconciler.web.size_limits import Bounded

SECONDS = 10.0
"""For one request, from the connection to the last byte of the response."""
LONGEST_CONNECT = 5.0
LARGEST = 1024 * 1024
"""Bytes of an unpacked response. AWS stores 64 KiB in a secret, Vault at most 1 MiB in an entry."""
KEPT = frozenset({b"content-type", b"date", b"x-amzn-errortype", b"x-amzn-query-error", b"x-amzn-requestid"})

UNREADABLE = {
    "TooLargeError": (
        f"answered with more than {LARGEST // 1024**2} MiB",
        "name a secret that is smaller, or correct the address: this may be another server",
    ),
    "DecodingError": (
        "gave an answer that can't be unpacked",
        "look at the proxy or gateway before it: answers may come as they are, or as gzip",
    ),
}
"""The problem and the fix by type of error, for all backends."""
MISREAD = (AttributeError, KeyError, RuntimeError, TypeError)
"""Errors that the libraries raise for a response of an unexpected format."""
LATE = f"did not answer in full within {SECONDS:.0f} seconds"


class RedirectedError(httpx.TransportError):
    """The response is a redirect to an address that the user did not configure."""


class Questions:
    """Sends requests.

    Raises httpx.RequestError; on creation OSError for `authorities`, ValueError for a proxy.
    """

    def __init__(self, authorities: str, seconds: float) -> None:
        self._transport = Bounded(Routes(authorities), LARGEST, KEPT)
        self._timeout = httpx.Timeout(seconds, connect=min(seconds, LONGEST_CONNECT)).as_dict()

    def ask(self, method: str, url: str, headers: Any, content: object) -> httpx.Response:
        """Return the complete response, with the headers in `KEPT`."""
        if not isinstance(content, bytes | str | None):
            raise TypeError("a question is whole before it is put")
        headers = httpx.Headers(headers)
        headers["Connection"] = "close"  # questions are few and far between
        request = httpx.Request(
            method, url, headers=headers, content=content, extensions={"timeout": self._timeout}
        )
        answer = self._transport.handle_request(request)
        try:
            if httpx.codes.is_redirect(answer.status_code):
                raise RedirectedError("a redirect")
            answer.read()
        finally:
            answer.close()
        return answer


def kind(error: Exception) -> str:
    """Return the type name of the error. Nothing else of it is printed."""
    if any(isinstance(one, ssl.SSLError) for one in _causes(error)):
        return "SSLError"
    return type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
