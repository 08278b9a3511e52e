"""Counts, shares and times as text; small counts are hidden if counts are rounded."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.rounding import STEP, LessThan, rounded_count
from reconciler.render.numbers import (
    EXACT,
    ROUNDED,
    NumberFormat,
    age,
    counted,
    minus,
    move,
    near,
    plus,
    stamp,
)

pytestmark = pytest.mark.promise("read-right")

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def shown(figures: NumberFormat, before: int, after: int, adds: int = 0, removes: int = 0) -> str:
    return move(*map(figures.number, (before, after, adds, removes)), figures.step)


def test_exact_counts_are_grouped_and_signed() -> None:
    assert plus(18_240) == "+18,240"
    assert minus(2_911) == "−2,911"
    assert plus(0) == minus(0) == ""
    assert shown(EXACT, 412_006, 427_335) == "412,006 → 427,335 (+3.7%)"
    assert shown(EXACT, 1_000, 997) == "1,000 → 997 (−0.3%)"
    assert shown(EXACT, 10_000, 9_999) == "10,000 → 9,999"
    assert shown(EXACT, 0, 5) == "0 → 5"
    assert shown(EXACT, 5, 5) == "5"
    assert EXACT.share(151, 20_143) == "0.7%"
    assert EXACT.share(1, 0) == ""


def test_rounded_counts_identify_no_member() -> None:
    assert [ROUNDED.count(number) for number in (0, 1, 9, 10, 14, 15, 1_234)] == [
        "0",
        "<10",
        "<10",
        "10",
        "10",
        "20",
        "1,230",
    ]
    few = LessThan(10)
    assert [ROUNDED.number(number) for number in (0, 1, 9, 10, 1_234)] == [0, few, few, 10, 1_230]
    assert EXACT.number(3) == 3
    assert plus(ROUNDED.number(3)) == "+<10"
    assert shown(ROUNDED, 1_001, 1_004) == "1,000"
    assert shown(ROUNDED, 7, 1_004) == "<10 → 1,000"
    assert shown(ROUNDED, 101, 118, 17) == "100 → 120 (about +20%)"
    assert shown(ROUNDED, 104, 4) == shown(ROUNDED, 104, 5) == "100 → <10"
    assert ROUNDED.share(9, 100) == ""
    assert ROUNDED.share(12, 44) == ""
    assert shown(ROUNDED, 44, 45) == "40 → 50"
    assert shown(EXACT, 44, 45) == "44 → 45 (+2.3%)"


@pytest.mark.parametrize(
    ("before", "after", "adds", "out", "expected"),
    [
        (165, 154, 0, 11, "170 → 150 (about −6%)"),
        (200, 170, 0, 30, "200 → 170 (about −15%)"),
        (165, 154, 3, 14, "170 → 150 (about −6%)"),
        (194, 195, 5, 4, "190 → 200"),
        (1_004, 1_016, 12, 0, "1,000 → 1,020 (+1%)"),
        (1_000, 2_000, 400, 0, "1,000 → 2,000 (+100%)"),
    ],
)
def test_a_share_is_reckoned_from_what_moves(
    before: int, after: int, adds: int, out: int, expected: str
) -> None:
    """As guards reckon it: two rounded sizes lie up to ten further apart than what moves."""
    assert shown(ROUNDED, before, after, adds, out) == expected


@given(st.integers(0, 10**9))
def test_what_is_approved_and_what_is_read_are_rounded_alike(number: int) -> None:
    assert ROUNDED.number(number) == rounded_count(number)
    assert ROUNDED.step == STEP


@pytest.mark.parametrize("before", range(40))
def test_a_rounded_move_says_no_more_than_its_rounded_counts(before: int) -> None:
    """One more or less changes nothing within a step."""
    expected = {shown(ROUNDED, before, after) for after in range(100, 105)}
    assert len(expected) == 1


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=-5), "just written"),
        (timedelta(minutes=90), "90 min old"),
        (timedelta(hours=30), "30 h old"),
        (timedelta(days=3), "3 days old"),
    ],
)
def test_ages(ago: timedelta, text: str) -> None:
    assert age(NOW - ago, NOW) == text


def test_times_and_counts() -> None:
    assert stamp(NOW) == "2026-11-24 12:00 UTC"
    assert near(NOW, NOW) == "12:00 UTC"
    assert near(NOW + timedelta(hours=12), NOW) == "00:00 UTC on 2026-11-25"
    assert [counted(1, "call"), counted(2, "call"), counted(0, "batch", "batches")] == [
        "1 call",
        "2 calls",
        "0 batches",
    ]
