"""Steps of an apply in one line each."""

from typing import assert_never

from reconciler.core.events import ChangeEnded, ChangeOutcome, SegmentCreated, SegmentUpdated
from reconciler.render.text import name, sentence


def stepped(event: SegmentCreated | SegmentUpdated | ChangeEnded) -> str:
    """What happened, and where."""
    at = name(str(event.address))
    match event:
        case SegmentCreated():
            return f"{at}: segment {name(event.segment_id)} created"
        case SegmentUpdated():
            return f"{at}: name or description changed"
        case ChangeEnded(outcome=ChangeOutcome.FAILED):
            return f"{at}: failed: {sentence(event.problem)}"
        case ChangeEnded():
            return f"{at}: {event.outcome}"
        case _:
            assert_never(event)
