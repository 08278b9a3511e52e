"""One consent: the authorization URL, the redirect, and the saved result."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.connections import ConnectionFactory
from reconciler.core.consent.authorization_url import (
    NONCE,
    ConsentSubject,
    OAuthClient,
    RedirectResult,
    authorization_url,
    parse_redirect,
)
from reconciler.core.credential import CredentialRole
from reconciler.core.errors import (
    AuthenticationError,
    CancelledError,
    ConfigurationError,
    DeniedError,
    ReconcilerError,
    StorageError,
)
from reconciler.core.model import CONSENT_URL
from reconciler.core.secret import Secret
from reconciler.criteo.grants import consent_lock
from reconciler.disk.atomic import create_file, read_file
from reconciler.disk.private_dir import WORK_DIR, private_directory

KEY_LENGTH = 32
CRITEO = "api.criteo.com"


@dataclass(frozen=True, slots=True)
class ConsentedAccounts:
    """The accounts that a consent reaches; None if unknown, and `why`."""

    accounts: tuple[str, ...] | None
    why: str = ""


class ConsentFlow:
    """The consent of one application. A printed URL stays valid if the command ends without an answer."""

    def __init__(self, access: ConnectionFactory, role: CredentialRole, root: Path) -> None:
        self.role = role
        self.environment = access.environment.name
        self.again = role.login(self.environment)
        self._access = access
        self._clock = access.clock
        self._subject = ConsentSubject(self.environment, role.credential, role.plan_application)
        self._key = _key(root)

    def address(self) -> str:
        application, api = self.role.application, self._access.environment.api
        if api.consent_url == CONSENT_URL and urlsplit(api.endpoint).hostname != CRITEO:
            raise ConfigurationError(
                "the endpoint isn't Criteo's, and consent would be asked for at Criteo",
                remedy="write in environment.yaml where consent is given: `api: {consentUrl: …}`",
            )
        applicant = OAuthClient(
            self._access.places.fetch(application.client_id), application.redirect_uri, application.pkce
        )
        nonce = secrets.token_bytes(NONCE)
        return authorization_url(
            api.consent_url, applicant, self._key, nonce, self._subject, self._clock.now()
        )

    def check_place(self) -> None:
        """Check before the user is asked: the secrets are readable, and the token can be saved."""
        self._access.keys(self.role)
        with consent_lock(self._access.consents(self.role), self._clock):
            pass

    def complete(self, redirected: str) -> ConsentedAccounts:
        """Save the token of the answer, then look up its accounts."""
        found = parse_redirect(redirected, self._key, self._subject, self._clock.now(), self.again)
        self._refuse_used(found)
        verifier = found.verifier if self.role.application.pkce else None
        self._access.redeem(self.role, found.code, verifier, found.login)
        return self._reach((found.code, found.verifier))

    def _refuse_used(self, found: RedirectResult) -> None:
        """Refuse a used code: its second use may revoke the consent (RFC 6749, 4.1.2)."""
        if self._kept() == found.login:
            raise AuthenticationError(
                "this URL was used already; its consent is saved",
                remedy=f"`reconciler auth status {self.environment}` shows it; or ask again: {self.again}",
            )

    def _kept(self) -> str:
        """Return the URL of the saved consent; "" if there is none."""
        try:
            return self._access.held(self.role).login
        except (AuthenticationError, StorageError):
            return ""

    def _reach(self, spent: tuple[Secret, ...]) -> ConsentedAccounts:
        """Look up the accounts. The consent is saved already, so an error here does not affect it."""
        try:
            with self._access.connection(self.role, spent) as connection:
                accounts = tuple(sorted(connection.inspector.accounts(())))
            self._access.note_accounts(self.role, accounts)
        except CancelledError:
            raise
        except DeniedError:
            return ConsentedAccounts(None, "the application lacks `Accounts: Read`")
        except ReconcilerError:  # whose words may be Criteo's, and those may repeat the code
            return ConsentedAccounts(None, "Criteo gave an unexpected response")
        return ConsentedAccounts(accounts)

    def go_on(self, until: datetime) -> Callable[[], None]:
        """Return a check that ends the wait for a browser: on a stop request, or after the timeout."""

        def check() -> None:
            try:
                self._clock.check()
            except CancelledError:
                remedy = f"the address that was printed stays good: finish with {self.again} --paste"
                raise CancelledError(
                    "stopped before an answer came: nothing is changed", remedy=remedy
                ) from None
            if self._clock.now() >= until:
                raise AuthenticationError(
                    "no consent arrived in time: nothing is changed",
                    remedy=f"wait longer with --timeout, or finish with {self.again} --paste",
                )

        return check

    def until(self, seconds: float) -> datetime:
        return self._clock.now() + timedelta(seconds=seconds)


def _key(root: Path) -> bytes:
    """Return the key that signs state parameters; created once, for this folder."""
    file = private_directory(root / WORK_DIR) / "auth.key"
    create_file(file, secrets.token_bytes(KEY_LENGTH))
    key = read_file(file)
    if key is None or len(key) != KEY_LENGTH:
        raise StorageError(
            f"{file} is not {KEY_LENGTH} bytes long",
            remedy="remove it; addresses that were handed out before can't be finished then",
        )
    return key
