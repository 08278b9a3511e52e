"""Fuzzed responses: status lines, headers, encodings and bodies of every call, at random from a seed.

The client raises its own errors only, sends a bounded number of requests, waits a bounded time, and repeats
no person, secret or token. `FUZZ=20000` looks longer.
"""

import copy
import gzip
import logging
import os
import random
import ssl
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpcore
import httpx
import orjson
import pytest
from support.fakes.clock import NOON, FakeClock
from support.fakes.consents import MemoryPlace
from support.fakes.criteo import at_once

from reconciler.core.consent.model import Consent
from reconciler.core.errors import ReconcilerError
from reconciler.core.members import Identifiers
from reconciler.core.model import IdentifierType
from reconciler.core.remote import NewSegment, SegmentPatch
from reconciler.core.secret import Secret
from reconciler.criteo.client import MOST_PAGES
from reconciler.criteo.connection import Connection, connect, redeem
from reconciler.criteo.grants import (
    AuthorizationCode,
    ClientCredentials,
    ClientKeys,
    Grant,
    RedirectCode,
    RefreshToken,
)

pytestmark = pytest.mark.promise("client")

CONTEXT = ssl.create_default_context()
SEEDS = range(int(os.environ.get("FUZZ", "300")))
PERSON, SECRET, ISSUED, REFRESH = (
    "jane.roe@example.com",
    "s3cret/of+the=app",
    "t0ken-of-the-day",
    "r3fresh-token",
)
CODE = "c0de-of-the-consent"
KEYS = ClientKeys(Secret("the-client-id-of-the-app"), Secret(SECRET))
PEOPLE = Identifiers([PERSON, "joe.bloggs@example.com"])
HIDDEN = (PERSON, SECRET, ISSUED, REFRESH, CODE)
LOCAL_PART = "joe.bloggs"
"""Of a person, whom only calls about members name."""
SEGMENT = {
    "id": "9",
    "type": "AudienceSegment",
    "attributes": {
        "name": "Lapsed",
        "description": "x",
        "accountId": "1",
        "retailerId": "7",
        "contactList": {"identifierType": "Email", "isReadOnly": False},
        "createdAt": "2026-11-24T12:00:00Z",
        "updatedAt": "2026-11-24T12:00:00Z",
    },
}
PROBLEM = {"traceId": "7", "type": "validation", "code": "a-code", "title": "No", "detail": "no"}
BODIES: dict[str, Any] = {
    "/token": {"access_token": ISSUED, "expires_in": 900, "token_type": "Bearer", "refresh_token": REFRESH},
    "/audience-segments/search": {"data": [SEGMENT], "meta": {"totalItems": 1, "limit": 500, "offset": 0}},
    "/contact-list": {
        "data": {"attributes": {"numberOfIdentifiers": 9, "numberOfMatches": 3, "matchRate": 0.3}}
    },
    "/create": {"data": [SEGMENT], "errors": [], "warnings": []},
    "/audience-segments": {"data": [SEGMENT], "errors": [], "warnings": [PROBLEM]},
    "/add-remove": {
        "data": {
            "operation": "add",
            "identifierType": "Email",
            "nbValidIdentifiers": 2,
            "nbInvalidIdentifiers": 0,
        }
    },
    "/me": {"data": {"attributes": {"name": "app", "criteoService": None}}},
    "/accounts": {"data": [{"id": "1"}], "metadata": {"totalPages": 1}},
    "/retailers/search": {"data": [{"id": "7"}], "metadata": {"count": 1}},
}
CALLS: dict[str, Callable[[Connection], object]] = {
    "search": lambda one: one.reader.segments("1"),
    "by id": lambda one: one.reader.segments_by_id("1", ["9"]),
    "statistics": lambda one: one.reader.statistics("1", "9"),
    "probe": lambda one: one.reader.probe("1"),
    "create": lambda one: one.writer().create(
        "1", [NewSegment("Lapsed", "", "7", IdentifierType.EMAIL)], at_once
    ),
    "update": lambda one: one.writer().update("1", [SegmentPatch("9", "Lapsed")], at_once),
    "add": lambda one: one.writer().change_members("9", IdentifierType.EMAIL, "add", PEOPLE, at_once),
    "remove": lambda one: one.writer().change_members("9", IdentifierType.EMAIL, "remove", PEOPLE, at_once),
    "me": lambda one: one.inspector.application(),
    "accounts": lambda one: one.inspector.accounts([]),
    "retailers": lambda one: one.inspector.retailers("1", ["7"]),
}
STATUSES = (200, 200, 200, 200, 201, 204, 206, 301, 302, 304, 307, 400, 401, 403, 404, 408, 409, 410, 413)
STATUSES += (415, 418, 429, 429, 500, 502, 503, 504, 599, 600, 999)
SPLIT = f"{PERSON[:6]}\u200b{PERSON[6:]}"
TEXTS = ("", "x", "9", "-1", "NaN", "a" * 5_000, "@" * 5_000, "\x00\x1b[31m", "💥", "٣", "null", "a-code")
TEXTS += (PERSON, SPLIT, f"no: {PERSON}!", SECRET, ISSUED, REFRESH, CODE, "0001-01-01T00:00:00+14:00")
TEXTS += ("9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z", "https://[", "joe.bloggs", PERSON.upper())
VALUES = (None, True, False, 0, -1, 1, 2**63, -(2**63), 1e308, 0.1, 1e-300, [], {}, [[]], [None], {"": None})
NUMBERS = (
    "0",
    "-1",
    "1",
    "1e300",
    "1e12",
    "1e9",
    "nan",
    "inf",
    "٣",
    "",
    "0.5",
    "250",
    "99999999999999999999",
)
DATES = (
    "",
    "0",
    "Mon, 01 Jan 99999 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    ",",
    "Thu, 01 Jan 1970",
)
DATES += (
    f"Mon, 01 Jan {'9' * 40} 00:00:00 GMT",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Tue, 24 Nov 2026 12:00:00 GMT",
)
HEADERS = {
    "X-RateLimit-Limit": NUMBERS,
    "X-RateLimit-Remaining": NUMBERS,
    "X-RateLimit-Reset": NUMBERS,
    "Date": DATES,
    "Location": ("https://[", "//", "http://evil.example/", "x" * 3_000, "javascript:1", PERSON),
    "Set-Cookie": ("a=b", "=;=;", f"a={PERSON}; Domain=.", "a=b; Expires=Mon, 99 Foo"),
    "Retry-After": NUMBERS,
    "Content-Type": ("text/html; charset=nonsense", "application/json; charset=utf-16", PERSON),
    "Deprecation": ("true", PERSON),
}
ENCODINGS = ("gzip", "GZIP", "deflate", "br", "zstd", "identity", "gzip, gzip", "x-gzip", "", PERSON)


