"""The consent URL and the redirect URL that the browser returns with: created and parsed without I/O.

Nothing is stored between the two. The state parameter and the PKCE verifier derive from a key and a nonce. So
any number of URLs can be created, and a changed URL is detected.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode

from reconciler.core.errors import AuthenticationError
from reconciler.core.secret import Secret

URL_LIFETIME = timedelta(days=7)
"""How long a consent URL is valid."""
NONCE = 16
"""Bytes of chance in each address."""
KNOWN = {
    "access_denied": "consent was denied",
    "invalid_request": "Criteo found the address that was handed out incomplete",
    "unauthorized_client": "the application is not allowed to ask for consent in this way",
    "unsupported_response_type": "the application is not allowed to ask for consent in this way",
    "server_error": "Criteo failed while consent was given",
    "temporarily_unavailable": "Criteo can't take consent at the moment",
}
"""RFC 6749, 4.1.2.1: any other text in the address is a stranger's."""


@dataclass(frozen=True, slots=True)
class ConsentSubject:
    """The account, credential and environment that a consent is for.

    A state parameter is valid only for its own.
    """

    environment: str
    credential: str
    planning: bool

    def __bytes__(self) -> bytes:
        return "\n".join((self.environment, self.credential, str(self.planning))).encode()


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """The part of the application that the URL contains."""

    client_id: Secret
    redirect_uri: str
    pkce: bool


@dataclass(frozen=True, slots=True)
class RedirectResult:
    """The code, and its PKCE verifier if the application uses PKCE. `login` identifies the consent URL."""

    code: Secret
    verifier: Secret
    login: str


def authorization_url(
    consent_url: str, applicant: OAuthClient, key: bytes, nonce: bytes, subject: ConsentSubject, now: datetime
) -> str:
    """Return the URL for the holder of the Criteo login. Criteo takes no scope."""
    state = _state(key, nonce, subject, now)
    query = {
        "response_type": "code",
        "client_id": applicant.client_id.reveal(),
        "redirect_uri": applicant.redirect_uri,
        "state": state,
    }
    if applicant.pkce:
        digest = hashlib.sha256(_verifier(key, state).encode()).digest()
        query |= {"code_challenge": _text(digest), "code_challenge_method": "S256"}
    return f"{consent_url}?{urlencode(query)}"


def parse_redirect(
    redirected: str, key: bytes, subject: ConsentSubject, now: datetime, again: str
) -> RedirectResult:
    """Return the result of a redirect URL. `again` is the fix of each error.

    Errors: AuthenticationError. It never quotes the URL.
    """
    query = _query(redirected)
    if "response_type" in query:
        raise AuthenticationError(
            "this is the address to open",
            remedy="open it in a browser, and paste the one that the browser ends at",
        )
    if not is_answer(redirected):
        raise AuthenticationError(
            "the address holds no answer: neither a code nor an error, with a state",
            remedy="paste the whole address that the browser ended at, from https:// to its end",
        )
    state = query.get("state", "")
    _check_state(state, key, subject, now, again)
    if "error" in query:
        why = KNOWN.get(query["error"], "Criteo gave no consent, for a reason of its own")
        raise AuthenticationError(why, remedy=f"clear it up with the holder of the login, then {again}")
    login = hashlib.sha256(state.encode()).hexdigest()
    return RedirectResult(Secret(query["code"]), Secret(_verifier(key, state)), login)


def is_answer(redirected: str) -> bool:
    """Return whether the URL states a decision, whichever request asked for it."""
    query = _query(redirected)
    return "state" in query and bool({"code", "error"} & query.keys())


def _query(url: str) -> dict[str, str]:
    """Return the parameters of a pasted URL, without quotes or brackets that an email added."""
    bare = url.strip().strip("\"'<>").partition("?")[2].partition("#")[0]
    return dict(parse_qsl(bare, errors="replace"))


def _check_state(state: str, key: bytes, subject: ConsentSubject, now: datetime, again: str) -> None:
    raw = _bytes(state)
    nonce, issued = raw[:NONCE], raw[NONCE : NONCE + 8]
    asked_at = datetime.fromtimestamp(int.from_bytes(issued) % 2**34, UTC)
    if not hmac.compare_digest(
        state.encode(errors="replace"), _state(key, nonce, subject, asked_at).encode()
    ):
        raise AuthenticationError(
            "the state in the address is not one that was given out here for this credential",
            remedy="finish where `auth url` or `auth login` printed the address, and with the address that "
            f"came back for it; or {again}",
        )
    if now - asked_at > URL_LIFETIME:
        raise AuthenticationError(
            f"the address was given out more than {URL_LIFETIME.days} days ago", remedy=f"ask again: {again}"
        )


def _state(key: bytes, nonce: bytes, subject: ConsentSubject, now: datetime) -> str:
    stamped = nonce + int(now.timestamp()).to_bytes(8)
    return _text(stamped + _mac(key, b"state\n" + stamped + bytes(subject)))


def _verifier(key: bytes, state: str) -> str:
    """43 characters, as RFC 7636 wants at least."""
    return _text(_mac(key, b"verifier\n" + state.encode()))


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Return the decoded bytes, or b"" if the text is not base64."""
    try:
        return base64.urlsafe_b64decode(text.encode(errors="replace") + b"=" * (-len(text) % 4))
    except ValueError:
        return b""
