"""The links between a project and Criteo: which there are, in which order, and what a look at each gives."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.credential import CredentialRole
from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import Finding
from reconciler.core.model import Seat

PLACE, AGE = "place", "age"
READING, SNAPSHOTS, SEALS, WRITING = "reading", "snapshots", "seals", "writing"


class CheckName(StrEnum):
    """The checks, in their order: a check needs the ones before it. The value is the printed name."""

    MANIFESTS = "manifests"
    SECRETS = "secrets"
    CONSENT = "consent"
    TOKEN = "token"  # noqa: S105 - a word
    APPLICATION = "application"
    CLOCK = "clock"
    AUDIENCES = "audiences"
    ACCOUNT = "account"
    RETAILER = "retailer"
    RATE = "rate limit"
    VERSION = "version"
    STATE = "state"
    DATABASE = "database"
    SOURCES = "sources"


class CheckStatus(StrEnum):
    """The value is also what machines read."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check and its fix. `code` is the exit code of a failure."""

    status: CheckStatus
    message: str
    remedy: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """A result and what it is of: `credential` as its role is printed, `item` a field, account or part."""

    name: CheckName
    credential: str
    item: str
    result: CheckResult


@dataclass(frozen=True, slots=True)
class DatabaseLink:
    """One link to a database: what was found, or the problem that ends the chain. `login` is as printed."""

    login: str
    link: str
    found: str | Finding


Key = tuple[CheckName, str]
"""The name of a check and its item."""
SKIPPED = CheckResult(CheckStatus.SKIPPED, "an earlier check failed")


def exit_code(checks: Iterable[Check]) -> int:
    """That of the first failure along the chain."""
    return next((one.result.code for one in checks if one.result.status is CheckStatus.FAILURE), 0)


def checks_for(role: CredentialRole, seats: Sequence[Seat], *, emulated: bool) -> tuple[Key, ...]:
    """The links of one application, in order."""
    accounts = accounts_of(seats)
    return (
        *(((CheckName.SECRETS, ""),) if emulated else _secrets(role)),
        (CheckName.TOKEN, ""),
        (CheckName.APPLICATION, ""),
        (CheckName.CLOCK, ""),
        *((CheckName.AUDIENCES, account) for account in accounts),
        *((CheckName.ACCOUNT, account) for account in accounts),
        *((CheckName.RETAILER, retailer(seat)) for seat in seats),
        (CheckName.RATE, ""),
    )


def _secrets(role: CredentialRole) -> tuple[Key, ...]:
    pair = ((CheckName.SECRETS, "clientId"), (CheckName.SECRETS, "clientSecret"))
    if not needs_consent(role):
        return pair
    return (*pair, (CheckName.SECRETS, "refreshToken"), (CheckName.CONSENT, PLACE), (CheckName.CONSENT, AGE))


def needs_consent(role: CredentialRole) -> bool:
    """Return whether the application acts for an account of another company and needs a refresh token."""
    return role.application.grant == "authorizationCode"


def retailer(seat: Seat) -> str:
    """A retailer is there or not in an account: the same one may be in several."""
    return f"{seat.account_id}/{seat.retailer_id}"


def seats_of(desired: DesiredState, credential: str) -> tuple[Seat, ...]:
    """Return the seats of the credential's segments; all of the environment if it has no segments."""
    if not desired.segments:
        return tuple(dict.fromkeys(seat for _, seat in desired.environment.seats))
    used = (spec.key for spec in desired.segments if spec.credential == credential)
    return tuple(dict.fromkeys(Seat(key.account_id, key.retailer_id) for key in used))


def accounts_of(seats: Iterable[Seat]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(seat.account_id for seat in seats))
