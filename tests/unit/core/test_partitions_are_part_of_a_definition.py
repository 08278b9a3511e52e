"""Which folders are columns, and of which types, is what a reviewer approves and promotion carries."""

from dataclasses import replace

import pytest
from golden import plan_cases as cases

from reconciler.core.definition import parts_of
from reconciler.core.model import Partition, PartitionType, SegmentSpec
from reconciler.core.portable_definition import portable_parts
from reconciler.core.promotion.gate import PortablePart

SPEC = cases.LAPSED
DT, REGION = Partition("dt", PartitionType.DATE), Partition("region", PartitionType.TEXT)


def partitioned(*declared: Partition) -> SegmentSpec:
    source = replace(SPEC.audience.source, partitions=declared)
    return replace(SPEC, audience=replace(SPEC.audience, source=source))


def test_a_reviewer_sees_each_partition_with_its_type() -> None:
    parts = dict(parts_of(partitioned(DT, REGION)))
    assert parts["source.partitions.dt"] == "date"
    assert parts["source.partitions.region"] == "text"


@pytest.mark.parametrize("changed", [(), (DT,), (replace(DT, type=PartitionType.TEXT), REGION)])
def test_another_partition_or_type_is_another_definition(changed: tuple[Partition, ...]) -> None:
    before, after = partitioned(DT, REGION), partitioned(*changed)
    assert after.definition != before.definition
    assert portable_parts(after)[PortablePart.SOURCE] != portable_parts(before)[PortablePart.SOURCE]
