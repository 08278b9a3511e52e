"""Counts, shares and times are rounded and written consistently."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.rounding import (
    STEP,
    bounds,
    duration,
    format_limit,
    format_share,
    percent,
    percent_up,
    rounded,
    rounded_count,
    share_of,
)
from reconciler.manifests.index import share

pytestmark = pytest.mark.promise("read-right")


@given(st.integers(0, 10**9))
def test_a_rounded_count_is_within_its_bounds(number: int) -> None:
    least, most = bounds(rounded_count(number))
    assert least <= number <= most
    assert rounded_count(least) == rounded_count(most) == rounded_count(number)
    assert number < STEP or rounded_count(number) == rounded(number)


@pytest.mark.parametrize(
    ("part", "whole", "reported"),
    [(0, 440, 0.0), (1, 440, None), (12, 94, None), (12, 95, 0.1), (114, 165, 0.65), (0, 0, None)],
)
def test_a_share_of_few_people_is_not_reported(part: int, whole: int, reported: float | None) -> None:
    assert share_of(part, whole) == reported
    assert (format_share(part, whole) == "") == (reported is None)


def test_at_a_terminal_every_share_is_reported() -> None:
    assert share_of(1, 40, step=1) == 0.025
    assert share_of(0, 0, step=1) is None
    assert format_share(1, 40, step=1, sign="+") == "+2.5%"
    assert format_share(110, 440, sign="+") == "about +25%"
    assert format_share(1_100, 4_400) == "25%"


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_what_lets_a_share_pass_is_rounded_up(part: int, whole: int) -> None:
    assert share(percent_up(part / whole)) >= part / whole - 1e-8


@pytest.mark.parametrize(
    ("measured", "text"),
    [
        (0, "0%"),
        (0.00001, "<0.1%"),
        (0.001, "0.1%"),
        (0.03729, "3.7%"),
        (0.2, "20%"),
        (0.29, "29%"),
        (12.345, "1,234.5%"),
    ],
)
def test_shares_are_written_in_one_way(measured: float, text: str) -> None:
    assert percent(measured) == text


@pytest.mark.parametrize("text", ["0%", "0.125%", "0.25%", "20%", "29%", "100%", "250%"])
def test_limits_are_written_as_in_manifests(text: str) -> None:
    assert format_limit(share(text)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 seconds"),
        (0.2, "0 seconds"),
        (1, "1 second"),
        (54, "54 seconds"),
        (174, "2 minutes 54 seconds"),
        (180, "3 minutes"),
        (3_900, "1 hour 5 minutes"),
        (12 * 3_600, "12 hours"),
        (71 * 3_600, "71 hours"),
        (73 * 3_600, "3 days 1 hour"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text
