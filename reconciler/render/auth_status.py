"""What is held for each credential, and until when; never the thing itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Console
from rich.text import Text

from reconciler.core.consent.model import Consent, expires_soon, is_expired
from reconciler.core.errors import ReconcilerError
from reconciler.core.model import CredentialRole
from reconciler.render.text import sentence


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """One application. `missing`: nothing can be sent with it before somebody consents."""

    name: str
    grant: str
    state: str
    remedy: str = ""
    missing: bool = False
    consent: Consent | None = None

    def plain(self) -> dict[str, object]:
        """For machines. Times are ISO 8601; null where nothing is known."""
        held = self.consent
        return {
            "credential": self.name,
            "grant": self.grant,
            "state": self.state,
            "remedy": self.remedy,
            "held": not self.missing,
            "how": held.obtained_by if held else None,
            "consented_at": _iso(held.consented_at if held else None),
            "obtained_at": _iso(held.obtained_at if held else None),
            "ends_at": _iso(held.ends_at if held else None),
            "accounts": list(held.accounts) if held else None,
        }


def consent_rows(
    environment: str,
    roles: Iterable[CredentialRole],
    held: Callable[[CredentialRole], Consent],
    now: datetime,
) -> list[ConsentRow]:
    """`held` reads what is kept for a role; what it raises is told in the role's row."""
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
    grant = role.application.grant
    if grant == "clientCredentials":
        return ConsentRow(str(role), grant, "speaks for itself; consent is kept at Criteo, and nothing here")
    try:
        consent = held(role)
    except ReconcilerError as error:
        return ConsentRow(str(role), grant, error.problem, error.remedy, missing=True)
    again = f"ask for consent again: {role.login(environment)}"
    use = f"use it, and it may be renewed: `reconciler doctor {environment}`; if it isn't, {again}"
    if is_expired(consent, now):
        state = f"the refresh token is over since {consent.ends_at:%Y-%m-%d}"
        return ConsentRow(str(role), grant, state, again, missing=True, consent=consent)
    return ConsentRow(
        str(role), grant, _state(consent, now), use if expires_soon(consent, now) else "", consent=consent
    )


def _state(consent: Consent, now: datetime) -> str:
    if consent.ends_at is None:
        return f"a refresh token {consent.obtained_by}; how old it is isn't known"
    came = f"consent by {consent.obtained_by}"
    if consent.consented_at:
        came += f" on {consent.consented_at:%Y-%m-%d}"
    days = -(-(consent.ends_at - now) // timedelta(days=1))
    return f"{came}; refresh token good until {consent.ends_at:%Y-%m-%d}, {days} days from now"


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
