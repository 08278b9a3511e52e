"""Changes to a command inside its process before it starts: known tokens, bugs, leaks."""

import importlib
import logging
import os
import secrets
import signal
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from leaks.markers import MARKERS

PERSON = MARKERS.people[0]
SECRETS = f"{PERSON.email} {PERSON.customer} {MARKERS.client_secret} {MARKERS.token}"


def known_tokens() -> None:
    """Start every token of the emulator with the marker: its file has only their digests."""
    make = secrets.token_urlsafe
    secrets.token_urlsafe = lambda size=None: f"{MARKERS.token}{make(size)}"  # type: ignore[assignment]


def impatient() -> None:
    """Limit every wait to a moment."""
    from reconciler.clock import SystemClock
    from reconciler.criteo import pacing
    from reconciler.criteo import retries as session

    wait = SystemClock.wait
    SystemClock.wait = lambda self, seconds, *said: wait(self, min(seconds, 0.05), *said)  # type: ignore[method-assign]
    session.FIRST_PAUSE = 0.01
    session.ATTEMPTS = 2
    session.REFUSALS_IN_ROW = 2
    pacing.FIRST_PAUSE = 0.01


def slow() -> None:
    """Slow down planning until a request to stop."""
    from reconciler.commands.support import planning

    true = planning.observe

    def observe(
        desired: Any, only: Any, readers: Any, state: Any, engine: Any, clock: Any, *rest: Any
    ) -> Any:
        clock.wait(20.0, "slow")
        return true(desired, only, readers, state, engine, clock, *rest)

    planning.observe = observe


def chatty() -> None:
    """Log everything of every library, as a wrapper or a debugging `sitecustomize` might."""
    logging.basicConfig(stream=sys.stderr, level=logging.NOTSET, format="%(name)s %(message)s %(args)r")
    for name in ("httpx", "httpcore", "waitress", "werkzeug", "duckdb", "asyncio"):
        logging.getLogger(name).setLevel(logging.DEBUG)


def debugging() -> None:
    """Log the HTTP libraries at their source, and on standard error."""
    import http.client

    http.client.HTTPConnection.debuglevel = 1
    received = logging.StreamHandler(sys.stderr)
    received.setFormatter(logging.Formatter("%(name)s %(message)s %(args)r"))
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).addHandler(received)
        logging.getLogger(name).setLevel(logging.DEBUG)


def debugging_late() -> None:
    """Enable logs after the command has set up its own logging."""
    after_start(debugging)


def interrupted_soon(seconds: float = 0.7) -> None:
    """Interrupt a command that ends only on request."""
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()


# -- bugs ---------------------------------------------------------------------------------------------


class PanicError(BaseException):
    """The exception of libraries written in Rust: no `except Exception` catches it."""


def _chained() -> Exception:
    error = RuntimeError(SECRETS)
    error.__cause__ = KeyError(PERSON.email)
    error.add_note(f"the row was {PERSON}")
    return error


BUGS: Mapping[str, Callable[[], BaseException]] = {
    "a chain with a note": _chained,
    "a group": lambda: ExceptionGroup(SECRETS, [ValueError(PERSON.email), KeyError(PERSON.customer)]),
    "a panic": lambda: PanicError(SECRETS),
    "bytes that can't be decoded": lambda: UnicodeDecodeError("utf-8", SECRETS.encode(), 0, 1, SECRETS),
    "an error of the system": lambda: OSError(5, SECRETS, SECRETS),
    "an error of SQLite": lambda: sqlite3.OperationalError(SECRETS),
    "an exit with words": lambda: SystemExit(SECRETS),
    "a warning": lambda: ResourceWarning(SECRETS),
}
PLACES = {
    "flags": "reconciler.settings:_who",
    "manifests": "reconciler.manifests.build:_environment",
    "building members": "reconciler.members.builder:AudienceBuilder.build",
    "listing segments": "reconciler.criteo.client:CriteoReader.segments",
    "planning": "reconciler.commands.support.planning:create_plan",
    "rendering": "reconciler.commands.support.planning:plan_document",
    "creating": "reconciler.criteo.client:CriteoWriter.create",
    "a request body": "reconciler.criteo.wire_format:members_body",
    "a resource state": "reconciler.state.local_layout:LocalLayout.resource_file",
    "the emulator": "reconciler.emulator.members:_resolved",
    "progress": "reconciler.render.terminal.progress:step_text",
    "issuing a token": "reconciler.emulator.oauth:token",
    "reading an answer": "reconciler.criteo.transport:_read",
}


