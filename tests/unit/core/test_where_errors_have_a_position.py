"""An error in `where` has its position in the manifest, for every way of writing it in YAML."""

from datetime import date
from pathlib import Path

import pytest
from support.manifest_project import CARET, Project

from reconciler.core.model import SourceLocation
from reconciler.core.value_location import place_within
from reconciler.manifests import load
from reconciler.members.source_check import check_all

pytestmark = pytest.mark.promise("refused-early")

AUDIENCE = "audiences/lapsed.yaml"
DECLARED = 'where: "last_order < :today - interval 90 day"'
ONLY_TODAY = "only `:today` is known"
WRITTEN = {
    "double quotes": ('where: "last_order < ‸:yesterday"', ONLY_TODAY),
    "single quotes": ("where: 'city = ''x'' and last_order < ‸:yesterday'", ONLY_TODAY),
    "plain": ("where: last_order < ‸:yesterday", ONLY_TODAY),
    "literal block": ("where: |\n    city = 'x'\n    and last_order < ‸:yesterday\n", ONLY_TODAY),
    "folded block": ("where: >-\n    city = 'x'\n    and last_order < ‸:yesterday\n", ONLY_TODAY),
    "several lines": ("where: \"city = 'x'\n    and last_order < ‸:yesterday\"", ONLY_TODAY),
    "behind today": (
        "where: \"last_order < :today and last_order > :today and lower(‸citty) = 'x'\"",
        "city?",
    ),
    "beyond ASCII": ("where: \"city = 'Köln😀' and ‸lowr(city) = 'x'\"", "did you mean lower?"),
    "a column with spaces": ("where: \"first ‸name = 'x'\"", 'quote columns with spaces: "first name"'),
    "two words": ("where: \"last_order < :today and first ‸name = 'x'\"", "quote columns with spaces"),
    "a column": ('where: "‸last_ordr < :today"', "did you mean last_order?"),
    "a clock": ('where: "last_order < ‸now()"', "use :today"),
    "a clock that is a word": ('where: "last_order < ‸current_date"', "use :today"),
    "a sub-query": ('where: "city in ‸(select 1)"', "use `exclude`"),
    "an aggregate": ("where: \"city = 'x' and ‸sum(amount) > 1\"", "prepare the column"),
    "padding": ("where: \"city = 'x' or length(‸lpad('x', 2000000000, 'y')) > 1\"", "give the length"),
    "a question mark": ('where: "last_order < ‸?"', ONLY_TODAY),
    "the end": ('where: "last_order ‸<"', "write what stands after WHERE"),
}


COLUMNS = ("behind today", "a column", "a clock that is a word")
"""Which columns there are is known only where the data is."""


@pytest.mark.parametrize(
    ("written", "data"),
    [(one, "data") for one in WRITTEN] + [(one, "elsewhere") for one in WRITTEN if one not in COLUMNS],
)
def test_a_mistake_is_shown_where_it_stands(tmp_path: Path, written: str, data: str) -> None:
    text, remedy = WRITTEN[written]
    project = Project(tmp_path)
    (tmp_path / "data" / "customers" / "north.csv").write_text(
        "email,customer_id,last_order,city,amount,first name\n"
    )
    where = project.edit(AUDIENCE, DECLARED, text)
    audiences = load(tmp_path, "sandbox").audiences
    [found] = check_all(audiences, str(tmp_path / data), date(2026, 11, 24), tmp_path)
    assert found.where == where
    assert remedy in found.remedy


PLACE = SourceLocation("a.yaml", 7, 10)


@pytest.mark.parametrize(
    ("written", "value", "index", "expected"),
    [
        ("", "x = 1", 4, PLACE),
        ("y", "x", 0, PLACE),
        ('"x = 1"', "x = 1", 4, SourceLocation("a.yaml", 7, 15)),
        ('"x = 1"', "x = 1", 99, SourceLocation("a.yaml", 7, 15)),
        ('"  "', "  ", 1, PLACE),
        ("", " ", 0, PLACE),
    ],
)
def test_what_cannot_be_found_is_shown_where_the_value_begins(written, value, index, expected):
    assert place_within(PLACE, written, value, index) == expected
    assert CARET not in str(expected)
