"""A WSGI application on a free loopback port, for the duration of a block; it logs nothing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ssl import SSLContext
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

POLL = 0.02


class Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Log nothing."""


@contextmanager
def serving(app: Callable[..., Any], tls: SSLContext | None = None) -> Iterator[str]:
    """Yield the base URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent, ssl_context=tls)
    thread = threading.Thread(target=server.serve_forever, args=(POLL,))
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
