"""A sealed file gives back its content, and nothing after any change."""

import io
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.state.sealed_stream import (
    HEADER,
    PIECE,
    TAG,
    BrokenSealError,
    SealedKind,
    header_of,
    key_id,
    sealing,
    unseal,
)

pytestmark = pytest.mark.promise("sealed")

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
SNAPSHOT, NAME = SealedKind.SNAPSHOT, "0a1b"
FRONT = len(SNAPSHOT.magic) + 8 + 32 + 7
"""Bytes of its header."""
BORDERS = [0, 1, TAG, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE - TAG, 2 * PIECE, 2 * PIECE + 1, 3 * PIECE + 7]
BLOCK = bytes(range(251)) * (PIECE // 251 + 1)
THREE = (BLOCK * 3)[: 2 * PIECE + 100]
"""Three pieces."""


def content(size: int) -> bytes:
    return (BLOCK * (size // len(BLOCK) + 1))[:size]


def sealed(plain: bytes, key: bytes = KEY, name: str = NAME, kind: SealedKind = SNAPSHOT) -> bytes:
    target = io.BytesIO()
    with sealing(key, kind, name, target) as sink:
        for start in range(0, len(plain), 700_001):
            sink.write(plain[start : start + 700_001])
    return target.getvalue()


def opened(content: bytes, key: bytes = KEY, name: str = NAME, kind: SealedKind = SNAPSHOT) -> bytes:
    target = io.BytesIO()
    unseal(key, kind, name, io.BytesIO(content), target)
    return target.getvalue()


def pieces(whole: bytes) -> list[bytes]:
    body = whole[FRONT:]
    return [body[start : start + PIECE + TAG] for start in range(0, len(body), PIECE + TAG)]


WHOLE = sealed(THREE)
FIRST, SECOND, LAST = pieces(WHOLE)
HEAD = WHOLE[:FRONT]


@pytest.mark.parametrize("size", BORDERS)
def test_the_content_comes_back_whatever_its_size(size: int) -> None:
    plain = content(size)
    whole = sealed(plain)
    assert opened(whole) == plain
    assert len(whole) == FRONT + size + TAG * max(1, -(-size // PIECE))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=3_000) | st.integers(0, PIECE + 5).map(content), max_size=6))
def test_the_sizes_of_writes_do_not_matter(parts: list[bytes]) -> None:
    target = io.BytesIO()
    with sealing(KEY, SNAPSHOT, NAME, target) as sink:
        for part in parts:
            assert sink.write(part) == len(part)
            sink.flush()
    assert opened(target.getvalue()) == b"".join(parts)


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, len(WHOLE) - 1) | st.integers(0, FRONT + TAG), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_refused(at: int, bit: int) -> None:
    changed = bytearray(WHOLE)
    changed[at] ^= 1 << bit
    with pytest.raises(BrokenSealError):
        opened(bytes(changed))


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, len(WHOLE) - 1)
    | st.sampled_from([FRONT + n * (PIECE + TAG) + off for n in range(3) for off in (-1, 0, 1)])
)
def test_a_file_that_is_cut_off_anywhere_is_refused(size: int) -> None:
    with pytest.raises(BrokenSealError):
        opened(WHOLE[:size])


LONGER = pieces(sealed(THREE + content(PIECE)))
CHANGES: dict[str, Callable[[], bytes]] = {
    "two pieces swapped": lambda: HEAD + SECOND + FIRST + LAST,
    "the last two swapped": lambda: HEAD + FIRST + LAST + SECOND,
    "a piece left out": lambda: HEAD + FIRST + LAST,
    "a piece twice": lambda: HEAD + FIRST + FIRST + SECOND + LAST,
    "the last piece twice": lambda: WHOLE + LAST,
    "a byte appended": lambda: WHOLE + b"\0",
    "a piece of another file appended": lambda: WHOLE + LONGER[-1],
    "a piece of another file": lambda: HEAD + FIRST + LONGER[1] + LAST,
    "the header of another file": lambda: sealed(THREE)[:FRONT] + WHOLE[FRONT:],
    "no piece": lambda: HEAD,
    "nothing": lambda: b"",
    "plain": lambda: THREE,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_pieces_are_bound_to_their_file_their_place_and_the_end(change: Callable[[], bytes]) -> None:
    with pytest.raises(BrokenSealError):
        opened(change())


def test_a_file_in_the_place_of_another_is_refused() -> None:
    with pytest.raises(BrokenSealError):
        opened(WHOLE, name="0a1c")
    with pytest.raises(BrokenSealError):
        opened(sealed(b"one", kind=SealedKind.EXPORT))
    renamed = WHOLE.replace(SNAPSHOT.magic, SealedKind.EXPORT.magic, 1)
    with pytest.raises(BrokenSealError):
        opened(renamed, kind=SealedKind.EXPORT)


def test_another_key_is_refused_also_under_the_same_id() -> None:
    with pytest.raises(BrokenSealError):
        opened(WHOLE, key=OTHER)
    at = len(SNAPSHOT.magic)
    claimed = WHOLE[:at] + bytes.fromhex(key_id(OTHER)) + WHOLE[at + 8 :]
    with pytest.raises(BrokenSealError):
        opened(claimed, key=OTHER)


def test_the_header_names_the_key_by_a_digest() -> None:
    found = header_of(SNAPSHOT, WHOLE[:HEADER])
    assert found is not None
    assert found.key_id == key_id(KEY) != key_id(OTHER)
    assert KEY not in WHOLE
    assert header_of(SNAPSHOT, b"PAR1") is None
    assert header_of(SealedKind.EXPORT, WHOLE) is None


def test_no_more_than_a_piece_is_held_in_memory() -> None:
    """However large the file is."""
    sizes: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(size if size is not None else -1)
            return super().read(size)

        def write(self, data: bytes, /) -> int:
            sizes.append(len(data))
            return super().write(data)

    target, plain = Watched(), Watched()
    with sealing(KEY, SNAPSHOT, NAME, target) as sink:
        sink.write(THREE)
        assert len(target.getvalue()) == FRONT + 2 * (PIECE + TAG)
    unseal(KEY, SNAPSHOT, NAME, Watched(target.getvalue()), plain)
    assert plain.getvalue() == THREE
    assert 0 < min(sizes) <= max(sizes) == PIECE + TAG


def test_equal_files_are_never_equal_when_sealed() -> None:
    one, other = sealed(b"members"), sealed(b"members")
    assert one[-23:] != other[-23:]
    assert b"members" not in one
