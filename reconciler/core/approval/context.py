"""What approvals are checked against: the environment, the state and the time of one run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.approval.model import ApprovalRecord, ApprovedPlan
from reconciler.core.model import Address, Environment
from reconciler.core.state.resource import ResourceState


@dataclass(frozen=True, slots=True)
class CheckContext:
    """The environment, state and time that approvals are checked against.

    `records` are the approval records of the state. `all_addresses`: the plan covers all addresses.
    """

    environment: Environment
    lineage: str
    records: tuple[ApprovalRecord, ...]
    resources: Mapping[Address, ResourceState]
    moment: datetime
    all_addresses: bool = True

    def record(self, digest: str) -> ApprovalRecord | None:
        return next((one for one in self.records if one.digest == digest), None)

    def is_completed(self, approved: ApprovedPlan) -> bool:
        record = self.record(approved.digest)
        return record is not None and record.completed_at is not None
