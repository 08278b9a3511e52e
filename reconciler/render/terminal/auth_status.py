"""The stored consent of each credential and its expiry, without the token."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rich.console import Console
from rich.text import Text

from reconciler.core.consent.model import Consent, expires_soon, is_expired
from reconciler.core.credential import CredentialRole
from reconciler.core.errors import ReconcilerError
from reconciler.render.text import sentence


class ConsentStatus(StrEnum):
    """The status of a consent. The value is used in JSON."""

    NOT_NEEDED = "not_needed"
    HELD = "held"
    EXPIRES_SOON = "expires_soon"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"
    """No consent is stored, or it cannot be read."""


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """One application."""

    name: str
    grant: str
    status: ConsentStatus
    state: str
    remedy: str = ""
    consent: Consent | None = None

    @property
    def missing(self) -> bool:
        """Return whether a credential has no consent yet."""
        return self.status in {ConsentStatus.EXPIRED, ConsentStatus.UNREADABLE}


def consent_rows(
    environment: str,
    roles: Iterable[CredentialRole],
    held: Callable[[CredentialRole], Consent],
    now: datetime,
) -> list[ConsentRow]:
    """`held` reads what is kept for a role; what it raises is shown in the role's row."""
    return [_row(environment, role, held, now) for role in roles]


def print_consents(rows: Iterable[ConsentRow], out: Console) -> None:
    for row in rows:
        style = "red" if row.missing else "yellow" if row.remedy else ""
        out.print(Text.assemble((row.name, "bold"), f"  {row.grant}"), soft_wrap=True)
        out.print(Text(f"  {sentence(row.state)}", style), soft_wrap=True)
        if row.consent and row.consent.accounts:
            out.print(Text(f"  accounts {', '.join(map(sentence, row.consent.accounts))}"), soft_wrap=True)
        if row.remedy:
            out.print(Text(f"  → {sentence(row.remedy)}"), soft_wrap=True)


def _row(
    environment: str, role: CredentialRole, held: Callable[[CredentialRole], Consent], now: datetime
) -> ConsentRow:
    grant, label = role.application.grant, str(role)
    if grant == "clientCredentials":
        message = "client credentials: consent is stored at Criteo, nothing is stored here"
        return ConsentRow(label, grant, ConsentStatus.NOT_NEEDED, message)
    try:
        consent = held(role)
    except ReconcilerError as error:
        return ConsentRow(label, grant, ConsentStatus.UNREADABLE, error.problem, error.remedy)
    again = f"ask for consent again: {role.login(environment)}"
    use = f"use it, and it may be renewed: `reconciler doctor {environment}`; if it isn't, {again}"
    if is_expired(consent, now):
        message = f"the refresh token is over since {consent.ends_at:%Y-%m-%d}"
        return ConsentRow(label, grant, ConsentStatus.EXPIRED, message, again, consent)
    if expires_soon(consent, now):
        return ConsentRow(label, grant, ConsentStatus.EXPIRES_SOON, _state(consent, now), use, consent)
    return ConsentRow(label, grant, ConsentStatus.HELD, _state(consent, now), consent=consent)


def _state(consent: Consent, now: datetime) -> str:
    if consent.ends_at is None:
        return f"a refresh token {consent.obtained_by}; how old it is isn't known"
    came = f"consent by {consent.obtained_by}"
    if consent.consented_at:
        came += f" on {consent.consented_at:%Y-%m-%d}"
    days = -(-(consent.ends_at - now) // timedelta(days=1))
    return f"{came}; refresh token good until {consent.ends_at:%Y-%m-%d}, {days} days from now"
