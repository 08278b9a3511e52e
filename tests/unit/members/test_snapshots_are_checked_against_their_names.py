"""A snapshot whose rows do not match its name is refused."""

import os
import random
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from reconciler.core.errors import CorruptSnapshotError
from reconciler.core.members import EMPTY_SNAPSHOT, MemberComparison, SnapshotRef
from reconciler.core.model import Hashing
from reconciler.members.data_root import LocalFolder
from reconciler.members.engine import DuckDbEngine
from reconciler.members.member_changes import MemberChanges
from reconciler.members.verify import SnapshotVerifier

pytestmark = pytest.mark.promise("state")

KEY = b"k" * 32
NAMES = [f"p{number:04}" for number in range(1000)]
FORMS = pytest.mark.parametrize("hashing", [Hashing.NONE, Hashing.SHA256])
FLIPS = int(os.environ.get("SNAPSHOT_FLIPS", "150"))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "snapshots"
    folder.mkdir()
    return folder


def column(hashing: Hashing) -> str:
    return "name" if hashing == Hashing.NONE else "unhex(sha256(name))"


def rows(hashing: Hashing, names: list[str] = NAMES) -> str:
    values = ", ".join(f"('{name}')" for name in names)
    return f"SELECT {column(hashing)} AS member FROM (VALUES {values}) AS v(name)"


def opened(kept: Path) -> DuckDbEngine:
    """A new process, as far as snapshots go."""
    return DuckDbEngine(
        LocalFolder(kept), kept.parent / "work", lambda ref: str(kept / ref.digest), KEY, None
    )


def keep(kept: Path, hashing: Hashing, names: list[str] = NAMES) -> SnapshotRef:
    with opened(kept) as engine, closing(engine._database.cursor()) as cursor:
        snapshot = engine._snapshots.keep(cursor, rows(hashing, names), hashing)
        (kept / snapshot.digest).write_bytes(Path(engine.file(snapshot)).read_bytes())
    return snapshot


def answers(
    engine: DuckDbEngine, whole: SnapshotRef, few: SnapshotRef, together: Hashing | None = None
) -> object:
    """What comparisons say, as in a new process; the reason where the snapshot is refused.

    `together`: the hashing of both, if they are compared at once first.
    """
    for file in engine._snapshots.scratch.glob("*.parquet"):
        file.unlink()
    engine._snapshots._selections.clear()
    engine._changes = MemberChanges(engine._snapshots)
    try:
        if together:
            engine.compare(
                [
                    MemberComparison(together, few, whole, EMPTY_SNAPSHOT),
                    MemberComparison(together, whole, few, EMPTY_SNAPSHOT),
                ]
            )
        return engine.delta(few, EMPTY_SNAPSHOT, whole, EMPTY_SNAPSHOT), engine.delta(
            whole, EMPTY_SNAPSHOT, few, EMPTY_SNAPSHOT
        )
    except CorruptSnapshotError as error:
        return error.problem


def refused(kept: Path, snapshot: SnapshotRef) -> bool:
    with (
        opened(kept) as engine,
        pytest.raises(CorruptSnapshotError, match=f"snapshot {snapshot.digest[:12]} is dam"),
    ):
        engine.file(snapshot)
    with (
        SnapshotVerifier(kept.parent / "work", lambda ref: str(kept / ref.digest), KEY) as verifier,
        pytest.raises(CorruptSnapshotError) as error,
    ):
        verifier.file(snapshot)
    return "state restore" in error.value.remedy


