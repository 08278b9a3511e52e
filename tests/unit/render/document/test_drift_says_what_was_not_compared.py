"""Drift reports the addresses whose members were not compared, the reason, and when they can be."""

from datetime import UTC, datetime

import pytest
from golden import plan_cases as cases

from reconciler.core.plan.drift import NotComparable
from reconciler.core.state.model import StateHead
from reconciler.render.document import document_text
from reconciler.render.document.drift import DriftScope, drift_document
from reconciler.render.document.model import Document, DocumentType
from reconciler.render.document.plan import heading
from reconciler.render.document.statement_text import note_text
from reconciler.render.numbers import EXACT

pytestmark = pytest.mark.promise("read-right")

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def document(looked: DriftScope) -> Document:
    header = heading(
        DocumentType.DRIFT, cases.ENVIRONMENT, StateHead("7f3a2b1c9d", 118, "production"), cases.NOW
    )
    return drift_document(header, (), looked, EXACT)


def test_each_reason_is_one_note_and_what_was_just_sent_has_its_time() -> None:
    looked = DriftScope(5, ((NotComparable.RECENT, 2), (NotComparable.UNKNOWN, 1)), NOON)
    assert tuple(map(note_text, document(looked).notes)) == (
        (
            "the members of 2 addresses can't be compared now: something was sent since Criteo's last "
            "computation; again after 2026-11-24 12:00 UTC"
        ),
        (
            "the members of 1 address can't be compared now: unknown members may remain until the "
            "segment is replaced"
        ),
    )


@pytest.mark.parametrize(
    ("looked", "summary"),
    [
        (DriftScope(0), "Nothing was applied yet: there is nothing to compare."),
        (DriftScope(0, unseen=2), "No address could be checked: there is nothing to compare."),
        (DriftScope(1), "No drift in 1 address."),
    ],
)
def test_nothing_to_compare_is_not_no_drift(looked: DriftScope, summary: str) -> None:
    assert document_text.summary(document(looked)) == summary