def bug(place: str, kind: str) -> None:
    """Make a function raise; its locals contain members and secrets. Other functions by path."""

    def raising(*_: object, **__: object) -> None:
        person, said = PERSON, SECRETS  # noqa: F841 - what a traceback with locals would show
        raise BUGS[kind]()

    _replace(PLACES.get(place, place), raising)


def bug_telling_all(path: str) -> None:
    """Make a function raise with every secret in its message, its note and its cause."""

    def raising(*given: Any, **_: Any) -> None:
        words = " ".join(_words(given))
        error = RuntimeError(words)
        error.add_note(words)
        raise error from KeyError(words)

    _replace(path, raising)


def _words(value: Any) -> Iterator[str]:
    """Return every value that an object reveals, secrets included."""
    from reconciler.core.secret import Secret

    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, (str, bytes)):
        yield str(value)
    elif isinstance(value, (tuple, list)):
        yield from (word for one in value for word in _words(one))
    elif type(value).__module__.startswith("reconciler."):
        names = getattr(value, "__dataclass_fields__", None) or getattr(value, "__dict__", {})
        yield from (word for name in names for word in _words(getattr(value, name)))


def no_room(size: int = 120) -> None:
    """Limit the file size: enough for a lock, too little for a token."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def no_room_once_answered() -> None:
    """Fail to write the token after the location was checked."""
    from reconciler.criteo import connection as connect
    from reconciler.criteo import token_auth as auth

    true = auth.read_token

    def read_token(*given: Any) -> Any:
        no_room()
        return true(*given)

    auth.read_token = connect.read_token = read_token  # type: ignore[attr-defined]


def killed_before_keeping() -> None:
    """Kill the process after Criteo has answered, before anything is written."""
    _replace("reconciler.credentials.consent_store:SecretConsentStore.write", _killed)


def killed_while_keeping() -> None:
    """Kill the process after the new token was written, before it replaces the old token."""
    from pathlib import Path

    true = Path.replace

    def replaced(self: Path, target: Path) -> Path:
        return _killed() if target.name in {"token", "plan"} else true(self, target)

    Path.replace = replaced  # type: ignore[method-assign,assignment]


def _killed(*_: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it lives")


def bug_in_a_thread() -> None:
    """Raise in a thread that no one joins, so that no one catches it."""

    def run() -> None:
        raise BUGS["a chain with a note"]()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def bug_in_a_finalizer() -> None:
    class Careless:
        def __del__(self) -> None:
            raise BUGS["a chain with a note"]()

    Careless()


def after_start(injection: Callable[[], None]) -> None:
    """Run an injection after `main` has set up its hooks."""
    from reconciler import settings

    true = settings._who

    def who(environ: Mapping[str, str]) -> str:
        injection()
        return true(environ)

    settings._who = who


def careless_library() -> None:
    """Log an error with the processed value, warn with it, and fail to format a record."""
    import warnings

    log = logging.getLogger("somebody.else")
    log.error("while working on %s", PERSON.email, exc_info=_chained())
    log.warning("%d", SECRETS)
    warnings.warn(SECRETS, UserWarning, stacklevel=1)


# -- leaks --------------------------------------------------------------------------------------------


def print_in_the_engine() -> None:
    """Print the first member of each batch."""
    from reconciler.members import delta

    true = delta.batches

    def batches(*given: Any) -> Any:
        for batch in true(*given):
            print(batch.identifiers[0])  # noqa: T201 - the leak
            yield batch

    delta.batches = batches


def secret_in_a_hint() -> None:
    """Put a secret into a remedy."""
    from reconciler.core.errors import AuthenticationError
    from reconciler.criteo.grants import ClientKeys

    def form(self: Any, _grant_type: str) -> None:
        secret = self.client_secret.reveal()
        raise AuthenticationError("Criteo gave no token", remedy=f"is {secret} the right one?")

    ClientKeys.form = form  # type: ignore[method-assign,assignment]


def token_in_the_log() -> None:
    """Log a token."""
    from reconciler.criteo.token_auth import TokenAuth

    true = TokenAuth._renew

    def renew(self: Any) -> Any:
        token = yield from true(self)
        logging.getLogger("reconciler.criteo").debug("a new token: %s", token.reveal())
        return token

    TokenAuth._renew = renew  # type: ignore[method-assign]


def heedless() -> None:
    """Disable the redaction of Criteo's answers."""
    from reconciler.criteo import transport as exchange

    exchange.redact_echoes = lambda body, _sent: body  # type: ignore[assignment]


