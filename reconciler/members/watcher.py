"""One thread of the process that ends queries: those that somebody asks to stop, and those past their time.

A thread of its own for each query would cost more than most queries do.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

POLL = 0.1
"""Seconds between two looks at all that is watched."""


class Watcher:
    """Calls each watched function every `POLL` seconds. Its thread starts with the first, and then stays."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._looks: dict[object, Callable[[], None]] = {}
        self._thread: threading.Thread | None = None
        self._is_idle = False

    @contextlib.contextmanager
    def watching(self, look: Callable[[], None]) -> Iterator[None]:
        """Call `look` time and again in another thread; never after the context has ended."""
        entry = object()
        with self._changed:
            self._looks[entry] = look
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="query watcher", daemon=True)
                self._thread.start()
            elif self._is_idle:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                del self._looks[entry]

    def _run(self) -> None:
        with self._changed:
            while True:
                self._is_idle = not self._looks
                self._changed.wait(None if self._is_idle else POLL)
                for look in list(self._looks.values()):
                    look()


WATCHER = Watcher()
