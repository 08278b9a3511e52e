"""The OAuth grants: what each sends, and what it stores before its token is used."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, TypeVar

from reconciler.core.consent.model import Consent, is_expired, renewed
from reconciler.core.consent.store import ConsentStore
from reconciler.core.errors import (
    AuthenticationError,
    ConcurrentWriteError,
    LockedError,
    ReconcilerError,
    StorageError,
)
from reconciler.core.ports import Clock
from reconciler.core.secret import Secret
from reconciler.criteo.token_response import TokenRefusedError, TokenResponse

Error = TypeVar("Error", bound=ReconcilerError)
PATIENCE = timedelta(minutes=4)
"""The longest wait for another run that renews the same token. The lock of a killed run ends earlier."""
PAUSE = 0.2
WRITES = 3
"""Attempts to store a new refresh token. There is no other copy of it."""
REMEMBERED = 8
"""Refresh tokens that are remembered so that an answer which repeats one is noticed."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One token request: its form fields, and what to do with the response before the token is used."""

    form: Mapping[str, str] = field(repr=False)
    store_consent: Callable[[TokenResponse], None]


class Grant(Protocol):
    """One way to request a token. `calls_a_minute` applies until a response states the limit."""

    calls_a_minute: int

    def token_request(self) -> AbstractContextManager[TokenRequest]:
        """Return a context that covers the token request and the storage of its response."""
        ...

    def secrets(self) -> tuple[Secret, ...]:
        """Return the fields that must not be printed."""
        ...

    def named(self, error: Error) -> Error:
        """Return the same error with a fix that names the refused credential and its location."""
        ...


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """The client ID and secret of an application. `origin` names the credential and its location."""

    client_id: Secret
    client_secret: Secret
    origin: str = ""

    def form(self, grant_type: str) -> dict[str, str]:
        return {
            "grant_type": grant_type,
            "client_id": self.client_id.reveal(),
            "client_secret": self.client_secret.reveal(),
        }

    def named(self, error: Error) -> Error:
        """Return the same error with a fix that names the refused credential and its location."""
        if self.origin and self.origin not in error.remedy:
            error.remedy = "; ".join(filter(None, [error.remedy, self.origin]))
        return error


@dataclass(frozen=True, slots=True)
class RedirectCode:
    """The code of a consent, and its PKCE verifier (RFC 7636)."""

    code: Secret
    verifier: Secret | None
    redirect_uri: str
    login: str

    def form(self) -> dict[str, str]:
        proof = {"code_verifier": self.verifier.reveal()} if self.verifier else {}
        return {"code": self.code.reveal(), "redirect_uri": self.redirect_uri, **proof}


class ClientCredentials:
    """The grant for the application's own accounts."""

    calls_a_minute = 250  # documented, per application

    def __init__(self, keys: ClientKeys) -> None:
        self._keys = keys

    @contextmanager
    def token_request(self) -> Iterator[TokenRequest]:
        try:
            yield TokenRequest(self._keys.form("client_credentials"), _nothing)
        except TokenRefusedError as error:
            raise self._keys.named(error) from None

    def named(self, error: Error) -> Error:
        return self._keys.named(error)

    def secrets(self) -> tuple[Secret, ...]:
        return self._keys.client_id, self._keys.client_secret


