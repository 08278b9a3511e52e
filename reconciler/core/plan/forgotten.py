"""Forgotten addresses that still lose members of suppression lists: their segments remain at Criteo."""

from collections.abc import Container, Iterable

from reconciler.core.desired_state import DesiredState
from reconciler.core.model import Address, Audience, SegmentSpec, Source
from reconciler.core.overridden import guards_of
from reconciler.core.state.resource import ResourceState


def credential_of_account(desired: DesiredState, account_id: str) -> str:
    """Return the credential of an address in the same account, as the account is read with."""
    of_account = (one.credential for one in desired.segments if one.key.account_id == account_id)
    others = (one.credential for one in desired.segments)
    declared = (one.name for one in desired.credentials)
    return next((name for names in (of_account, others, declared) for name in names), "")


def forgotten_specs(
    desired: DesiredState, resources: Iterable[ResourceState], only: Container[Address]
) -> dict[Address, SegmentSpec]:
    """Return a definition for each address that only the state has: no source, the environment's lists.

    None without suppression lists.
    """
    environment, managed = desired.environment, {spec.address for spec in desired.segments}
    if not environment.suppression_lists:
        return {}
    return {
        one.address: SegmentSpec(
            one.address,
            "",
            "",
            one.current.key,
            credential_of_account(desired, one.current.key.account_id),
            Audience(
                one.address.audience,
                "",
                "",
                Source(()),
                (),
                guards=guards_of(desired, one.address),
                place=environment.suppression_lists[0].place,
                suppression_lists=environment.suppression_lists,
            ),
        )
        for one in resources
        if one.address not in managed and one.address in only
    }
