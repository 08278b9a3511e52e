"""Counts, shares and times in words; small counts stay hidden where figures are rounded."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.rounding import STEP, rounded_count
from reconciler.render.numbers import EXACT, ROUNDED, age, counted, near, stamp

pytestmark = pytest.mark.promise("read-right")

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def test_exact_counts_are_grouped_and_signed() -> None:
    assert EXACT.plus(18_240) == "+18,240"
    assert EXACT.minus(2_911) == "−2,911"
    assert EXACT.plus(0) == EXACT.minus(0) == ""
    assert EXACT.move(412_006, 427_335) == "412,006 → 427,335 (+3.7%)"
    assert EXACT.move(1_000, 997) == "1,000 → 997 (−0.3%)"
    assert EXACT.move(10_000, 9_999) == "10,000 → 9,999"
    assert EXACT.move(0, 5) == "0 → 5"
    assert EXACT.move(5, 5) == "5"
    assert EXACT.share(151, 20_143) == "0.7%"
    assert EXACT.share(1, 0) == ""


def test_rounded_counts_point_at_nobody() -> None:
    assert [ROUNDED.count(number) for number in (0, 1, 9, 10, 14, 15, 1_234)] == [
        "0",
        "<10",
        "<10",
        "10",
        "10",
        "20",
        "1,230",
    ]
    assert [ROUNDED.number(number) for number in (0, 1, 9, 10, 1_234)] == [0, "<10", "<10", 10, 1_230]
    assert EXACT.number(3) == 3
    assert ROUNDED.plus(3) == "+<10"
    assert ROUNDED.move(1_001, 1_004) == "1,000"
    assert ROUNDED.move(7, 1_004) == "<10 → 1,000"
    assert ROUNDED.move(101, 118, 17) == "100 → 120 (about +20%)"
    assert ROUNDED.move(104, 4) == ROUNDED.move(104, 5) == "100 → <10"
    assert ROUNDED.share(9, 100) == ""
    assert ROUNDED.share(12, 44) == ""
    assert ROUNDED.move(44, 45) == "40 → 50"
    assert EXACT.move(44, 45) == "44 → 45 (+2.3%)"


@pytest.mark.parametrize(
    ("before", "after", "adds", "out", "told"),
    [
        (165, 154, 0, 11, "170 → 150 (about −6%)"),
        (200, 170, 0, 30, "200 → 170 (about −15%)"),
        (165, 154, 3, 14, "170 → 150 (about −6%)"),
        (194, 195, 5, 4, "190 → 200"),
        (1_004, 1_016, 12, 0, "1,000 → 1,020 (+1%)"),
        (1_000, 2_000, 400, 0, "1,000 → 2,000 (+100%)"),
    ],
)
def test_a_share_is_reckoned_from_what_moves(before: int, after: int, adds: int, out: int, told: str) -> None:
    """As guards reckon it: two rounded sizes lie up to ten further apart than what moves."""
    assert ROUNDED.move(before, after, adds, out) == told


@given(st.integers(0, 10**9))
def test_what_is_approved_and_what_is_read_are_rounded_alike(number: int) -> None:
    assert ROUNDED.number(number) == rounded_count(number)
    assert ROUNDED.step == STEP


@pytest.mark.parametrize("before", range(40))
def test_a_rounded_move_says_no_more_than_its_rounded_counts(before: int) -> None:
    """One more or less changes nothing within a step."""
    told = {ROUNDED.move(before, after) for after in range(100, 105)}
    assert len(told) == 1


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