class RefreshToken:
    """The grant for accounts of another company, which gave its consent.

    Criteo may rotate the token at each use. So it is read, used and replaced under the lock of its location.
    Parallel runs never use one token twice, and the new one is durable before its access token is used.
    """

    calls_a_minute = 10  # documented, per consented account

    def __init__(self, keys: ClientKeys, place: ConsentStore, clock: Clock, remedy: str) -> None:
        """`remedy` is the command that gets a new consent."""
        self._keys = keys
        self._place = place
        self._clock = clock
        self._remedy = remedy
        self._seen: tuple[Secret, ...] = ()
        self._unanswered = False

    @contextmanager
    def token_request(self) -> Iterator[TokenRequest]:
        with consent_lock(self._place, self._clock), self._clock.critical_section():
            consent = self._place.read()
            self._see(consent.refresh_token)
            form = {
                **self._keys.form("refresh_token"),
                "refresh_token": consent.refresh_token.reveal(),
            }
            before, self._unanswered = self._unanswered, True
            try:
                yield TokenRequest(form, lambda granted: self._keep(consent, granted))
            except TokenRefusedError as error:
                if error.code:  # in good order: the token was not used up for it
                    self._unanswered = before
                raise self._keys.named(self._explained(error, consent)) from None

    def secrets(self) -> tuple[Secret, ...]:
        return self._keys.client_id, self._keys.client_secret, *self._seen

    def named(self, error: Error) -> Error:
        return self._keys.named(error)

    def _keep(self, consent: Consent, granted: TokenResponse) -> None:
        self._unanswered = False
        newest = renewed(consent, granted.refresh_token, self._clock.now())
        if newest is not consent:
            self._see(newest.refresh_token)
            store_consent(self._place, newest, self._clock, self._remedy)

    def _see(self, token: Secret) -> None:
        self._seen = (*self._seen[1 - REMEMBERED :], token)

    def _explained(self, error: TokenRefusedError, consent: Consent) -> AuthenticationError:
        if error.code != "invalid_grant":
            return error
        if is_expired(consent, self._clock.now()):
            why = "it is older than six months"
        elif self._unanswered:
            why = "an earlier request got no answer, and Criteo may have used the token up for it"
        else:
            why = (
                "consent was withdrawn, the role of who consented has changed, or a run was stopped "
                "before the token that came after this one was kept"
            )
        problem = f"Criteo no longer takes the refresh token: {why}"
        return AuthenticationError(problem, remedy=f"consent is needed again: {self._remedy}")


class AuthorizationCode:
    """The grant right after a consent: exchanges the code for the first refresh token. Sent once."""

    def __init__(
        self, keys: ClientKeys, brought: RedirectCode, place: ConsentStore, clock: Clock, remedy: str
    ) -> None:
        self._keys = keys
        self._brought = brought
        self._place = place
        self._clock = clock
        self.again = remedy

    @contextmanager
    def token_request(self) -> Iterator[TokenRequest]:
        with consent_lock(self._place, self._clock), self._clock.critical_section():
            form = {**self._keys.form("authorization_code"), **self._brought.form()}
            try:
                yield TokenRequest(form, self._keep)
            except TokenRefusedError as error:
                raise self._keys.named(self._explained(error)) from None

    def _keep(self, granted: TokenResponse) -> None:
        if granted.refresh_token is None:
            raise AuthenticationError(
                "Criteo gave an access token and no refresh token",
                remedy="the application must be one for the grant authorization code: compare it at Criteo",
            )
        now = self._clock.now()
        consent = Consent(
            granted.refresh_token,
            obtained_at=now,
            consented_at=now,
            obtained_by="auth login",
            login=self._brought.login,
        )
        store_consent(self._place, consent, self._clock, self.again)

    def _explained(self, error: TokenRefusedError) -> AuthenticationError:
        if error.code != "invalid_grant":
            return AuthenticationError(error.problem, remedy=f"{error.remedy}; then ask again: {self.again}")
        return AuthenticationError(
            "Criteo doesn't take the code: it was used already, is too old, or was made for another "
            "redirect address or PKCE verifier",
            remedy=f"codes are good for a short time and once: {self.again}",
        )


def store_consent(place: ConsentStore, consent: Consent, clock: Clock, remedy: str) -> None:
    """Write a new refresh token durably. If this fails, the error states what is lost."""
    for attempt in range(WRITES):
        try:
            place.write(consent)
        except ConcurrentWriteError:
            raise
        except (StorageError, AuthenticationError) as error:
            if attempt + 1 < WRITES:
                clock.wait(1, "the new refresh token could not be kept; trying again")
                continue
            raise AuthenticationError(
                f"Criteo issued a new refresh token that could not be kept: {error.problem}",
                remedy=f"{error.remedy}; the old one may be used up: if the next run says so, {remedy}",
            ) from None
        return


@contextmanager
def consent_lock(place: ConsentStore, clock: Clock) -> Iterator[None]:
    """The lock of a place. Another run has it for the time of one request, so it is waited for."""
    until = clock.now() + PATIENCE
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(place.lock())
                break
            except LockedError:
                if clock.now() >= until:
                    raise
                clock.wait(PAUSE, "another run renews the same token")
        yield


def _nothing(_granted: TokenResponse) -> None:
    """Do nothing: this grant returns no refresh token."""
