"""An answer that comes in drips is late as well: httpx counts its time-outs from the last byte."""

from collections.abc import Iterator
from time import monotonic

import httpx


class Punctual:
    """Gives the body of each answer as long as its request gave the headers, counted from there."""

    def take(self, response: httpx.Response) -> None:
        """An event hook: the body has not been read yet."""
        if isinstance(response.stream, httpx.SyncByteStream):
            seconds = response.request.extensions["timeout"]["read"]
            response.stream = _Stream(response.stream, monotonic() + seconds)


class _Stream(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, end: float) -> None:
        self._stream = stream
        self._end = end

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            yield piece
            if monotonic() > self._end:
                raise httpx.ReadTimeout("the body came too slowly")

    def close(self) -> None:
        self._stream.close()
