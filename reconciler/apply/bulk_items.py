"""Results of single items of a bulk request that failed, or was interrupted."""

from collections.abc import Sequence

from reconciler.apply.recorder import StateRecorder
from reconciler.core.errors import CancelledError, OutcomeUnknownError, ReconcilerError, RejectedError
from reconciler.core.events import ChangeOutcome
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.remote import ItemFailure


def end_interrupted(
    ledger: StateRecorder, items: Sequence[tuple[SegmentChange, object]], stop: CancelledError
) -> None:
    """End the changes of an unanswered request as interrupted when the run stops."""
    for change, _ in items if stop.in_doubt else ():
        ledger.end(change.spec.address, ChangeOutcome.INTERRUPTED)


def item_error(item: ItemFailure, *, again: bool = False) -> ReconcilerError:
    """Return a rejection; or an unknown outcome, if the item is missing from the response or was repeated."""
    return _refused(item) if item.code and not again else OutcomeUnknownError(item.problem)


def _refused(item: ItemFailure) -> RejectedError:
    return RejectedError(item.problem, code=item.code)
