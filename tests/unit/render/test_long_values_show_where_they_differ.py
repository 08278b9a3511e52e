"""A reviewer sees what differs in two long values, such as queries, whatever they have in common before."""

import pytest

from reconciler.render.text import LONGEST_NAME, LONGEST_SENTENCE, where_they_differ

LONG = " ".join(f"column{number}," for number in range(500))


@pytest.mark.parametrize("limit", [LONGEST_NAME, LONGEST_SENTENCE])
@pytest.mark.parametrize("at", [0, 20, 599, 3_000, len(LONG) - 1])
def test_what_differs_is_shown(limit: int, at: int) -> None:
    before, after = where_they_differ(LONG[:at] + "<" + LONG[at:], LONG[:at] + ">" + LONG[at:], limit)
    assert ("<" in before, ">" in after) == (True, True)
    assert max(len(before), len(after)) <= limit
    assert before.replace("<", ">") == after


def test_an_added_end_is_shown() -> None:
    assert where_they_differ(LONG, f"{LONG} and more")[1].endswith(" and more")


def test_short_values_are_shown_in_full() -> None:
    assert where_they_differ("last_order < 1", "last_order < 2\x1b[0m") == (
        "last_order < 1",
        "last_order < 2",
    )
