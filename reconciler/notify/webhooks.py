"""Sends bodies to webhooks, all at once, within a short time. It reads no response body, and never raises."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import httpx

from reconciler.core.endpoints import is_loopback
from reconciler.core.errors import ConfigurationError, ReconcilerError
from reconciler.core.secret import Secret
from reconciler.web.deadline import Loopback, Routes

SECONDS = 2.0
"""A run ends so much later at most, however many receivers there are."""
HEADERS = {"Content-Type": "application/json", "User-Agent": "criteo-reconciler"}
LATE = f"the receiver did not answer within {SECONDS:.0f} s"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Bodies for one receiver. `url` reads its secret URL."""

    receiver: str
    url: Callable[[], Secret]
    bodies: Sequence[bytes]


def deliver(deliveries: Sequence[Delivery], seconds: float = SECONDS) -> dict[str, str]:
    """Send all bodies. Return the problem of each receiver that did not take them, by its name.

    No problem contains the URL, which is a secret, or what a receiver answered.
    """
    problems = {one.receiver: LATE for one in deliveries}
    end = monotonic() + seconds

    def send(one: Delivery) -> None:
        problem = _problem(one, end)
        problems[one.receiver] = problem

    threads = [threading.Thread(target=send, args=(one,), daemon=True) for one in deliveries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - monotonic()))
    return {name: problem for name, problem in dict(problems).items() if problem}


def _problem(one: Delivery, end: float) -> str:
    """Send the bodies of one receiver in their order. Return "" if it took all of them."""
    try:
        url = one.url().reveal().strip()
        with _client(url) as client:
            for content in one.bodies:
                left = max(0.001, end - monotonic())
                with client.stream("POST", url, content=content, headers=HEADERS, timeout=left) as response:
                    if not response.is_success:
                        return f"the receiver answered {response.status_code}"
    except ReconcilerError as error:
        return error.problem
    except httpx.TimeoutException:
        return LATE
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return f"the receiver can't be reached ({type(error).__name__})"
    return ""


def _client(url: str) -> httpx.Client:
    """Return a client that follows no redirect. Refuses all URLs but https and loopback."""
    parsed = httpx.URL(url)
    if parsed.scheme == "http" and is_loopback(url):
        return httpx.Client(transport=Loopback(), trust_env=False)
    if parsed.scheme != "https" or not parsed.host:
        raise ConfigurationError("the URL is neither https nor http on this machine")
    return httpx.Client(transport=Routes(), trust_env=False)
