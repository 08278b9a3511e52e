"""The page on which an account's administrator allows or denies; decides, never renders."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from reconciler.emulator import authorization_codes as codes
from reconciler.emulator import consents, pkce, redirects
from reconciler.emulator.database import Session

Parameters = Mapping[str, list[str]]
SEE_OTHER = 303
DECISIONS = ("allow", "deny")
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; form-action "
)


@dataclass(frozen=True)
class Page:
    """A template and its values, or none and a `location`."""

    status: int
    template: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """The request for consent, in the names of its parameters; the form carries it unseen."""

    response_type: str
    client_id: str
    redirect_uri: str
    state: str
    code_challenge: str
    code_challenge_method: str


class _Unacceptable(Exception):  # noqa: N818 - answered with a page, never with a redirect
    """The redirect URL may not be the application's."""


def show(session: Session, query: Parameters) -> Page:
    try:
        return _form(session, _asked(session, query))
    except _Unacceptable as reason:
        return _refusal(reason)


def decide(session: Session, form: Parameters) -> Page:
    """The hidden fields came through a browser: they are checked like the query before them."""
    try:
        return _decided(session, _asked(session, form), form)
    except _Unacceptable as reason:
        return _refusal(reason)


def decision(form: Parameters) -> str:
    """Only if it is one of the two: a client may send anything."""
    given = form.get("decision", [])
    return given[0] if len(given) == 1 and given[0] in DECISIONS else ""


def _decided(session: Session, asked: Asked, form: Parameters) -> Page:
    match decision(form):
        case "allow":
            return _allowed(session, asked, form.get("account", []))
        case "deny":
            return _back(asked, {"error": "access_denied"})
        case _:
            raise _Unacceptable("The answer is neither Allow nor Deny.")


def _asked(session: Session, parameters: Parameters) -> Asked:
    names = [field.name for field in fields(Asked)]
    asked = Asked(**{name: _value(parameters, name) for name in names})
    if asked.client_id != session.get("client_id"):
        raise _Unacceptable("The client id is not that of an application.")
    if not redirects.acceptable(asked.redirect_uri, session.switches):
        raise _Unacceptable("The redirect URI is not one the application may be sent back to.")
    if asked.response_type != "code":
        raise _Unacceptable("The response type must be code.")
    _check_challenge(asked, required=session.switches.pkce_required)
    return asked


def _check_challenge(asked: Asked, *, required: bool) -> None:
    if not asked.code_challenge:
        if required or asked.code_challenge_method:
            raise _Unacceptable("The code challenge is missing.")
    elif asked.code_challenge_method not in ("", *pkce.METHODS):
        raise _Unacceptable("The code challenge method must be S256 or plain.")
    elif not pkce.well_formed(asked.code_challenge):
        raise _Unacceptable("The code challenge is malformed.")


def _allowed(session: Session, asked: Asked, chosen: list[str]) -> Page:
    if not chosen:
        return _form(session, asked, note="Tick at least one account, or deny.", status=400)
    if not set(chosen) <= {key for key, _ in _accounts(session)}:
        raise _Unacceptable("An account does not exist.")
    consent = consents.give(session, sorted(set(chosen)))
    challenge = asked.code_challenge and pkce.kept(asked.code_challenge, asked.code_challenge_method)
    return _back(asked, {"code": codes.issue(session, consent, asked.redirect_uri, challenge)})


def _form(session: Session, asked: Asked, *, note: str = "", status: int = 200) -> Page:
    values = {
        "hidden": {name: value for name, value in asdict(asked).items() if value},
        "accounts": _accounts(session),
        "scopes": session.switches.scopes,
        "note": note,
    }
    return Page(status, "consent.html", values, _headers(f"'self' {redirects.source(asked.redirect_uri)}"))


def _back(asked: Asked, answer: dict[str, str]) -> Page:
    """See Other: the browser must not send the form on. A state is returned as it came."""
    state = {"state": asked.state} if asked.state else {}
    location = redirects.with_answer(asked.redirect_uri, answer | state)
    return Page(SEE_OTHER, headers={"location": location, **_headers("'none'")})


def _refusal(reason: _Unacceptable) -> Page:
    return Page(400, "refusal.html", {"reason": str(reason)}, _headers("'none'"))


def _headers(form_action: str) -> dict[str, str]:
    """Browsers hold the redirect after a form to its policy, so it must name where that leads."""
    return {
        "cache-control": "no-store",
        "content-security-policy": _POLICY + form_action,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }


def _accounts(session: Session) -> list[tuple[str, str]]:
    return session.db.execute("SELECT id, name FROM accounts ORDER BY rowid").fetchall()


def _value(parameters: Parameters, name: str) -> str:
    values = parameters.get(name, [])
    if len(values) > 1:
        raise _Unacceptable(f"The parameter {name} is given more than once.")
    return values[0] if values else ""
