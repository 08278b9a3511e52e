"""The loopback URL of `auth login` accepts one answer and refuses every other request on that port."""

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from reconciler.core.errors import ConfigurationError
from reconciler.credentials.redirect_listener import BrowserRedirect, RedirectListener, is_loopback

pytestmark = pytest.mark.promise("credentials")


class Waited:
    """A listener in its own thread that waits for a URL with `good` in it."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as free:
            free.bind((host.strip("[]"), 0))
            self.port = free.getsockname()[1]
        self.host = host
        self.callback = RedirectListener(f"http://{host}:{self.port}/back")
        self.over, self.arrivals = threading.Event(), list[BrowserRedirect]()
        self.thread = threading.Thread(target=self._wait)
        self.thread.start()

    def _wait(self) -> None:
        try:
            self.arrivals.append(self.callback.wait(lambda address: "good" in address, self._go_on))
        except TimeoutError:
            return
        self.arrivals[0].show("<p>thanks</p>")

    def _go_on(self) -> None:
        if self.over.is_set():
            raise TimeoutError

    def asks(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection(self.host.strip("[]"), self.port, timeout=10)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answered = answer.status, answer.read().decode(), dict(answer.headers)
        connection.close()
        return answered

    def end(self) -> None:
        self.over.set()
        self.thread.join(10)
        self.callback.__exit__(None, None, None)


@pytest.fixture
def waited() -> Iterator[Waited]:
    made = Waited()
    yield made
    made.end()


def test_the_answer_is_taken_and_gets_its_page(waited: Waited) -> None:
    status, page, headers = waited.asks("/back?good")
    assert (status, page) == (200, "<p>thanks</p>")
    assert waited.arrivals[0].address == "/back?good"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "reconciler"


@pytest.mark.parametrize(
    ("path", "status", "host"),
    [
        ("/", 404, ""),
        ("/favicon.ico", 404, ""),
        ("/other?good", 404, ""),
        ("/back", 400, ""),
        ("/back?x=<script>", 400, ""),
        ("/back?good", 404, "evil.example"),
        ("http://evil.example/other?good", 404, ""),
    ],
)
def test_other_requests_end_nothing(waited: Waited, path: str, status: int, host: str) -> None:
    headers = {"Host": host} if host else {}
    assert waited.asks(path, **headers)[:2] == (status, "")
    assert not waited.arrivals
    assert waited.asks("/back?good")[0] == 200


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
def test_other_methods_end_nothing(waited: Waited, method: str) -> None:
    assert waited.asks("/back?good", method)[0] == 501
    assert not waited.arrivals


def test_a_silent_browser_blocks_no_other(waited: Waited) -> None:
    with socket.create_connection(("127.0.0.1", waited.port)):
        assert waited.asks("/back?good")[0] == 200


def test_a_closed_browser_blocks_no_other(waited: Waited, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection(("127.0.0.1", waited.port)) as leaving:
        leaving.sendall(f"GET /back?good HTTP/1.1\r\nHost: 127.0.0.1:{waited.port}\r\n\r\n".encode())
    waited.thread.join(10)
    assert not waited.thread.is_alive()
    assert "good" not in "".join(capfd.readouterr())


def test_it_listens_at_the_address_of_the_newer_kind_too() -> None:
    made = Waited("[::1]")
    assert made.asks("/back?good")[0] == 200
    made.end()


def test_an_address_that_is_taken_is_said(waited: Waited) -> None:
    with pytest.raises(ConfigurationError, match="can't listen at") as caught:
        RedirectListener(f"http://127.0.0.1:{waited.port}/back")
    assert "--paste" in caught.value.remedy


def test_a_port_that_there_is_not_is_said() -> None:
    with pytest.raises(ConfigurationError, match="it has no such port"):
        RedirectListener("http://127.0.0.1:99999/")


def test_only_plain_addresses_are_on_this_machine() -> None:
    assert is_loopback("http://127.0.0.1:8765/")
    assert not is_loopback("https://hooks.acme.example/criteo")
