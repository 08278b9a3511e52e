"""Files sealed with AES-256-GCM in pieces: the STREAM construction, as in Tink's AES-GCM-HKDF streaming.

    magic, key ID (8 bytes), salt (32), nonce prefix (7), then pieces: at most 1 MiB sealed, and a tag (16)

Each file has its own key (HKDF): of the key, the salt, the header and the name of the file. The nonce of a
piece is the prefix, its number (4) and whether it is the last (1). So a file that was cut off, extended,
reordered, altered or put in the place of another one is refused. The key ID is a keyed digest, and tells
which key is needed; nobody can compute the key from it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PIECE = 1 << 20
KEY_LENGTH = 32
TAG = 16
_ID, _SALT, _PREFIX = 8, 32, 7
_VERSION = b"1\n"


class SealedKind(Enum):
    """What a sealed file is; its magic begins with it."""

    SNAPSHOT = b"reconciler sealed snapshot "
    EXPORT = b"reconciler sealed export "
    DOCUMENT = b"reconciler sealed document "

    @property
    def magic(self) -> bytes:
        return self.value + _VERSION


class BrokenSealError(Exception):
    """A sealed file was cut off, altered, exchanged for another one, or sealed with another key."""


class Sink(Protocol):
    """A file that takes bytes."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SealedHeader:
    """The beginning of a sealed file. `key_id` is in hexadecimal digits."""

    kind: SealedKind
    key_id: str
    salt: bytes
    prefix: bytes

    @property
    def content(self) -> bytes:
        return self.kind.magic + bytes.fromhex(self.key_id) + self.salt + self.prefix


HEADER = max(len(kind.magic) for kind in SealedKind) + _ID + _SALT + _PREFIX
"""Bytes of the longest header."""


def header_of(kind: SealedKind, start: bytes) -> SealedHeader | None:
    """Return the header of a file of a kind that begins with these bytes; None if it is not sealed.

    BrokenSealError if it is sealed, and its header is cut off or of another version.
    """
    if not start.startswith(kind.value):
        return None
    magic, content = start[: len(kind.magic)], start[len(kind.magic) :][: _ID + _SALT + _PREFIX]
    if magic != kind.magic or len(content) < _ID + _SALT + _PREFIX:
        raise BrokenSealError
    return SealedHeader(kind, content[:_ID].hex(), content[_ID:-_PREFIX], content[-_PREFIX:])


def key_id(key: bytes) -> str:
    """Return the ID of a key, a keyed digest that is safe to show."""
    return _derive(key, None, b"reconciler sealed: key ID", _ID).hex()


@contextmanager
def sealing(key: bytes, kind: SealedKind, name: str, target: Sink) -> Iterator["SealingSink"]:
    """Seal what is written; the file is whole only at the end of the context."""
    header = SealedHeader(kind, key_id(key), os.urandom(_SALT), os.urandom(_PREFIX))
    target.write(header.content)
    sink = SealingSink(_cipher(key, header, name), header.prefix, target)
    yield sink
    sink.finish()


def unseal(key: bytes, kind: SealedKind, name: str, source: IO[bytes], target: Sink) -> None:
    """Write the content of a sealed file. BrokenSealError if it is not whole: then `target` is worthless."""
    from cryptography.exceptions import InvalidTag

    header = header_of(kind, source.read(len(kind.magic) + _ID + _SALT + _PREFIX))
    if header is None or header.key_id != key_id(key):
        raise BrokenSealError
    cipher = _cipher(key, header, name)
    piece = source.read(PIECE + TAG)
    for number in count():
        after = source.read(PIECE + TAG)
        try:
            target.write(cipher.decrypt(_nonce(header.prefix, number, last=not after), piece, None))
        except InvalidTag:
            raise BrokenSealError from None
        if not after:
            return
        piece = after


class SealingSink:
    """A file that seals what is written to it. It holds one piece in memory."""

    def __init__(self, cipher: "AESGCM", prefix: bytes, target: Sink) -> None:
        self._cipher = cipher
        self._prefix = prefix
        self._target = target
        self._number = 0
        self._pending = bytearray()

    def write(self, data: bytes, /) -> int:
        """Seal a full piece once more follows: only the end shows which piece is the last."""
        rest = memoryview(data)
        while rest:
            if len(self._pending) == PIECE:
                self._put(last=False)
            room = PIECE - len(self._pending)
            self._pending += rest[:room]
            rest = rest[room:]
        return len(data)

    def flush(self) -> None:
        """Nothing can be sealed before its piece is full."""

    def finish(self) -> None:
        self._put(last=True)

    def _put(self, *, last: bool) -> None:
        nonce = _nonce(self._prefix, self._number, last=last)
        self._target.write(self._cipher.encrypt(nonce, self._pending, None))
        self._pending.clear()
        self._number += 1


def _cipher(key: bytes, header: SealedHeader, name: str) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(_derive(key, header.salt, header.content + name.encode(), KEY_LENGTH))


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4) + bytes([last])


def _derive(key: bytes, salt: bytes | None, info: bytes, length: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)
