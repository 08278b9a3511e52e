"""What is done to a command before it begins, inside its own process: tokens made known, bugs, leaks."""

import importlib
import logging
import os
import secrets
import signal
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from typing import Any

from canary.values import CANARIES

PERSON = CANARIES.people[0]
SECRETS = f"{PERSON.email} {PERSON.customer} {CANARIES.client_secret} {CANARIES.token}"


def known_tokens() -> None:
    """Every token that the emulator issues begins with the canary's: its file keeps their digests only."""
    make = secrets.token_urlsafe
    secrets.token_urlsafe = lambda size=None: f"{CANARIES.token}{make(size)}"  # type: ignore[assignment]


def impatient() -> None:
    """Nothing is waited for much longer than a moment."""
    from reconciler.clock import SystemClock
    from reconciler.criteo import pacing, session

    wait = SystemClock.wait
    SystemClock.wait = lambda self, seconds, reason: wait(self, min(seconds, 0.05), reason)  # type: ignore[method-assign]
    session.FIRST_PAUSE = 0.01
    session.ATTEMPTS = 2
    session.REFUSALS_IN_ROW = 2
    pacing.FIRST_PAUSE = 0.01


def slow() -> None:
    """Planning takes its time, until someone asks to stop."""
    from reconciler.commands import planning

    true = planning.observe

    def observe(
        desired: Any, only: Any, readers: Any, state: Any, engine: Any, clock: Any, doing: Any
    ) -> Any:
        clock.wait(20.0, "slow")
        return true(desired, only, readers, state, engine, clock, doing)

    planning.observe = observe


def chatty() -> None:
    """Every library says all that it can, as a wrapper or a debugging site might have it."""
    logging.basicConfig(stream=sys.stderr, level=logging.NOTSET, format="%(name)s %(message)s %(args)r")
    for name in ("httpx", "httpcore", "waitress", "werkzeug", "duckdb", "asyncio"):
        logging.getLogger(name).setLevel(logging.DEBUG)


def interrupted_soon(seconds: float = 0.7) -> None:
    """For a command that only ends when it is asked to."""
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()


# -- bugs ---------------------------------------------------------------------------------------------


class PanicError(BaseException):
    """What libraries written in Rust raise: no `except Exception` sees it."""


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
    "building members": "reconciler.members.build:Builder.build",
    "listing segments": "reconciler.criteo.client:CriteoReader.segments",
    "planning": "reconciler.commands.planning:plan",
    "rendering": "reconciler.commands.planning:plan_document",
    "creating": "reconciler.criteo.client:CriteoWriter.create",
    "a request body": "reconciler.criteo.wire:members_body",
    "a receipt": "reconciler.state.files:Files.receipt_file",
    "the emulator": "reconciler.emulator.members:_resolved",
    "progress": "reconciler.commands.apply:Tally.emit",
    "issuing a token": "reconciler.emulator.oauth:token",
    "reading an answer": "reconciler.criteo.exchange:_read",
}


def bug(place: str, kind: str) -> None:
    """Whoever comes by here raises; its locals hold people and secrets too."""

    def raising(*_: object, **__: object) -> None:
        person, said = PERSON, SECRETS  # noqa: F841 - what a traceback with locals would show
        raise BUGS[kind]()

    _replace(PLACES[place], raising)


def bug_in_a_thread() -> None:
    """Nobody waits for it, so nobody catches it."""

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


def after_start(plant: Callable[[], None]) -> None:
    """Does it once the command is under way: `main` has set its own ways by then."""
    from reconciler import settings

    true = settings._who

    def who(environ: Mapping[str, str]) -> str:
        plant()
        return true(environ)

    settings._who = who


def careless_library() -> None:
    """Logs an error with what was being worked on, warns of it, and fails to format a record."""
    import warnings

    log = logging.getLogger("somebody.else")
    log.error("while working on %s", PERSON.email, exc_info=_chained())
    log.warning("%d", SECRETS)
    warnings.warn(SECRETS, UserWarning, stacklevel=1)


# -- leaks --------------------------------------------------------------------------------------------


def print_in_the_engine() -> None:
    """The first member of each batch, for a look."""
    from reconciler.members import delta

    true = delta.batches

    def batches(*given: Any) -> Any:
        for batch in true(*given):
            print(batch.identifiers[0])  # noqa: T201 - the leak
            yield batch

    delta.batches = batches


def secret_in_a_hint() -> None:
    """Said so that one can look it up."""
    from reconciler.core.errors import AuthenticationError
    from reconciler.criteo.auth import ClientCredentials

    def form(self: Any) -> None:
        secret = self._client_secret.reveal()
        raise AuthenticationError("Criteo gave no token", remedy=f"is {secret} the right one?")

    ClientCredentials.form = form  # type: ignore[method-assign,assignment]


def token_in_the_log() -> None:
    """Whose token was it, again?"""
    from reconciler.criteo.auth import TokenAuth

    true = TokenAuth._renew

    def renew(self: Any) -> Any:
        token = yield from true(self)
        logging.getLogger("reconciler.criteo").debug("a new token: %s", token.reveal())
        return token

    TokenAuth._renew = renew  # type: ignore[method-assign]


def body_left_behind() -> None:
    """Kept to be looked at later."""
    from reconciler.criteo import wire

    true = wire.members_body

    def body(*given: Any) -> bytes:
        content = true(*given)
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(content)
        return content

    wire.members_body = body


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
