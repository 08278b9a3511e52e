"""Limit the size of responses, compressed and decompressed, and the headers that are kept."""

import zlib
from collections.abc import Iterable, Iterator

import httpx

GZIP = 16 + zlib.MAX_WBITS


class TooLargeError(httpx.TransportError):
    """The response is larger than any valid response."""


class Bounded(httpx.BaseTransport):
    """Unpacks responses as they arrive and stops at `largest` bytes. Only gzip is requested.

    `kept` are the names of the headers to return. Redirects lose their location, so they cannot be followed.
    """

    def __init__(self, transport: httpx.BaseTransport, largest: int, kept: frozenset[bytes]) -> None:
        self._transport = transport
        self._largest = largest
        self._kept = kept

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._transport.handle_request(request)
        stream = response.stream
        if not isinstance(stream, httpx.SyncByteStream):
            raise TypeError("a transport without threads gives a stream without them")
        packed = response.headers.get("content-encoding", "")
        return httpx.Response(
            response.status_code,
            headers=[(name, value) for name, value in response.headers.raw if name.lower() in self._kept],
            stream=_Stream(stream, packed.strip().lower(), self._largest),
            extensions={key: one for key, one in response.extensions.items() if key != "reason_phrase"},
        )

    def close(self) -> None:
        self._transport.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, encoding: str, largest: int) -> None:
        self._stream = stream
        self._largest = largest
        self._encoding = encoding

    def __iter__(self) -> Iterator[bytes]:
        match self._encoding:
            case "" | "identity":
                pieces: Iterable[bytes] = self._stream
            case "gzip" | "x-gzip":
                pieces = _unpacked(self._stream, self._largest)
            case _:
                raise httpx.DecodingError("an encoding that was not asked for")
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > self._largest:
                raise TooLargeError("the answer is too large")
            yield piece

    def close(self) -> None:
        self._stream.close()


def _unpacked(packed: Iterable[bytes], largest: int) -> Iterator[bytes]:
    """Decompress at most the limit at once; a missing or surplus part is an error."""
    gzip, came = zlib.decompressobj(GZIP), False
    for piece in packed:
        came = came or bool(piece)
        try:
            yield gzip.decompress(piece, largest + 1)
        except zlib.error:
            raise httpx.DecodingError("not gzip") from None
        if gzip.unused_data:
            raise httpx.DecodingError("more than one gzip")
    if came and not gzip.eof:
        raise httpx.DecodingError("gzip without its end")