def value(chance: random.Random, depth: int = 0) -> Any:
    match chance.randrange(6):
        case 0 | 1:
            return chance.choice(TEXTS)
        case 2 if depth < 3:
            return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
        case 3 if depth < 3:
            return {chance.choice(["id", "data", "type", "code", "x"]): value(chance, depth + 1)}
        case 4:
            return {"errors": [PROBLEM | {chance.choice(list(PROBLEM)): value(chance, 3)}]}
        case _:
            return copy.deepcopy(chance.choice(VALUES))


def mutated(chance: random.Random, body: Any) -> Any:
    """Replace, remove or repeat one node."""
    if chance.random() < 0.2 or not isinstance(body, dict | list) or not body:
        return value(chance)
    key = chance.choice(list(body) if isinstance(body, dict) else range(len(body)))
    match chance.randrange(8):
        case 0:
            del body[key]
        case 1 if isinstance(body, list):
            body += [copy.deepcopy(body[key]) for _ in range(chance.choice([1, 499, 500]))]
        case 2 if isinstance(body, dict):
            body[chance.choice(["errors", "warnings", "data", "traceId", "meta"])] = value(chance)
        case _:
            body[key] = mutated(chance, body[key])
    return body


def content(chance: random.Random, path: str) -> bytes:
    ending = next((one for one in sorted(BODIES, key=len, reverse=True) if path.endswith(one)), "/me")
    body = copy.deepcopy(BODIES[ending])
    for _ in range(chance.choice([0, 1, 1, 1, 2, 5])):
        body = mutated(chance, body)
    plain = orjson.dumps(body)
    match chance.randrange(14):
        case 0:
            return plain[: chance.randrange(len(plain) + 1)]
        case 1:
            return plain.decode().encode(chance.choice(["utf-16", "utf-32", "utf-8-sig"]))
        case 2:
            return b"[" * 2_000
        case 3:
            flipped = bytearray(plain or b"x")
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
            return bytes(flipped)
        case 4:
            return chance.randbytes(200)
    return plain


def packed(chance: random.Random, plain: bytes, encoding: str) -> bytes:
    whole = zlib.compress(plain) if encoding == "deflate" else gzip.compress(plain)
    match chance.randrange(6):
        case 0:
            return plain
        case 1:
            return whole[: chance.randrange(len(whole))]
        case 2:
            return whole + whole
        case 3:
            broken = bytearray(whole)
            broken[chance.randrange(len(broken))] ^= 255
            return bytes(broken)
    return whole


