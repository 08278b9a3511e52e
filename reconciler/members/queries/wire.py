"""A connection to a server that another thread can cut."""

import contextlib
import socket


class Wire:
    """A socket for a client, which may wrap it in TLS, and a handle of our own on the same connection."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self.socket = socket.create_connection((host, port), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._handle = self.socket.dup()

    def cut(self) -> None:
        """End the connection: what waits for an answer fails."""
        with contextlib.suppress(OSError):
            self._handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        self._handle.close()
        self.socket.close()
