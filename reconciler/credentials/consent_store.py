"""A consent as text in one secret: JSON, or a refresh token that was entered by hand."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from reconciler.core.consent.model import Consent
from reconciler.core.errors import AuthenticationError, StorageError
from reconciler.core.secret import Secret
from reconciler.credentials.backends.base import MissingSecretError, WritableBackend


class SecretConsentStore:
    """The consent of one application in one backend. `remedy` is the command that gets a consent."""

    def __init__(self, backend: WritableBackend, name: str, remedy: str) -> None:
        self._backend = backend
        self._name = name
        self._remedy = remedy

    def read(self) -> Consent:
        try:
            kept = self._backend.fetch(self._name)
        except MissingSecretError as error:
            raise MissingSecretError(
                f"no consent is kept yet: {error.problem}", remedy=self._remedy
            ) from None
        return decode(kept, self._remedy)

    def write(self, consent: Consent) -> None:
        self._backend.store(self._name, encode(consent))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """A place that can't be written is a credential that can't be used, whatever the reason."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self._backend.lock(self._name))
            except StorageError as error:
                raise AuthenticationError(
                    f"the refresh token can't be kept: {error.problem}", remedy=error.remedy
                ) from None
            yield


def encode(consent: Consent) -> Secret:
    """One line of JSON."""
    kept = {
        "refreshToken": consent.refresh_token.reveal(),
        "obtainedAt": _written(consent.obtained_at),
        "consentedAt": _written(consent.consented_at),
        "accounts": list(consent.accounts),
        "how": consent.obtained_by,
        "login": consent.login,
    }
    return Secret(json.dumps(kept))


def decode(kept: Secret, remedy: str) -> Consent:
    """Return the consent. AuthenticationError if the JSON has another format."""
    text = kept.reveal()
    if not text.startswith("{"):
        return Consent(kept)
    try:
        value = json.loads(text)
        return Consent(
            refresh_token=_token(value["refreshToken"]),
            obtained_at=_read(value["obtainedAt"]),
            consented_at=_read(value["consentedAt"]),
            accounts=tuple(map(str, value["accounts"])),
            obtained_by=str(value["how"]),
            login=str(value.get("login", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        problem = "the place of the refresh token holds something else"
        raise AuthenticationError(problem, remedy=remedy) from None


def _written(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _read(text: str | None) -> datetime | None:
    """ValueError for a time without a zone: it can't be compared."""
    time = datetime.fromisoformat(text) if text else None
    if time and time.tzinfo is None:
        raise ValueError
    return time


def _token(value: object) -> Secret:
    if not isinstance(value, str) or not value:
        raise ValueError
    return Secret(value)