def response(chance: random.Random, path: str) -> tuple[int, dict[str, str], bytes]:
    """Mostly nearly right: what is wrong at once is found at once."""
    status, body, headers = 200, content(chance, path), {}
    if path.endswith("/token") and chance.random() < 0.7:
        return 200, {}, orjson.dumps(BODIES["/token"])
    if chance.random() < 0.4:
        status = chance.choice(STATUSES)
    for name in chance.sample(list(HEADERS), chance.choice([0, 1, 2, 5])):
        headers[name] = chance.choice(HEADERS[name])
    if chance.random() < 0.2:
        headers["Content-Encoding"] = chance.choice(ENCODINGS)
        body = packed(chance, body, headers["Content-Encoding"])
    return status, headers, body


class Fuzz(httpx.BaseTransport):
    """Create the answer for each request, and count requests."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - the same answers each time
        self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        request.read()
        status, headers, body = response(self._chance, request.url.path)
        raw = [(name.encode(), text.encode("utf-8")) for name, text in headers.items()]
        return httpx.Response(status, headers=raw, stream=httpx.ByteStream(body))


class RawFuzz(Fuzz):
    """The same as bytes, some of them turned over, which are read by the library that reads real ones."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        status, headers, body = response(self._chance, request.url.path)
        head = [f"HTTP/1.1 {status} {self._chance.choice(['OK', '', PERSON])}"]
        head += [f"{name}: {text}" for name, text in {**headers, "Content-Length": str(len(body))}.items()]
        whole = bytearray("\r\n".join([*head, "", ""]).encode("utf-8") + body)
        for _ in range(self._chance.choice([0, 1, 1, 3])):
            whole[self._chance.randrange(min(len(whole), 200))] = self._chance.randrange(256)
        with httpx.HTTPTransport(verify=CONTEXT) as transport:
            transport._pool = httpcore.ConnectionPool(
                ssl_context=CONTEXT, network_backend=httpcore.MockBackend([bytes(whole)])
            )
            answered = transport.handle_request(request)
            body = b"".join(answered.stream)  # type: ignore[arg-type]
        return httpx.Response(answered.status_code, headers=answered.headers, stream=httpx.ByteStream(body))


class Everything(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def log() -> Iterator[Everything]:
    handler, root = Everything(), logging.getLogger("reconciler")
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def grant(seed: int, clock: FakeClock) -> Grant:
    if seed % 2:
        return ClientCredentials(KEYS)
    place = MemoryPlace(Consent(Secret(REFRESH), obtained_at=NOON))
    return RefreshToken(KEYS, place, clock, "again")


def said(act: Callable[[], object]) -> str:
    """What people would be shown of it."""
    with log() as handler:
        try:
            shown = repr(act())
        except ReconcilerError as error:
            shown = f"{error.problem}\n{error.remedy}\n{error.findings}"
    return "\n".join([shown, *handler.lines])


def assert_unharmed(message: str, clock: FakeClock, hidden: tuple[str, ...] = HIDDEN) -> None:
    waits = " ".join(reason for _, reason in clock.waits)
    for one in hidden:
        assert one.lower() not in f"{message} {waits}".lower()
    assert clock.waited < timedelta(hours=2).total_seconds()


@pytest.mark.parametrize("kind", [Fuzz, RawFuzz])
@pytest.mark.parametrize("name", CALLS)
def test_no_answer_breaks_a_call(name: str, kind: type[Fuzz]) -> None:
    for seed in SEEDS if kind is Fuzz else SEEDS[::4]:
        transport, clock = kind(seed), FakeClock()
        with connect(
            base_url="https://api.example",
            version="2026-07",
            token_url="",
            grant=grant(seed, clock),
            timeout=timedelta(seconds=60),
            clock=clock,
            transport=transport,
            chance=lambda: 1.0,
        ) as connection:
            message = said(lambda connection=connection: CALLS[name](connection))
        assert_unharmed(message, clock, (*HIDDEN, LOCAL_PART) if name in {"add", "remove"} else HIDDEN)
        assert transport.requests <= 3 * MOST_PAGES, seed


@pytest.mark.parametrize("kind", [Fuzz, RawFuzz])
def test_no_answer_breaks_the_exchange_of_a_code(kind: type[Fuzz]) -> None:
    """One request, and what was kept before stays unless a whole token came."""
    for seed in SEEDS:
        transport, clock, place = kind(seed), FakeClock(), MemoryPlace()
        brought = RedirectCode(Secret(CODE), None, "https://a.example/b", "the login")
        code = AuthorizationCode(KEYS, brought, place, clock, "again")

        def act(transport: Fuzz = transport, code: AuthorizationCode = code) -> None:
            redeem(
                base_url="https://api.example",
                token_url="",
                grant=code,
                timeout=timedelta(seconds=60),
                transport=transport,
            )

        assert_unharmed(said(act), clock)
        assert transport.requests == 1
        assert not place.held
