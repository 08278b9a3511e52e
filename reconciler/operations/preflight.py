"""Refuse to plan for an environment that `doctor` fails: unknown retailers, or a wrong clock."""

from collections.abc import Iterable, Iterator, Mapping

from reconciler.core.desired_state import DesiredState
from reconciler.core.doctor import checks as checkup
from reconciler.core.doctor import results as results
from reconciler.core.doctor.checks import CheckName, CheckResult, CheckStatus
from reconciler.core.errors import AuthenticationError, ConfigurationError, Finding, RemoteError
from reconciler.core.model import Seat
from reconciler.core.ports import ConnectionInspector


def check(desired: DesiredState, inspectors: Mapping[str, ConnectionInspector]) -> None:
    """Raise ConfigurationError with the messages of `doctor`; `inspectors` are keyed by credential.

    Takes one request per account and ten retailers. The clock is compared with responses received anyway.
    A closed account is refused when it is searched.
    """
    found = (*_retailers(desired, inspectors), *_clocks(inspectors.values()))
    failures = dict.fromkeys((where, one) for where, one in found if one.status is CheckStatus.FAILURE)
    if failures:
        raise ConfigurationError(
            f"{desired.environment.name} can't be planned or applied; nothing was sent",
            findings=[Finding(where, one.message, one.remedy) for where, one in failures],
        )


def _retailers(
    desired: DesiredState, inspectors: Mapping[str, ConnectionInspector]
) -> Iterator[tuple[str, CheckResult]]:
    for account, (credential, seats) in _by_account(desired).items():
        listed = _listed(inspectors[credential], account, seats)
        for seat in seats if listed is not None else ():
            there = seat.retailer_id in (listed or ())
            yield f"{CheckName.RETAILER} {checkup.retailer(seat)}", results.retailed(there)


def _listed(inspector: ConnectionInspector, account: str, seats: Iterable[Seat]) -> frozenset[str] | None:
    """Return None if the list is closed: neither plan nor apply needs it."""
    try:
        return inspector.retailers(account, [seat.retailer_id for seat in seats])
    except (RemoteError, AuthenticationError):
        return None


def _by_account(desired: DesiredState) -> Mapping[str, tuple[str, tuple[Seat, ...]]]:
    """Return the retailers of each account, with a credential that reaches it."""
    credentials = {spec.key.account_id: spec.credential for spec in desired.segments}
    used = (Seat(spec.key.account_id, spec.key.retailer_id) for spec in desired.segments)
    seats = tuple(dict.fromkeys(used))
    return {
        account: (credential, tuple(seat for seat in seats if seat.account_id == account))
        for account, credential in credentials.items()
    }


def _clocks(inspectors: Iterable[ConnectionInspector]) -> Iterator[tuple[str, CheckResult]]:
    return ((str(CheckName.CLOCK), results.clock(one.skew())) for one in inspectors)
