"""A fake Criteo that repeats requests: as documented, except for one call that it answers itself."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs

import httpx
from leaks.markers import MARKERS, STEM

from reconciler.emulator import Emulator, Switches
from reconciler.emulator.in_process_transport import transport
from reconciler.emulator.pipeline import CLOCK_PATH

ENDINGS = {
    "/token": "token",
    "/search": "search",
    "/create": "create",
    "/add-remove": "members",
    "/contact-list": "statistics",
}
OPERATIONS = (*ENDINGS.values(), "update")
ASKED = {
    "/request": "consent",
    "/me": "application",
    "/accounts": "accounts",
    "/retailers/search": "retailers",
}
"""What else may be heard where somebody consents."""
PLENTY = 10_000
"""Calls a minute: nothing here waits for its turn."""
ACCOUNT, RETAILER = "368477501993431040", "3239117063738827231"


@dataclass
class Received:
    """All values of the requests so far."""

    secrets: dict[str, str] = field(default_factory=dict)
    authorization: str = ""
    form: str = ""
    body: str = ""
    people: list[str] = field(default_factory=list)
    consent: dict[str, str] = field(default_factory=dict)
    issued: dict[str, str] = field(default_factory=dict)

    def listen(self, headers: Any, content: bytes) -> None:
        self.authorization = headers.get("Authorization") or self.authorization
        text = content.decode()
        if "client_secret=" in text:
            self.form = text
            self.secrets = {name: values[0] for name, values in parse_qs(text).items()}
            self.consent |= self.secrets
            return
        if "decision=" in text:
            return
        self.body = text or self.body
        sent = json.loads(text or "{}").get("data", {})
        if isinstance(sent, dict) and "identifiers" in sent.get("attributes", {}):
            self.people = sent["attributes"]["identifiers"]

    def hand_out(self, content: bytes) -> None:
        """Record the tokens of an answer."""
        fields = json.loads(content or "{}")
        self.issued |= {name: value for name, value in fields.items() if name.endswith("_token") and value}

    def person(self, mark: str = "") -> str:
        return next((one for one in self.people if mark in one), f"{STEM}@example.com")


PIECES: Mapping[str, Callable[[Received], str]] = {
    "all that was said": lambda received: f"{received.authorization} {received.form} {received.body}",
    "the token": lambda received: received.authorization.removeprefix("Bearer ") or MARKERS.token,
    "a part of the token": lambda received: f"unknown.{MARKERS.token[4:30]}",
    "the form": lambda received: received.form,
    "the id": lambda received: received.secrets["client_id"],
    "the secret": lambda received: received.secrets["client_secret"],
    "a person": lambda received: received.person("@"),
    "a hash": lambda received: received.person(""),
    "a person like a code": lambda received: received.person("-"),
    "a person in words": lambda received: f"request-{received.person()}-refused",
}

CONSENTED: Mapping[str, Callable[[Received], str]] = {
    "all that was said": lambda received: " ".join(
        [PIECES["all that was said"](received), *received.issued.values()]
    ),
    "the refresh token": lambda received: received.consent.get("refresh_token", MARKERS.refresh_token),
    "the newest refresh token": lambda received: received.issued.get("refresh_token", MARKERS.refresh_token),
    "a part of a refresh token": lambda received: f"unknown.{MARKERS.refresh_token[5:30]}",
    "the access token": lambda received: received.issued.get("access_token", MARKERS.token),
    "the secret": lambda received: received.secrets.get("client_secret", MARKERS.client_secret),
}
"""Where somebody consented."""
EXCHANGED: Mapping[str, Callable[[Received], str]] = {
    "the code": lambda received: received.consent["code"],
    "the verifier": lambda received: received.consent["code_verifier"],
}
"""Sent once: the command that did is the only one that knows them."""


def _entry(said: str) -> dict[str, object]:
    entry: dict[str, object] = dict.fromkeys(
        ("traceId", "traceIdentifier", "code", "title", "detail", "instance"), said
    )
    return {**entry, "type": "validation", "source": {said: said}}


def _errors(status: int, kind: str = "validation") -> Callable[[str], tuple[int, object]]:
    return lambda said: (
        status,
        {"errors": [{**_entry(said), "type": kind}], "warnings": [_entry(said)], "data": None},
    )


def _oauth(said: str) -> tuple[int, object]:
    return 400, {"error": said, "error_description": said, "error_uri": said}


def _acknowledged(said: str) -> tuple[int, object]:
    attributes = {"nbValidIdentifiers": 1, "nbInvalidIdentifiers": 1, "sampleInvalidIdentifiers": [said] * 9}
    return 200, {
        "data": {"id": said, "type": said, "attributes": attributes, **attributes},
        "errors": [_entry(said)],
    }


def _segments(said: str) -> tuple[int, object]:
    """Return segments with our names, and received values in all other attributes."""
    list_ = {"identifierType": said, "isReadOnly": said}
    rest = {
        "description": said,
        "accountId": said,
        "retailerId": said,
        "contactList": list_,
        "createdAt": said,
    }
    named = [{"id": said, "type": said, "attributes": {**rest, "name": "Buyers (raw)"}}]
    others = [{"id": f"{10**17 + at}", "type": said, "attributes": {**rest, "name": said}} for at in range(2)]
    return 200, {"data": [*named, *others], "meta": {"totalItems": 3, said: said}, "warnings": [_entry(said)]}


ANSWERS: Mapping[str, Callable[[str], tuple[int, object]]] = {
    "a 400": _errors(400),
    "a 401": _errors(401, "authorization"),
    "a 403": _errors(403),
    "a 404": _errors(404),
    "a 429": _errors(429),
    "a 500": _errors(500, "availability"),
    "a 200 with errors": _errors(200, "availability"),
    "an error of OAuth": _oauth,
    "a redirection": lambda said: (302, said),
    "an acknowledgement": _acknowledged,
    "segments": _segments,
    "a page": lambda said: (200, f"<html><title>{said}</title>{said}</html>"),
    "JSON that breaks off": lambda said: (200, f'{{"data": ["{said}'),
    "a page of a gateway": lambda said: (502, f"<html>{said}</html>"),
}
REPORTED = ("a 400", "a 500", "a 200 with errors")
"""Answers that are reported to the user for every operation."""
SPECIAL = {
    "an error of OAuth": ("token",),
    "segments": ("search", "create", "update"),
}
"""Answers that only these operations are answered with."""


def repetitions(operation: str) -> Iterator[tuple[str, str]]:
    """Yield the answers, and what each repeats: a few, if the answer is not read further.

    Such answers are dropped in one place for all operations, so three operations are enough.
    """
    received = {"token": ("the form",), "members": tuple(PIECES)}
    said = ("all that was said", "the id", "the secret", *received.get(operation, OTHERWISE))
    for answer in ANSWERS:
        reported = answer in REPORTED or operation in SPECIAL.get(answer, ())
        heeded = dict.fromkeys(said) if reported else said[:1] if operation in ("search", *received) else ()
        yield from ((answer, piece) for piece in heeded)


OTHERWISE = ("the token", "a person")
"""What can be known of people by who is asked for something else: an address, by its looks."""


class EchoingServer(ThreadingHTTPServer):
    """A server in front of an emulator with the markers' credentials. It answers one operation itself."""

    daemon_threads = True

    def __init__(self, emulator: Emulator) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.emulator = emulator
        self.behind = httpx.Client(transport=transport(emulator.pipeline), base_url="http://emulator.invalid")
        self.received = Received()
        self.operation = ""
        self.answer: Callable[[Received], tuple[int, object]] = lambda _: (200, {})
        self.repeated = 0
        self.turn = Lock()
        """Else a response might repeat what another request sent meanwhile."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Ignore clients that hang up when they are stopped."""


