"""A `state reseal` that is killed at any write is finished by the next one; one bad file stops no other."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.fakes.state import MemoryStore, MemoryWriter

from reconciler.core.errors import ConfigurationError, CorruptSnapshotError, ReconcilerError
from reconciler.core.members import SnapshotRef
from reconciler.core.ports import StateWriter
from reconciler.operations.reseal_snapshots import reseal_snapshots, worst

pytestmark = pytest.mark.promise("sealed")

DIGESTS = ("0001", "0002", "0003")


class KilledError(Exception):
    """The end of the process."""


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    with made.lock("me") as writer:
        for digest in DIGESTS:
            writer.store_snapshot(SnapshotRef(digest, 1), "file")
        writer.begin_run()
    made.key_id = "ab"
    return made


@contextmanager
def writing(store: MemoryStore) -> Iterator[StateWriter]:
    with store.lock("me") as writer:
        yield writer


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", DIGESTS)
def test_the_next_run_finishes_it(store: MemoryStore, at: str, *, after: bool) -> None:
    def kill(step: str) -> None:
        if step == f"reseal {at}":
            raise KilledError

    store.after_write, store.before_write = (kill, lambda _: None) if after else (lambda _: None, kill)
    with pytest.raises(KilledError), writing(store) as state:
        reseal_snapshots(state, lambda *_: None)
    store.after_write = store.before_write = lambda _: None
    done = DIGESTS.index(at) + after
    with writing(store) as state:
        found = reseal_snapshots(state, lambda *_: None)
        assert (found.current, found.rewritten, found.unchanged) == ("ab", len(DIGESTS) - done, done)
        assert set(state.seals().keys.values()) == {"ab"}


def test_the_keys_come_first(store: MemoryStore) -> None:
    """As long as something needs the earlier key, a snapshot does, and `doctor` names it."""
    written: list[str] = []
    store.after_write = written.append
    with writing(store) as state:
        reseal_snapshots(state, lambda *_: None)
    assert written == ["reseal keys", *(f"reseal {digest}" for digest in DIGESTS)]


def test_a_snapshot_that_cannot_be_opened_stops_no_other(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems: dict[str, ReconcilerError] = {
        "0001": CorruptSnapshotError("damaged"),
        "0002": ConfigurationError("sealed with key cd"),
    }
    reseal = MemoryWriter.reseal

    def rewrite(writer: MemoryWriter, digest: str) -> None:
        if digest in problems:
            raise problems[digest]
        reseal(writer, digest)

    monkeypatch.setattr(MemoryWriter, "reseal", rewrite)
    shown: list[tuple[int, int]] = []
    with writing(store) as state:
        found = reseal_snapshots(state, lambda *at: shown.append(at))
    assert (found.rewritten, found.unchanged, found.failed) == (1, 0, tuple(problems.values()))
    assert shown == [(1, 3), (2, 3), (3, 3)]
    assert worst(found.failed).exit_code == 3
