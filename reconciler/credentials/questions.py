"""Questions to places of secrets on the network, below the libraries that know how to put them.

Those libraries follow redirects with the token in hand, wait as long as a byte comes now and then, and read
whatever comes. Here each question has one deadline, its answer a largest size, and no redirect is followed.
"""

import ssl
from collections.abc import Iterator
from typing import Any

import httpx

from reconciler.web.deadline import Routes
from reconciler.web.inflated import Bounded

SECONDS = 10.0
"""For a question, from the connection to the last byte of the answer."""
LONGEST_CONNECT = 5.0
LARGEST = 1024 * 1024
"""Bytes of an unpacked answer: AWS keeps 64 KiB in a secret, Vault 1 MiB at most in a whole entry."""
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
"""What is wrong with an answer, and what to do, by kind of error; the same for all places."""
MISREAD = (AttributeError, KeyError, RuntimeError, TypeError)
"""What the libraries raise, unawares, over an answer of another form than they expect."""
LATE = f"did not answer in full within {SECONDS:.0f} seconds"


class RedirectedError(httpx.TransportError):
    """The answer is that another address should be asked. Nobody named that one to us."""


class Questions:
    """Raises httpx.RequestError; when it is made OSError for `authorities`, ValueError for a proxy."""

    def __init__(self, authorities: str, seconds: float) -> None:
        self._transport = Bounded(Routes(authorities), LARGEST, KEPT)
        self._timeout = httpx.Timeout(seconds, connect=min(seconds, LONGEST_CONNECT)).as_dict()

    def ask(self, method: str, url: str, headers: Any, content: object) -> httpx.Response:
        """The whole answer, with the headers that are kept."""
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
    """Return the name of the error: nothing else of a foreign error is reported."""
    if any(isinstance(one, ssl.SSLError) for one in _causes(error)):
        return "SSLError"
    return type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
