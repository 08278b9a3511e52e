"""List the segments of an environment's seats that its state does not have."""

from collections.abc import Container, Iterable, Mapping

from reconciler.core.errors import ConfigurationError
from reconciler.core.model import Environment
from reconciler.core.ports import SegmentReader
from reconciler.core.state.resource import ResourceState
from reconciler.core.unmanaged import UnmanagedSegments, unmanaged_segments


def list_unmanaged(
    environment: Environment,
    credentials: Mapping[str, str],
    readers: Mapping[str, SegmentReader],
    resources: Iterable[ResourceState],
    declared: Container[str],
) -> UnmanagedSegments:
    """List the segments of each account once, with the credential of its seat, or with any.

    `declared` are the segments that `Adopt` documents name. Raises what the readers raise.
    """
    if not readers:
        raise ConfigurationError(
            f"{environment.name} has no credential to list segments with",
            remedy="add a document of `kind: Credential`",
        )
    fallback, accounts = next(iter(readers)), dict[str, str]()
    for name, seat in environment.seats:
        accounts.setdefault(seat.account_id, credentials.get(name, ""))
    segments = {
        account: readers[credential if credential in readers else fallback].segments(account)
        for account, credential in accounts.items()
    }
    managed = frozenset(held.segment_id for resource in resources for held in resource.segments)
    return unmanaged_segments(environment.seats, segments, managed, declared)
