"""Create connections from credentials: references become secrets, secrets a grant. Sends no request."""

from dataclasses import dataclass, replace

from reconciler.core.consent.model import Consent
from reconciler.core.credential import CredentialRole, shown_reference
from reconciler.core.errors import AuthenticationError
from reconciler.core.model import Environment
from reconciler.core.ports import Clock
from reconciler.core.secret import Secret
from reconciler.core.telemetry import SILENT, Telemetry
from reconciler.credentials import SecretConsentStore, SecretResolver
from reconciler.criteo.connection import Connection, connect, redeem
from reconciler.criteo.grants import (
    AuthorizationCode,
    ClientCredentials,
    ClientKeys,
    Grant,
    RedirectCode,
    RefreshToken,
    consent_lock,
)


@dataclass(frozen=True, slots=True)
class ConnectionFactory:
    """Creates connections to Criteo for the credentials of one environment."""

    environment: Environment
    places: SecretResolver
    clock: Clock
    telemetry: Telemetry = SILENT

    def connection(self, role: CredentialRole, spent: tuple[Secret, ...] = ()) -> Connection:
        """Return a connection with the grant of the manifests.

        `spent`: secrets that Criteo received and may repeat.
        """
        api = self.environment.api
        return connect(
            base_url=api.endpoint,
            version=api.version,
            token_url=api.token_url,
            grant=self._grant(role),
            timeout=api.timeout,
            clock=self.clock,
            share=api.share,
            spent=spent,
            telemetry=self.telemetry,
        )

    def redeem(self, role: CredentialRole, code: Secret, verifier: Secret | None, login: str) -> None:
        """Exchange a code for a refresh token, and save it. Raises RemoteError without a response."""
        application, api = role.application, self.environment.api
        brought = RedirectCode(code, verifier, application.redirect_uri, login)
        again = role.login(self.environment.name)
        redeem(
            base_url=api.endpoint,
            token_url=api.token_url,
            grant=AuthorizationCode(self.keys(role), brought, self.consents(role), self.clock, again),
            timeout=api.timeout,
        )

    def keys(self, role: CredentialRole) -> ClientKeys:
        fetch, application = self.places.fetch, role.application
        origin = (
            f"credential {role} reads clientId from {shown_reference(application.client_id)}, "
            f"clientSecret from {shown_reference(application.client_secret)}"
        )
        try:
            return ClientKeys(fetch(application.client_id), fetch(application.client_secret), origin)
        except AuthenticationError as error:
            error.remedy = "; ".join(filter(None, [error.remedy, origin]))
            raise

    def consents(self, role: CredentialRole) -> SecretConsentStore:
        """Return the store of a role's refresh token."""
        backend, name = self.places.writable_backend(role.application.refresh_token)
        return SecretConsentStore(backend, name, f"ask for consent: {role.login(self.environment.name)}")

    def held(self, role: CredentialRole) -> Consent:
        """Return the saved consent of a role. Raises AuthenticationError if there is none."""
        return self.consents(role).read()

    def note_accounts(self, role: CredentialRole, accounts: tuple[str, ...]) -> None:
        """Save the accounts beside the consent, so that they are shown without a call."""
        place = self.consents(role)
        with consent_lock(place, self.clock):
            place.write(replace(place.read(), accounts=accounts))

    def _grant(self, role: CredentialRole) -> Grant:
        keys = self.keys(role)
        if role.application.grant == "clientCredentials":
            return ClientCredentials(keys)
        return RefreshToken(keys, self.consents(role), self.clock, role.login(self.environment.name))