@FORMS
def test_no_flipped_bit_changes_an_answer(kept: Path, hashing: Hashing) -> None:
    """Statistics in the footer too: with wrong ones, a join skips rows that a whole scan reads."""
    whole, few = keep(kept, hashing), keep(kept, hashing, NAMES[500:505])
    file = kept / whole.digest
    content = file.read_bytes()
    footer = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
    drawn = random.Random(7)  # noqa: S311
    places = {drawn.randrange(footer, len(content)) for _ in range(FLIPS)}
    places |= {drawn.randrange(len(content)) for _ in range(FLIPS // 3)}
    said = set()
    with opened(kept) as engine:
        right = answers(engine, whole, few)
        assert answers(engine, whole, few, hashing) == right
        for place in sorted(places):
            flipped = bytearray(content)
            flipped[place] ^= 1 << drawn.randrange(8)
            file.write_bytes(flipped)
            said |= {answers(engine, whole, few), answers(engine, whole, few, hashing)}
    damaged = {one for one in said if isinstance(one, str)}
    assert said - damaged <= {right}
    assert damaged
    assert all(whole.digest[:12] in one for one in damaged)


@FORMS
@pytest.mark.parametrize(
    "change",
    [
        lambda names: [*names[:-1], "p9999"],
        lambda names: [*names[:-1], names[0]],
        lambda names: names[:-1],
    ],
    ids=["another member", "one twice", "one fewer"],
)
def test_other_members_are_refused_by_name(
    kept: Path, hashing: Hashing, change: Callable[[list[str]], list[str]]
) -> None:
    snapshot, other = keep(kept, hashing), keep(kept, hashing, change(NAMES))
    (kept / other.digest).replace(kept / snapshot.digest)
    assert refused(kept, snapshot)


@FORMS
def test_the_same_text_in_another_type_is_refused(kept: Path, hashing: Hashing) -> None:
    snapshot = keep(kept, hashing)
    other = "encode(name)" if hashing == Hashing.NONE else "sha256(name)"
    query = rows(hashing).replace(column(hashing), other, 1)
    duckdb.execute(f"COPY ({query}) TO '{kept / snapshot.digest}' (FORMAT parquet)")
    assert refused(kept, snapshot)


@FORMS
def test_a_row_without_a_member_is_refused(kept: Path, hashing: Hashing) -> None:
    snapshot = keep(kept, hashing)
    query = (
        f"SELECT nullif(member, (SELECT min(member) FROM ({rows(hashing)}))) AS member FROM ({rows(hashing)})"
    )
    duckdb.execute(f"COPY ({query}) TO '{kept / snapshot.digest}' (FORMAT parquet)")
    assert refused(kept, snapshot)


def test_another_key_knows_no_snapshot(kept: Path) -> None:
    snapshot = keep(kept, Hashing.SHA256)
    work, fetch = kept.parent / "work", lambda ref: str(kept / ref.digest)
    with SnapshotVerifier(work, fetch, b"x" * 32) as verifier, pytest.raises(CorruptSnapshotError):
        verifier.file(snapshot)


def test_what_happens_to_the_kept_file_afterwards_changes_nothing(kept: Path) -> None:
    """It is changed in place, as no tool of ours does."""
    whole, few = keep(kept, Hashing.SHA256), keep(kept, Hashing.SHA256, NAMES[:5])
    other = (kept / keep(kept, Hashing.SHA256, [*NAMES[:-1], "p9999"]).digest).read_bytes()
    with opened(kept) as engine:
        engine.file(whole)
        with (kept / whole.digest).open("r+b") as file:
            file.write(other)
        held = duckdb.execute(f"SELECT member FROM read_parquet('{engine.file(whole)}')").fetchall()
        assert engine.delta(few, EMPTY_SNAPSHOT, whole, EMPTY_SNAPSHOT).adds == 995
    [last] = duckdb.execute("SELECT unhex(sha256('p0999'))").fetchall()
    assert last in held


def test_a_verifier_keeps_one_copy_at_a_time(kept: Path) -> None:
    one, other = keep(kept, Hashing.SHA256), keep(kept, Hashing.NONE)
    with SnapshotVerifier(kept.parent / "work", lambda ref: str(kept / ref.digest), KEY) as verifier:
        first = Path(verifier.file(one))
        assert first.stat().st_mode & 0o777 == 0o600
        second = Path(verifier.file(other))
        assert not first.exists()
        assert second.exists()
    assert not second.exists()
