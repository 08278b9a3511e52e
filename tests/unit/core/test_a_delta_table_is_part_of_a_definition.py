"""The folder of a Delta table is what a reviewer approves and promotion carries."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from golden import plan_cases as cases

from reconciler.core.definition import parts_of
from reconciler.core.members import EMPTY_SNAPSHOT, TargetMembers
from reconciler.core.model import SegmentSpec
from reconciler.core.plan.guards import stale_sources
from reconciler.core.portable_definition import portable_parts
from reconciler.core.promotion.gate import PortablePart

SPEC = cases.LAPSED


def stored_in(folder: str, **parts: object) -> SegmentSpec:
    source = replace(SPEC.audience.source, files=(), delta=folder, **parts)
    return replace(SPEC, audience=replace(SPEC.audience, source=source))


def test_a_reviewer_sees_the_folder() -> None:
    parts = dict(parts_of(stored_in("customers")))
    assert parts["source.delta"] == "customers"
    assert "source.files" not in parts


def test_another_folder_is_another_definition() -> None:
    before, after = stored_in("customers"), stored_in("people")
    assert after.definition != before.definition
    assert portable_parts(after)[PortablePart.SOURCE] != portable_parts(before)[PortablePart.SOURCE]
    assert (
        stored_in("").definition
        == replace(
            SPEC, audience=replace(SPEC.audience, source=replace(SPEC.audience.source, files=()))
        ).definition
    )


def test_the_age_is_that_of_the_newest_row() -> None:
    now = datetime(2026, 11, 30, tzinfo=UTC)
    target = TargetMembers(EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, 0, (), newest=now - timedelta(days=3))
    [found] = stale_sources(stored_in("customers", max_age=timedelta(hours=36)), target, now)
    assert "the newest source row is" in found.problem
