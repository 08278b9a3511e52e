"""How a segment's attributes differ from what the manifests ask for."""

from reconciler.core.model import SegmentSpec
from reconciler.core.plan.changes import AttributeChange
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import Tag, with_tag


def attribute_changes(segment: Segment, spec: SegmentSpec, tag: Tag) -> tuple[AttributeChange, ...]:
    """Name and description, compared exactly; the description with its ownership tag."""
    before = {"name": segment.name, "description": segment.description}
    after = {"name": spec.name, "description": with_tag(spec.description, tag)}
    if before == after:
        return ()
    # Its import alone takes a third of a second: only where values differ.
    from deepdiff import DeepDiff

    changed = DeepDiff(before, after, view="tree").get("values_changed", ())
    return tuple(
        AttributeChange(str(level.path(output_format="list")[0]), level.t1, level.t2)
        for level in sorted(changed, key=lambda level: level.path())
    )
