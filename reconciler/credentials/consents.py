"""A consent as text in one secret: JSON as we write it, or a bare refresh token that somebody put there."""

import json
from contextlib import AbstractContextManager
from datetime import datetime

from reconciler.core.consent import Consent
from reconciler.core.errors import AuthenticationError
from reconciler.core.secret import Secret
from reconciler.credentials.backend import MissingSecretError, WritableBackend


class Consents:
    """The consent of one application in one place. `remedy` says how it gets there."""

    def __init__(self, backend: WritableBackend, name: str, remedy: str) -> None:
        self._backend = backend
        self._name = name
        self._remedy = remedy

    def read(self) -> Consent:
        try:
            kept = self._backend.fetch(self._name)
        except MissingSecretError as error:
            raise AuthenticationError(error.problem, remedy=self._remedy) from None
        return decode(kept, self._remedy)

    def write(self, consent: Consent) -> None:
        self._backend.store(self._name, encode(consent))

    def lock(self) -> AbstractContextManager[None]:
        return self._backend.lock(self._name)


def encode(consent: Consent) -> Secret:
    """One line of JSON."""
    kept = {
        "refreshToken": consent.refresh_token.reveal(),
        "obtainedAt": _written(consent.obtained_at),
        "consentedAt": _written(consent.consented_at),
        "accounts": list(consent.accounts),
        "how": consent.how,
    }
    return Secret(json.dumps(kept))


def decode(kept: Secret, remedy: str) -> Consent:
    """AuthenticationError for JSON that is not ours."""
    text = kept.reveal()
    if not text.startswith("{"):
        return Consent(kept)
    try:
        value = json.loads(text)
        return Consent(
            refresh_token=Secret(str(value["refreshToken"])),
            obtained_at=_read(value["obtainedAt"]),
            consented_at=_read(value["consentedAt"]),
            accounts=tuple(map(str, value["accounts"])),
            how=str(value["how"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        problem = "the place of the refresh token holds something else"
        raise AuthenticationError(problem, remedy=remedy) from None


def _written(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _read(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
