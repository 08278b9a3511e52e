"""What an apply did, as the audit log states it: by address, with rounded counts."""

from collections.abc import Iterable, Mapping

from reconciler.core.audit.model import AuditedChange
from reconciler.core.events import ChangeOutcome
from reconciler.core.model import Address
from reconciler.core.plan.changes import Change, address_of, kind_of
from reconciler.core.rounding import rounded_count
from reconciler.core.series import SeriesPoint

REMOVAL = "removal"
"""The kind of a blocked address: only its suppressed members were removed."""


def audited_changes(
    changes: Iterable[Change], outcomes: Mapping[Address, ChangeOutcome], points: Iterable[SeriesPoint]
) -> tuple[AuditedChange, ...]:
    """Return each address with an outcome, or that Criteo acknowledged members of."""
    kinds = {address_of(change): kind_of(change).value for change in changes}
    moved = {point.address: (point.adds, point.removes) for point in points}
    return tuple(
        AuditedChange(
            address,
            kinds.get(address, REMOVAL),
            outcomes.get(address, ChangeOutcome.APPLIED).value,
            *map(rounded_count, moved.get(address, (0, 0))),
        )
        for address in sorted(outcomes.keys() | moved.keys())
    )