class _Visit(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: EchoingServer

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.turn:
            self._respond(content)

    do_GET = do_PATCH = do_POST  # noqa: N815 - the standard library's names

    def _respond(self, content: bytes) -> None:
        self.server.received.listen(self.headers, content)
        path = self.path.partition("?")[0]
        known = {**ASKED, **ENDINGS}
        operation = next((known[end] for end in sorted(known, key=len)[::-1] if path.endswith(end)), "update")
        if operation == self.server.operation and path != CLOCK_PATH:
            self.server.repeated += 1
            self._repeat(*self.server.answer(self.server.received))
        else:
            self._pass_on(content)

    def _repeat(self, status: int, body: object) -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        said = " ".join(PIECES["all that was said"](self.server.received).split())[:4000]
        headers = {"Location": f"{self.server.url}/?{said}", "X-Echo": said, "Set-Cookie": f"heard={said}"}
        self._answer(status, headers, content)

    def _pass_on(self, content: bytes) -> None:
        kept = {name: self.headers[name] for name in ("Authorization", "Content-Type") if self.headers[name]}
        answer = self.server.behind.request(self.command, self.path, content=content, headers=kept)
        if self.path.startswith("/oauth2/token") and answer.is_success:
            self.server.received.hand_out(answer.content)
        moved = {name: answer.headers[name] for name in ("Location",) if name in answer.headers}
        self._answer(answer.status_code, {"X-Echo": kept.get("Authorization", ""), **moved}, answer.content)

    def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, number in (("limit", PLENTY), ("remaining", PLENTY - 1)):
            self.send_header(f"x-ratelimit-{name}", str(number))
        for name, value in headers.items():
            self.send_header(name, value.encode("latin-1", "replace").decode("latin-1"))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing: the test captures the command, not its own server."""


@contextlib.contextmanager
def echoing_server(file: Path) -> Iterator[EchoingServer]:
    """Serve from a thread of the test, on a loopback socket."""
    with (
        Emulator.open(file, switches=Switches(rate_limit=PLENTY, rate_limit_per_account=PLENTY)) as emulator,
        contextlib.ExitStack() as stack,
    ):
        emulator.ensure_account(ACCOUNT, [RETAILER])
        with emulator._database.session() as session:
            session.put("client_id", MARKERS.client_id)
            session.put("client_secret", MARKERS.client_secret)
        server = stack.enter_context(EchoingServer(emulator))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield server
