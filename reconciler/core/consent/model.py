"""A consent: the refresh token that it brought, and how long it is valid."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.core.secret import Secret

REFRESH_TOKEN_LIFETIME = timedelta(days=180)
"""Refresh tokens live six months (Criteo, "Authorization Code"); the shortest six months have 181 days."""
RENEWAL_AGE = timedelta(days=150)
"""From this age on, a warning asks for a new consent."""

BY_HAND = "put there by hand"


@dataclass(frozen=True, slots=True)
class Consent:
    """A refresh token and its origin.

    `obtained_at`: when this token was issued; None if it was entered by hand. `accounts`: the accounts that
    the consent covered when it was given, as far as the application could see. `login` identifies the consent
    URL that brought it.
    """

    refresh_token: Secret
    obtained_at: datetime | None = None
    consented_at: datetime | None = None
    accounts: tuple[str, ...] = ()
    obtained_by: str = BY_HAND
    login: str = ""

    @property
    def ends_at(self) -> datetime | None:
        """When Criteo stops taking the token, unless it is renewed before."""
        return self.obtained_at + REFRESH_TOKEN_LIFETIME if self.obtained_at else None


def renewed(consent: Consent, token: Secret | None, now: datetime) -> Consent:
    """Return the consent after a refresh. If the token is unchanged or missing, its age does not restart."""
    if token is None or token.reveal() == consent.refresh_token.reveal():
        return consent
    return replace(consent, refresh_token=token, obtained_at=now)


def expires_soon(consent: Consent, now: datetime) -> bool:
    """Return whether a new consent is due."""
    return consent.obtained_at is not None and now - consent.obtained_at >= RENEWAL_AGE


def expiry_note(consent: Consent, name: str, login: str, now: datetime) -> str:
    """A note for the reader of a plan; "" while the token is young."""
    if not expires_soon(consent, now):
        return ""
    return (
        f"{name}: the refresh token ends on {consent.ends_at:%Y-%m-%d}; ask for consent before then: {login}"
    )


def is_expired(consent: Consent, now: datetime) -> bool:
    """Criteo won't take it any more."""
    return consent.ends_at is not None and now >= consent.ends_at
