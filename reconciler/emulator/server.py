"""The emulator on a loopback socket; refuses any other address and prints nothing."""

import ipaddress
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from waitress import wasyncore  # type: ignore[import-untyped] # waitress ships no types
from waitress.channel import ClientDisconnected  # type: ignore[import-untyped] # the same
from waitress.server import create_server  # type: ignore[import-untyped] # the same

from reconciler.emulator.responses import NoAnswer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

THREADS = 8
IN_MEMORY = 32 * 1024 * 1024  # bodies up to this many bytes touch no temporary file
RECEIVE = 256 * 1024


class Server:
    """Listens from its creation on; `run` answers until an interrupt, or `stop` by a thread."""

    def __init__(self, app: "WSGIApplication", host: str, port: int) -> None:
        address = _loopback(host)
        self._sockets: dict[int, object] = {}
        self._left: dict[int, object] = {}
        self._pulling = threading.Lock()
        self._server = create_server(
            _hanging_up(app),
            map=self._sockets,
            host=str(address),
            port=port,
            threads=THREADS,
            inbuf_overflow=IN_MEMORY,
            recv_bytes=RECEIVE,
        )
        shown = f"[{address}]" if address.version == 6 else str(address)
        self.url = f"http://{shown}:{self._server.effective_port}"

    def run(self) -> None:
        try:
            self._server.run()
        finally:
            with self._pulling:
                wasyncore.close_all(self._left)
                wasyncore.close_all(self._sockets)

    def stop(self) -> None:
        """Respond to running calls, then close the socket and end the loop.

        Another call's pull may end the loop before ours is done, so nothing is closed below it.
        """
        self._server.task_dispatcher.shutdown()
        with self._pulling:
            self._server.trigger.pull_trigger(self._leave)

    def _leave(self) -> None:
        self._left.update(self._sockets)
        self._sockets.clear()


def _loopback(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ValueError(f"not a loopback address: {host}") from None
    if not address.is_loopback:
        raise ValueError(f"the emulator serves loopback addresses only, not {host}")
    return address


def _hanging_up(app: "WSGIApplication") -> "WSGIApplication":
    """Silence, on a socket: hold the connection a while, then close it without a byte."""

    def served(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except NoAnswer as silence:
            time.sleep(silence.hold)
            raise ClientDisconnected from None

    return served
