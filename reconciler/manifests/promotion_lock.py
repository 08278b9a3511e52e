"""Reads `promotion.lock`, and makes its text. It believes nothing that the file's checksum does not cover."""

import re
from pathlib import Path

from reconciler.core.errors import StorageError
from reconciler.core.promotion.gate import PortablePart
from reconciler.core.promotion.gates import NOTHING_PROMOTED, PromotionRecord
from reconciler.core.promotion.lock import LOCK_FILE, PromotionLock
from reconciler.core.state.codec import decode_promotion, dump, encode_promotion, parse
from reconciler.disk.atomic import read_file

_OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


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
        lock = decode_promotion(parse(content))
    except StorageError as error:
        return PromotionRecord(None, error.problem)
    problem = _malformed(lock)
    return PromotionRecord(None, problem) if problem else PromotionRecord(lock)


def _malformed(lock: PromotionLock) -> str:
    """Return what is wrong with a decoded lock, or "". A name of a commit could move, so only ids count."""
    objects = {lock.commit, lock.tree, *(one.commit for one in lock.files), *(one.blob for one in lock.files)}
    if not all(_OBJECT.fullmatch(one) for one in objects):
        return "malformed: a commit, a tree and a blob should be an id of git"
    if any(
        tuple(one.part for one in definition.parts) != (*PortablePart,) for definition in lock.definitions
    ):
        return f"malformed: the parts of a definition should be {', '.join(PortablePart)}"
    return ""


def lock_text(lock: PromotionLock) -> bytes:
    """Return the content of the file, with its checksum."""
    return dump(encode_promotion(lock))
