"""Which changes only an admin may approve: those of destinations that `access: {adminOnly: true}` reserves.

`admins` in `environment.yaml` are logins at the CI host. CI states who approved a plan; nothing here can
prove it. Without `admins`, destinations are reserved by code review only.
"""

from collections.abc import Collection, Iterable, Mapping

from reconciler.core.approval.members_only import is_members_only
from reconciler.core.definition import ADMIN_ONLY
from reconciler.core.errors import Finding
from reconciler.core.model import Address
from reconciler.core.plan.changes import Change, Ending, address_of
from reconciler.core.state.resource import ResourceState


def reserved(changes: Iterable[Change], resources: Mapping[Address, ResourceState]) -> frozenset[Address]:
    """Return the addresses whose change needs the approval of an admin.

    Members of a definition that an admin approved need no other approval. A destination that was reserved
    when it was last applied stays reserved until an admin approves its change.
    """
    return frozenset(address_of(change) for change in changes if _is_reserved(change, resources))


def _is_reserved(change: Change, resources: Mapping[Address, ResourceState]) -> bool:
    resource = resources.get(address_of(change))
    now = not isinstance(change, Ending) and change.spec.access.admin_only
    before = resource is not None and ADMIN_ONLY in resource.parts
    if not (now or before):
        return False
    return resource is None or not (resource.admin_approved and is_members_only(change, resources))


def refusals(addresses: Collection[Address], admins: Collection[str]) -> dict[Address, tuple[Finding, ...]]:
    """Return a finding for each address that no admin approved."""
    why = "its destination is `adminOnly`, and no admin has approved this change"
    remedy = f"have the plan approved by one of {', '.join(sorted(admins))}"
    return {one: (Finding(str(one), why, remedy),) for one in sorted(addresses)}


def approved_by_admin(approved_by: Mapping[str, Collection[str]], admins: Collection[str]) -> frozenset[str]:
    """Return the approvals that an admin gave, by name. Logins are compared without regard to case."""
    known = {one.casefold() for one in admins}
    return frozenset(
        name for name, logins in approved_by.items() if known & {one.casefold() for one in logins}
    )
