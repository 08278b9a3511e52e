"""State versions: saved next to the current state, one document each, named by serial."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from reconciler.core.errors import StorageError
from reconciler.core.model import Retention
from reconciler.core.state.codec import decode_state, dump, encode_state, parse
from reconciler.core.state.model import StateHead, StateVersion, StateVersionInfo
from reconciler.core.state.resource import ResourceState

HISTORY = "history"
_NAME = re.compile(r"(0|[1-9]\d{0,18})\.json")


def document_name(serial: int) -> str:
    return f"{serial}.json"


def damaged_name(resource_name: str) -> str:
    """Return the name that `quarantine` gives to an unreadable resource state."""
    return f"{resource_name}.damaged"


def serials(names: Iterable[str]) -> list[int]:
    """Return the serials of the documents among these names, oldest first."""
    return sorted(int(found[1]) for name in names if (found := _NAME.fullmatch(name)))


def superseded(
    names: Iterable[str],
    keep: Retention,
    saved_as: Callable[[int], StateVersion | None],
    now: datetime,
) -> list[str]:
    """Return the documents to remove: beyond the number, or too old. Reads the oldest until one is not."""
    there = serials(names)
    beyond, rest = there[: -keep.versions], there[-keep.versions :]
    if keep.age is None:
        return [document_name(serial) for serial in beyond]
    return [document_name(serial) for serial in (*beyond, *_expired(rest, saved_as, now - keep.age))]


def _expired(
    there: Sequence[int], saved_as: Callable[[int], StateVersion | None], oldest: datetime
) -> Iterator[int]:
    """Yield the versions that were saved before. An unreadable version has no known age: it stays."""
    for serial in there:
        try:
            saved = saved_as(serial)
        except StorageError:
            continue
        if saved and saved.saved_at >= oldest:
            return
        yield serial


def document(head: StateHead, resources: Iterable[ResourceState], now: datetime) -> bytes:
    return dump(encode_state(StateVersion(head, tuple(resources), now)))


def saved_state(content: bytes, where: str) -> StateVersion:
    try:
        return decode_state(parse(content))
    except StorageError as error:
        raise StorageError(
            f"{where}: {error.problem}",
            remedy=error.remedy or "remove it: it is a saved state version, and nothing else needs it",
        ) from None


def summaries(saved: Iterable[StateVersion]) -> tuple[StateVersionInfo, ...]:
    return tuple(StateVersionInfo(one.head.serial, one.saved_at, len(one.resources)) for one in saved)


def absent(serial: int, there: Iterable[int]) -> StorageError:
    listed = ", ".join(map(str, there))
    return StorageError(
        f"state version {serial} not found",
        remedy=f"available: {listed}"
        if listed
        else "there is none yet: each run that writes saves the version before it",
    )


def unreadable_version() -> StorageError:
    return StorageError(
        "a saved state version can't be read, so it may hold the members to erase",
        remedy="remove it from `history/`: nothing else needs it",
    )


def named(states: Callable[[], Iterable[StateVersion]]) -> frozenset[str] | None:
    """Return the digests that state versions name; None if one is unreadable: any may be in use."""
    try:
        return frozenset(ref.digest for state in states() for ref in state.references)
    except StorageError:
        return None