def code_in_an_error() -> None:
    """Put the code into an error."""
    from reconciler import consent_flow as login
    from reconciler.core.errors import AuthenticationError

    true = login.parse_redirect

    def read(*given: Any) -> None:
        code = true(*given).code.reveal()
        raise AuthenticationError(f"Criteo doesn't take the code {code}", remedy="ask again")

    login.parse_redirect = read  # type: ignore[assignment]


def new_token_in_the_log() -> None:
    """Log the rotated refresh token."""
    from reconciler.criteo import grants

    true = grants.store_consent

    def keep(place: Any, consent: Any, *rest: Any) -> None:
        token = consent.refresh_token.reveal()
        logging.getLogger("reconciler.criteo").debug("another refresh token: %s", token)
        true(place, consent, *rest)

    grants.store_consent = keep


def verifier_in_the_page() -> None:
    """Show the PKCE verifier on the page."""
    from reconciler import consent_flow
    from reconciler.commands.auth import login

    true, seen = consent_flow.parse_redirect, []

    def read(*given: Any) -> Any:
        found = true(*given)
        seen.append(found.verifier.reveal())
        return found

    consent_flow.parse_redirect = read
    login.connected_page = lambda *_: f"<html>{seen[-1]}</html>"


def body_left_behind() -> None:
    """Save a response body."""
    from reconciler.criteo import wire_format as wire

    true = wire.members_body

    def body(*given: Any) -> bytes:
        content = true(*given)
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(content)
        return content

    wire.members_body = body


def body_in_a_span() -> None:
    """Name a span after a request body, past the function that decides what leaves."""
    _in_a_span(lambda tracer, call: tracer.start_span(call.content.decode()).end())


def exception_in_a_span() -> None:
    """Record an exception with its message and its stack."""

    def record(tracer: Any, call: Any) -> None:
        span = tracer.start_span("call")
        span.record_exception(ValueError(call.content.decode()))
        span.end()

    _in_a_span(record)


def _in_a_span(record: Callable[[Any, Any], None]) -> None:
    from reconciler.criteo.transport import Transport

    true = Transport.send

    def send(self: Any, call: Any, leaving: Any) -> Any:
        if call.private:
            record(self._calls._telemetry._tracer, call)
        return true(self, call, leaving)

    Transport.send = send  # type: ignore[method-assign]


def _replace(place: str, function: Callable[..., object]) -> None:
    module, _, path = place.partition(":")
    owner = importlib.import_module(module)
    *within, name = path.split(".")
    for one in within:
        owner = getattr(owner, one)
    assert hasattr(owner, name), place
    setattr(owner, name, function)


LEAKS: Mapping[str, tuple[Callable[[], None], str]] = {
    "a member printed by the engine": (print_in_the_engine, "a person in said"),
    "a secret in a hint": (secret_in_a_hint, "a secret of the emulator in said"),
    "a token in a record of the log": (token_in_the_log, "token in said"),
    "a request body in a temporary file": (body_left_behind, "a person in tmp"),
}
TELEMETRY_LEAKS: Mapping[str, tuple[Callable[[], None], str]] = {
    "a request body in the name of a span": (body_in_a_span, "a person"),
    "an exception with its message": (exception_in_a_span, "a person"),
}
CONSENT_LEAKS: Mapping[str, tuple[Callable[[], None], str]] = {
    "a code in an error": (code_in_an_error, "code in said"),
    "a refresh token in a record of the log": (new_token_in_the_log, "refresh_token in said"),
    "a verifier in the browser's page": (verifier_in_the_page, "a verifier in said/page"),
}
