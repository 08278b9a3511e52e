"""The erasure list of a state as two files: what it holds, and the keys of its digests."""

from collections.abc import Callable

from reconciler.core.erasure import KEY_LENGTH, ErasureList
from reconciler.core.errors import StorageError
from reconciler.core.state.codec import decode_erasures, dump, encode_erasures, parse

LIST, KEYS = "erasure.json", "erasure.key"
BACKUP = f"put {LIST} and {KEYS} back from a backup (docs/how-to/answer-access-requests.md)"


def erasure_list(content: bytes | None, keys: Callable[[], bytes | None]) -> ErasureList:
    """Return the list. The key file may have one key more than the list uses: a rotation was interrupted."""
    if content is None:
        return ErasureList()
    try:
        erasures = decode_erasures(parse(content))
    except StorageError as error:
        raise StorageError(f"{LIST}: {error.problem}", remedy=error.remedy or BACKUP) from None
    known = keys() or b""
    if len(known) < erasures.keys * KEY_LENGTH:
        raise StorageError(f"{KEYS} is missing or too short for {LIST}", remedy=BACKUP)
    parts = (known[at * KEY_LENGTH : (at + 1) * KEY_LENGTH] for at in range(erasures.keys))
    return ErasureList(erasures, tuple(parts))


def list_content(erasures: ErasureList) -> bytes:
    return dump(encode_erasures(erasures.content))


def keys_content(erasures: ErasureList) -> bytes:
    return b"".join(erasures.keys)
