"""Shortens a list to the available room, with a note on the rest."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

IN_FULL = "the artifact of the run, or `reconciler show FILE`"

T = TypeVar("T")


def fitted(
    items: Sequence[T], layout: Callable[[T], str], room: int, lacks: Callable[[int], str]
) -> list[str]:
    """Return the first items on lines of their own, at most `room` characters.

    `lacks` states how many are cut.
    """
    kept = fitting(items, layout, room)
    if len(kept) < len(items):
        kept = fitting(items[: len(kept)], layout, room - len(lacks(len(items))) - 1)
        return [*kept, lacks(len(items) - len(kept))]
    return kept


def fitting(items: Iterable[T], layout: Callable[[T], str], room: int) -> list[str]:
    """Return the items that fit."""
    kept: list[str] = []
    for item in items:
        block = layout(item)
        room -= len(block) + 1
        if room < 0:
            break
        kept.append(block)
    return kept


def joined(blocks: Iterable[str]) -> str:
    return "".join(f"{block}\n" for block in blocks)


def more(lacking: int, what: str = "") -> str:
    """A paragraph of its own."""
    return f"\n{in_short(lacking, what)}"


def in_short(lacking: int, what: str = "") -> str:
    return f"… {lacking:,} more{what}: see {IN_FULL}"
