"""docs/reference/identifiers.md matches the normalizers, row by row."""

import re
from pathlib import Path

import duckdb
import pytest

from reconciler.core.identifiers import NormalizedIdentifier, normalize
from reconciler.core.members import DropReason
from reconciler.core.model import HASHINGS, Hashing, IdentifierType
from reconciler.members import identifier_sql as sql
from reconciler.render.document.statement_text import DROP_WORDS

pytestmark = pytest.mark.promise("members")

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "identifiers.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| (\w+) \| ([a-z0-9-]+) \| ([A-Z]{2})? ?\| `([^`]+)` \| (?:`([^`]+)`|\*([^*]+)\*) \|$", re.MULTILINE
)
ROWS = [tuple(found) for found in ROW.findall(PAGE)]


REASONS = {words: reason for reason, words in DROP_WORDS.items()}


def expected(wire: str, said: str) -> tuple[str | None, DropReason | None, str]:
    if wire:
        return wire, None, ""
    reason, _, flaw = said.partition(": ")
    return None, REASONS[reason], flaw


def by_sql(
    value: str, kind: IdentifierType, hashing: Hashing, country: str
) -> tuple[str | None, DropReason | None, str]:
    rows = sql.classified("(SELECT ? AS x)", {"x": kind}, keep="x", countries={"x": country})
    member = sql.member("x_value", "x_class", hashing)
    wire = member if hashing is Hashing.NONE else f"lower(hex({member}))"
    found, text = duckdb.execute(f"SELECT x_class, {wire} FROM {rows}", [value]).fetchall()[0]
    drop = sql.drop(found, hashing)
    return (
        (None if drop else text),
        drop,
        sql.FLAWS[found - sql.Class.FLAWED] if drop is DropReason.MALFORMED else "",
    )


@pytest.mark.parametrize(("kind", "hashing", "country", "value", "wire", "said"), ROWS)
def test_every_row_of_the_page_matches_what_is_sent(kind, hashing, country, value, wire, said):
    found = normalize(value, IdentifierType(kind), Hashing(hashing), country)
    assert (found.value, found.drop_reason, found.defect) == expected(wire, said)
    assert by_sql(value, IdentifierType(kind), Hashing(hashing), country) == expected(wire, said)


def test_the_page_has_every_type_every_form_and_every_reason():
    assert len(ROWS) == PAGE.count("\n| ") - PAGE.count("\n| type |")
    assert {(kind, hashing) for kind, hashing, *_ in ROWS} == {
        (kind, hashing) for kind, forms in HASHINGS.items() for hashing in forms
    }
    documented = {said.removeprefix("malformed: ") for *_, said in ROWS if said.startswith("malformed")}
    assert set(sql.FLAWS) - documented == {"control characters", "too long"}


def test_the_page_is_linked_where_people_look():
    root = Path(__file__).parents[2]
    assert "(docs/reference/identifiers.md)" in (root / "README.md").read_text(encoding="utf-8")
    assert "(identifiers.md" in (root / "docs" / "reference" / "manifests.md").read_text(encoding="utf-8")


def test_white_space_and_nothing_are_as_the_page_says():
    assert normalize("\u200b\t ", IdentifierType.EMAIL, Hashing.SHA256) == NormalizedIdentifier(
        None, DropReason.EMPTY
    )
