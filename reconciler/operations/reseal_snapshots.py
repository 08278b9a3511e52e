"""Rewrite the stored snapshots and keys under the current key, or plain if none is named."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.core.errors import ConfigurationError, CorruptSnapshotError, ReconcilerError
from reconciler.core.ports import StateWriter


@dataclass(frozen=True, slots=True)
class ResealResult:
    """`current` is the ID of the key; "" for none. `failed` says why a snapshot stayed as it is."""

    current: str
    rewritten: int
    unchanged: int
    failed: tuple[ReconcilerError, ...]


def reseal_snapshots(state: StateWriter, progress: Callable[[int, int], None]) -> ResealResult:
    """Rewrite the keys, then each snapshot that new ones are not like. An interrupted call resumes.

    The keys come first: as long as a snapshot needs an earlier key, `doctor` says so. A snapshot that can't
    be opened stops no other one. `progress` may raise CancelledError.
    """
    if state.head():
        state.reseal_keys()
    seals = state.seals()
    outdated = seals.outdated
    failed: list[ReconcilerError] = []
    for number, digest in enumerate(outdated, 1):
        progress(number, len(outdated))
        try:
            state.reseal(digest)
        except (ConfigurationError, CorruptSnapshotError) as error:
            failed.append(error)
    done = len(outdated) - len(failed)
    return ResealResult(seals.current, done, len(seals.keys) - len(outdated), tuple(failed))


def worst(failed: Sequence[ReconcilerError]) -> ReconcilerError:
    """Return the error with the lowest exit code: a missing key explains more than damage."""
    return min(failed, key=lambda one: one.exit_code)
