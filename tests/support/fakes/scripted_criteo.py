"""A fake Criteo with a scripted answer per call, which counts calls: for answers the emulator never gives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import orjson
from support.fakes.clock import FakeClock

from reconciler.core.secret import Secret
from reconciler.core.telemetry import SILENT, Telemetry
from reconciler.criteo.connection import Connection, connect
from reconciler.criteo.grants import ClientCredentials, ClientKeys

SECRET = "s3cr+t/value=="
TOKEN = "token-of-the-day"
Step = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def answer(status: int, body: object = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, content=orjson.dumps(body or {}), headers=headers)


def problem(status: int, code: str, *, kind: str = "validation", title: str = "") -> httpx.Response:
    entry = {"traceId": "trace-7", "type": kind, "code": code, "title": title, "detail": "jane@example.com"}
    return answer(status, {"errors": [entry]})


def acknowledged(valid: int, invalid: int = 0, **more: object) -> httpx.Response:
    data = {"nbValidIdentifiers": valid, "nbInvalidIdentifiers": invalid}
    return answer(200, {"data": data, **more})


@dataclass
class Script:
    """Steps in order; the last step repeats. Token requests are answered separately."""

    steps: list[Step] = field(default_factory=list)
    tokens: list[Step] = field(default_factory=list)
    calls: list[httpx.Request] = field(default_factory=list)
    token_calls: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/token":
            self.token_calls.append(request)
            default = answer(200, {"access_token": f"{TOKEN}-{len(self.token_calls)}", "expires_in": 900})
            return self._take(self.tokens, request) if self.tokens else default
        self.calls.append(request)
        return self._take(self.steps, request)

    def _take(self, steps: list[Step], request: httpx.Request) -> httpx.Response:
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, httpx.Response):
            return httpx.Response(step.status_code, headers=step.headers, content=step.content)
        return step(request)


@contextmanager
def connected(script: Script, clock: FakeClock, telemetry: Telemetry = SILENT) -> Iterator[Connection]:
    connection = connect(
        base_url="https://api.example",
        version="2026-07",
        token_url="",
        grant=ClientCredentials(ClientKeys(Secret("client"), Secret(SECRET))),
        timeout=timedelta(seconds=60),
        clock=clock,
        transport=httpx.MockTransport(script),
        chance=lambda: 1.0,
        telemetry=telemetry,
    )
    with connection:
        yield connection
