"""The checksums of Parquet pages, where their writer wrote any: DuckDB reads pages without comparing them.

A page is a header in Thrift's compact protocol, then so many bytes as it says; it may hold their CRC-32.
"""

import struct
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import IO

import duckdb
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.Thrift import TException, TType
from thrift.transport.TTransport import TFileObjectTransport

from reconciler.members.byte_ranges import Range
from reconciler.members.database import paths

COMPRESSED_SIZE, CRC = 3, 4
"""Fields of Parquet's PageHeader."""

LONGEST_VALUE = 64 << 20
"""Bytes that a header may give one bound of its page's values."""

_NO_HEADER = (TException, EOFError, KeyError, AssertionError, struct.error)


class PagesError(Exception):
    """A page is not as it was written."""


class _Headers(TCompactProtocol):  # type: ignore[misc] # thrift has no types
    """Bounds of values are bytes, and need not be text."""

    def readString(self) -> object:  # noqa: N802 - thrift's name
        return self.readBinary()


def chunks(
    cursor: duckdb.DuckDBPyConnection, path: Path, columns: Collection[str] | None = None
) -> tuple[Range, ...]:
    """Return where the values of columns are, by the footer; None: of all. Raises DuckDB's errors.

    Names are compared without regard to case. A column that has parts is named before the first comma.
    """
    wanted = None if columns is None else {one.casefold() for one in columns}
    found = cursor.execute(
        "SELECT DISTINCT path_in_schema, dictionary_page_offset, data_page_offset, total_compressed_size "
        f"FROM parquet_metadata({paths([path])}) WHERE total_compressed_size > 0 ORDER BY ALL"
    ).fetchall()
    starts = ((column, min(dictionary or data, data), size) for column, dictionary, data, size in found)
    return tuple(
        (start, start + size) for column, start, size in starts if wanted is None or _names(column) & wanted
    )


def _names(path: str) -> set[str]:
    """Return what the column of a path may be called: names may have commas."""
    parts = path.casefold().split(", ")
    return {", ".join(parts[:end]) for end in range(1, len(parts) + 1)}


def check_pages(path: Path, found: Iterable[Range], check: Callable[[], None]) -> None:
    """Compare every page in these places with its checksum. Raises PagesError, OSError."""
    with path.open("rb") as file:
        for start, end in found:
            for content, crc in _pages(file, start, end):
                check()
                if zlib.crc32(content) != crc:
                    raise PagesError


def _pages(file: IO[bytes], start: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Each page that has a checksum, and the checksum."""
    file.seek(start)
    while file.tell() < end:
        size, crc = _header(file)
        if crc is None:
            file.seek(size, 1)
            continue
        content = file.read(size)
        if len(content) != size:
            raise PagesError
        yield content, crc & 0xFFFFFFFF


def _header(file: IO[bytes]) -> tuple[int, int | None]:
    """The size of the page that follows, and its checksum."""
    protocol = _Headers(TFileObjectTransport(file), LONGEST_VALUE, LONGEST_VALUE)
    found: dict[int, int] = {}
    try:
        protocol.readStructBegin()
        while True:
            _, kind, field = protocol.readFieldBegin()
            if kind == TType.STOP:
                break
            if kind == TType.I32 and field in (COMPRESSED_SIZE, CRC):
                found[field] = protocol.readI32()
            else:
                protocol.skip(kind)
            protocol.readFieldEnd()
    except _NO_HEADER:
        raise PagesError from None
    size = found.get(COMPRESSED_SIZE, -1)
    if size < 0:
        raise PagesError
    return size, found.get(CRC)
