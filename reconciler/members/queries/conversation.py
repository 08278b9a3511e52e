"""A process of ours that answers lines of JSON, with a stream of Arrow behind some answers.

An answer is a line with a `status`, "" if it succeeded. A line ends each stream as well.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.members.queries.child import GRACE, ended, output, started
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Limits
from reconciler.members.watcher import WATCHER

if TYPE_CHECKING:
    import pyarrow

ENDING = 3.0
"""Seconds that the process has to end its statement on the server, when it is asked to end."""
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Meanings:
    """What a status means: `codes` of the database, which are shown, and those of the process itself."""

    codes: Mapping[str, QueryProblem]
    own: Mapping[str, QueryProblem]

    def problem(self, status: str) -> tuple[QueryProblem, str]:
        """Return what a status means, and the code that is shown."""
        if status in self.own:
            return self.own[status], ""
        return self.codes.get(status, QueryProblem.OTHER), status


class Conversation:
    """Asks the process, and ends it if a user asks to stop or it is silent for too long.

    `passed` are the variables that the process gets from ours, and `set_to` are others.
    """

    def __init__(
        self,
        module: str,
        passed: Sequence[str],
        limits: Limits,
        meanings: Meanings,
        set_to: Mapping[str, str] = _NONE,
    ) -> None:
        self._limits = limits
        self._meanings = meanings
        self.child = started(
            module, {**{key: os.environ[key] for key in passed if key in os.environ}, **set_to}
        )

    def close(self) -> None:
        if self.child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.child.stdin.close()
        ended(self.child)

    def end(self) -> float:
        """Return when a statement that begins now has to end."""
        return time.monotonic() + self._limits.time.total_seconds()

    def write(self, asked: Mapping[str, Any]) -> None:
        if self.child.stdin is None:
            raise AssertionError("the process was started with a pipe")
        with contextlib.suppress(BrokenPipeError):  # its end shows when it is to answer
            self.child.stdin.write(json.dumps(asked).encode() + b"\n")
            self.child.stdin.flush()

    def answer(self, asked: Mapping[str, Any], end: float) -> dict[str, Any]:
        """Return an answer without a stream. Raises QueryError."""
        with self._watched(end):
            self.write(asked)
            return self._answer(end)

    @contextlib.contextmanager
    def streamed(
        self, asked: Mapping[str, Any], end: float
    ) -> Iterator[tuple["pyarrow.Schema", Iterator["pyarrow.RecordBatch"]]]:
        """Yield the stream behind an answer. The context and the batches raise QueryError."""
        import pyarrow

        with self._watched(end):
            self.write(asked)
            self._answer(end)
            try:
                reader = pyarrow.ipc.open_stream(output(self.child))
            except (pyarrow.ArrowInvalid, OSError):
                raise self._lost(end) from None
            yield reader.schema, self._batches(reader, end)

    @contextlib.contextmanager
    def _watched(self, end: float) -> Iterator[None]:
        asked: list[float] = []

        def look() -> None:
            now = time.monotonic()
            if asked and now >= asked[0] + ENDING:
                self.child.kill()
            elif not asked and (now >= end + GRACE or self._limits.are_to_end()):
                asked.append(now)
                self.child.terminate()

        with WATCHER.watching(look):
            yield

    def _batches(self, reader: "pyarrow.RecordBatchReader", end: float) -> Iterator["pyarrow.RecordBatch"]:
        import pyarrow

        with contextlib.suppress(pyarrow.ArrowInvalid, OSError):
            for batch in reader:
                self._limits.check()
                yield batch
        self._answer(end)

    def _answer(self, end: float) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = json.loads(output(self.child).readline())
        except ValueError:
            raise self._lost(end) from None
        if status := answer["status"]:
            problem, code = self._meanings.problem(status)
            raise self._lost(end, code) if problem is QueryProblem.LOST else QueryError(problem, code)
        return answer

    def _lost(self, end: float, code: str = "") -> QueryError:
        """Return why nothing more arrives: what ends a statement after its time is the time limit."""
        self._limits.check()
        return QueryError(QueryProblem.TIME if time.monotonic() >= end else QueryProblem.LOST, code)
