"""Ranges of bytes of a file: which are left to bring, and in which requests."""

from collections.abc import Iterable
from itertools import pairwise

Range = tuple[int, int]
"""The first byte, and the one after the last."""


def united(ranges: Iterable[Range], gap: int = 0) -> tuple[Range, ...]:
    """Return the same bytes in order, each once; ranges at most `gap` bytes apart become one."""
    found: list[Range] = []
    for start, end in sorted(one for one in ranges if one[0] < one[1]):
        if found and start <= found[-1][1] + gap:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)


def left(wanted: Iterable[Range], there: Iterable[Range]) -> tuple[Range, ...]:
    """Return the bytes that are wanted and not there yet."""
    known = united(there)
    holes = [(before[1], after[0]) for before, after in pairwise([(0, 0), *known])]
    holes.append((known[-1][1] if known else 0, max((end for _, end in wanted), default=0)))
    found = ((max(one[0], hole[0]), min(one[1], hole[1])) for one in united(wanted) for hole in holes)
    return united(found)


def pieces(ranges: Iterable[Range], most: int) -> tuple[Range, ...]:
    """Return the same bytes in ranges of at most `most` bytes."""
    return tuple((at, min(at + most, end)) for start, end in ranges for at in range(start, end, most))
