"""Reads `promotion.lock`, and makes its text. It believes nothing that the file's checksum does not cover."""

from pathlib import Path

from reconciler.core.errors import StorageError
from reconciler.core.promotion.gates import NOTHING_PROMOTED, PromotionRecord
from reconciler.core.promotion.lock import LOCK_FILE, PromotionLock
from reconciler.core.state.codec import decode_promotion, dump, encode_promotion, parse
from reconciler.disk.atomic import read_file


def promotion_record(root: Path, environment: str) -> PromotionRecord:
    """Return what was promoted to an environment; a file that is not usable is a problem of the record."""
    try:
        content = read_file(root / "environments" / environment / LOCK_FILE)
    except StorageError:
        return PromotionRecord(None, "the file can't be read")
    return NOTHING_PROMOTED if content is None else record_in(content)


def record_in(content: bytes) -> PromotionRecord:
    """Return what a file contains."""
    try:
        return PromotionRecord(decode_promotion(parse(content)))
    except StorageError as error:
        return PromotionRecord(None, error.problem)


def lock_text(lock: PromotionLock) -> bytes:
    """Return the content of the file, with its checksum."""
    return dump(encode_promotion(lock))
