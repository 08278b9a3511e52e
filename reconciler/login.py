"""One consent: the address that asks for it, what came back, and what is kept of it."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from reconciler.access import Access
from reconciler.core.authorization import NONCE, Applicant, Redirected, Subject, address, read
from reconciler.core.errors import AuthenticationError, ReconcilerError
from reconciler.core.model import Role
from reconciler.criteo.grants import held
from reconciler.disk.atomic import read_file, replace_file
from reconciler.disk.private import HOME, private_directory

KEY_LENGTH = 32


class Login:
    """One consent asked for: the address, what came back, and what is kept of it."""

    def __init__(self, access: Access, role: Role, root: Path) -> None:
        self.role = role
        self.environment = access.environment.name
        self.again = role.login(self.environment)
        self._access = access
        self._clock = access.clock
        self._subject = Subject(self.environment, role.credential, role.planning)
        self._key = _key(root)

    def address(self) -> str:
        application = self.role.application
        applicant = Applicant(
            self._access.places.fetch(application.client_id), application.redirect_uri, application.pkce
        )
        url, nonce = self._access.environment.api.consent_url, secrets.token_bytes(NONCE)
        return address(url, applicant, self._key, nonce, self._subject, self._clock.now())

    def check_place(self) -> None:
        """Before anybody is bothered: the secrets can be read, and the token can be kept."""
        self._access.keys(self.role.application)
        with held(self._access.consents(self.role), self._clock):
            pass

    def complete(self, redirected: str) -> tuple[str, ...] | None:
        """The accounts that the consent reaches; None where the application may not see them."""
        found = read(redirected, self._key, self._subject, self._clock.now(), self.again)
        return self._exchange(found)

    def _exchange(self, found: Redirected) -> tuple[str, ...] | None:
        verifier = found.verifier if self.role.application.pkce else None
        with self._access.exchange(self.role, found.code, verifier) as connection:
            connection.inspector.application()  # needs no permission, and makes the exchange
            try:
                accounts = tuple(sorted(connection.inspector.accounts(())))
            except ReconcilerError:
                return None
        self._access.note_accounts(self.role, accounts)
        return accounts

    def go_on(self, until: datetime) -> Callable[[], None]:
        """Ends the wait for a browser: at a request to stop, or when its time is over."""

        def check() -> None:
            self._clock.check()
            if self._clock.now() >= until:
                raise AuthenticationError(
                    "nobody came back with consent in time",
                    remedy=f"hand out an address that waits longer: `reconciler auth url`; or {self.again}",
                )

        return check

    def until(self, seconds: float) -> datetime:
        return self._clock.now() + timedelta(seconds=seconds)


def _key(root: Path) -> bytes:
    """What the states of addresses are signed with; made once, for this folder alone."""
    file = private_directory(root / HOME) / "auth.key"
    key = read_file(file)
    if key is None or len(key) != KEY_LENGTH:
        key = secrets.token_bytes(KEY_LENGTH)
        replace_file(file, key)
    return key
