"""Answers of bounded size: what is read of one, packed and unpacked, and which of its headers are kept."""

import zlib
from collections.abc import Iterable, Iterator

import httpx

LARGEST = 8 * 1024 * 1024
"""Bytes of an unpacked answer: several times a page of 500 segments with the longest names."""
KEPT = frozenset({b"date", b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset"})
"""No cookie is kept, no redirection is followed, and nobody else's header is read."""
GZIP = 16 + zlib.MAX_WBITS


class TooLargeError(httpx.TransportError):
    """More came than any answer needs."""


def unreadable(error: httpx.RequestError) -> str:
    """What is wrong with an answer that came; "" where none did."""
    if isinstance(error, TooLargeError):
        return f"the answer is larger than {LARGEST // 1024**2} MiB"
    return "the answer came garbled" if isinstance(error, httpx.DecodingError) else ""


class Bounded(httpx.BaseTransport):
    """Unpacks answers as they come and stops at the largest size; asks for gzip or nothing."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._transport.handle_request(request)
        stream = response.stream
        if not isinstance(stream, httpx.SyncByteStream):
            raise TypeError("a transport without threads gives a stream without them")
        packed = response.headers.get("content-encoding", "")
        return httpx.Response(
            response.status_code,
            headers=[(name, value) for name, value in response.headers.raw if name.lower() in KEPT],
            stream=_Stream(stream, packed.strip().lower()),
            extensions={key: one for key, one in response.extensions.items() if key != "reason_phrase"},
        )

    def close(self) -> None:
        self._transport.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding

    def __iter__(self) -> Iterator[bytes]:
        match self._encoding:
            case "" | "identity":
                pieces: Iterable[bytes] = self._stream
            case "gzip" | "x-gzip":
                pieces = _unpacked(self._stream)
            case _:
                raise httpx.DecodingError("an encoding that was not asked for")
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > LARGEST:
                raise TooLargeError("the answer is too large")
            yield piece

    def close(self) -> None:
        self._stream.close()


def _unpacked(packed: Iterable[bytes]) -> Iterator[bytes]:
    """Never unpacks more at once than may come in all; a part that is missing or left over is an error."""
    gzip, came = zlib.decompressobj(GZIP), False
    for piece in packed:
        came = came or bool(piece)
        try:
            yield gzip.decompress(piece, LARGEST + 1)
        except zlib.error:
            raise httpx.DecodingError("not gzip") from None
        if gzip.unused_data:
            raise httpx.DecodingError("more than one gzip")
    if came and not gzip.eof:
        raise httpx.DecodingError("gzip without its end")
