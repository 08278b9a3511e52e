"""The output of `--out` follows its schema, is read back unchanged, and has no small count."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import pytest
from golden import plan_cases as cases
from golden.document_cases import DOCUMENTS
from jsonschema import Draft202012Validator

from reconciler import __version__
from reconciler.core.approval.approved_changes import approved_changes
from reconciler.core.approval.model import ApprovedPlan
from reconciler.core.rounding import rounded_count
from reconciler.render.document.statements import Note, Statement
from reconciler.render.json.document import (
    DIGEST,
    FORMAT_VERSION,
    code_of,
    decoded,
    digest_of,
    dump,
    encoded,
)
from reconciler.render.numbers import ROUNDED

pytestmark = pytest.mark.promise("read-right")

SCHEMA = json.loads((Path(__file__).parents[4] / "schemas" / "plan.schema.json").read_text(encoding="utf-8"))


def approval(case: str) -> ApprovedPlan | None:
    if case not in cases.CASES:
        return None
    plan, environment = cases.CASES[case]
    return ApprovedPlan(
        digest="",
        environment=environment.name,
        endpoint=environment.api.endpoint,
        seats=dict(environment.seats),
        lineage=plan.basis.lineage,
        made_at=plan.basis.made_at,
        limits=environment.approval_limits,
        changes=approved_changes(plan, {}),
    )


def saved(case: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(dump(encoded(DOCUMENTS[case](ROUNDED), approval(case), __version__)))
    return read


@pytest.mark.parametrize("case", DOCUMENTS)
def test_saved_documents_follow_the_schema_and_round_trip(case: str) -> None:
    Draft202012Validator(SCHEMA).validate(saved(case))
    found = decoded(saved(case))
    assert found.document == DOCUMENTS[case](ROUNDED)
    assert found.digest == digest_of(saved(case))
    made = approval(case)
    assert (found.approved is None) == (made is None)
    if found.approved and made:
        assert asdict(found.approved) == asdict(made) | {"digest": found.digest}


def test_the_schema_is_one_and_names_the_version() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert re.fullmatch(SCHEMA["properties"]["format_version"]["pattern"], FORMAT_VERSION)


@pytest.mark.parametrize(("name", "union"), [("statement", Statement), ("note", Note)])
def test_the_schema_has_every_code(name: str, union: UnionType) -> None:
    codes = [one["properties"]["code"]["const"] for one in SCHEMA["$defs"][name]["anyOf"]]
    assert sorted(codes) == sorted(code_of(one) for one in get_args(union))


def test_a_digest_is_of_the_content_and_not_of_its_layout() -> None:
    one = saved("first-create")
    shuffled = dict(reversed(one.items()))
    assert digest_of(shuffled) == one[DIGEST]
    assert digest_of(one | {"summary": "another"}) != one[DIGEST]


def test_keys_that_come_later_are_skipped() -> None:
    one = saved("first-create") | {"format_version": "2.9", "later": 1}
    one["document"] |= {"later": 1}
    Draft202012Validator(SCHEMA).validate(one)
    assert decoded(one).document == DOCUMENTS["first-create"](ROUNDED)


def test_untrusted_text_does_not_control_a_terminal() -> None:
    one = saved("wrong-manifests")
    one["document"]["error"]["problem"] = "\x1b[31mred\x1b[0m\nsecond"
    one["document"]["error"]["remedy"] = "first\n\x1b]0;title\x07second"
    document = decoded(one).document
    assert document.error is not None
    assert document.error.problem == "red second"
    assert document.error.remedy == "first\nsecond"


@pytest.mark.parametrize("case", DOCUMENTS)
def test_no_small_count_of_people_is_saved(case: str) -> None:
    """Nor one that is not rounded: both would point at who joined or left."""
    for count in counts(saved(case)):
        assert count == {"less_than": 10} or (isinstance(count, int) and count == rounded_count(count))


def counts(data: Any) -> list[Any]:
    """All that the schema calls a count."""
    document = data["document"]
    held = [*(data["approval"] or {"changes": []})["changes"], document["totals"], *document["lists"]]
    held += [row["members"] or {} for section in document["sections"] for row in section["rows"]]
    held += [
        line["statement"]
        for section in document["sections"]
        for row in section["rows"]
        for line in row["lines"]
    ]
    held += [drop for one in held for drop in one.get("drops", ())]
    held += [(document["outcome"] or {}).get("sent") or {}]
    return [one for each in held for one in parts(each)]


COUNTS = frozenset(
    {"adds", "removes", "size", "before", "after", "missing", "members", "done", "total", "rows", "counted"}
    | {"acknowledged", "added", "removed", "rejected"}
)


def parts(held: dict[str, Any]) -> list[Any]:
    return [held[key] for key in COUNTS & held.keys() if held[key] is not None]
