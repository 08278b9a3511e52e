"""The folder of a Delta or Iceberg table is what a reviewer approves and promotion carries."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from golden import plan_cases as cases

from reconciler.core.definition import parts_of
from reconciler.core.members import EMPTY_SNAPSHOT, TargetMembers
from reconciler.core.model import SegmentSpec
from reconciler.core.plan.guards import stale_sources
from reconciler.core.portable_definition import portable_parts
from reconciler.core.promotion.gate import PortablePart

SPEC = cases.LAPSED


@pytest.fixture(params=["delta", "iceberg"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def stored_in(kind: str, folder: str, **parts: object) -> SegmentSpec:
    source = replace(SPEC.audience.source, files=(), **{kind: folder}, **parts)  # type: ignore[arg-type]
    return replace(SPEC, audience=replace(SPEC.audience, source=source))


def test_a_reviewer_sees_the_folder(kind: str) -> None:
    parts = dict(parts_of(stored_in(kind, "customers")))
    assert parts[f"source.{kind}"] == "customers"
    assert "source.files" not in parts


def test_another_folder_or_kind_is_another_definition(kind: str) -> None:
    other = {"delta": "iceberg", "iceberg": "delta"}[kind]
    tables = [stored_in(kind, "customers"), stored_in(kind, "people"), stored_in(other, "customers")]
    assert len({one.definition for one in tables}) == 3
    assert len({repr(portable_parts(one)[PortablePart.SOURCE]) for one in tables}) == 3
    assert (
        stored_in(kind, "").definition
        == replace(
            SPEC, audience=replace(SPEC.audience, source=replace(SPEC.audience.source, files=()))
        ).definition
    )


def test_the_age_is_that_of_the_newest_row(kind: str) -> None:
    now = datetime(2026, 11, 30, tzinfo=UTC)
    target = TargetMembers(EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, 0, (), newest=now - timedelta(days=3))
    [found] = stale_sources(stored_in(kind, "customers", max_age=timedelta(hours=36)), target, now)
    assert "the newest source row is" in found.problem
