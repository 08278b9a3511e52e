"""Rows that another process of ours reads: a library that prints, or can't be stopped, does no harm there."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Limits
from reconciler.members.watcher import WATCHER

if TYPE_CHECKING:
    import pyarrow

GRACE = 10.0
"""Seconds after its time limit in which a server should end a statement by itself."""


@dataclass(frozen=True, slots=True)
class ChildRows:
    """Rows of `module`, which is asked in JSON. `cause` returns why rows that should arrive did not."""

    module: str
    asked: dict[str, Any]
    limits: Limits
    cause: Callable[[], QueryError]

    @contextlib.contextmanager
    def reading(
        self, schema: "pyarrow.Schema"
    ) -> Iterator[tuple["pyarrow.RecordBatchReader", Callable[[], QueryError | None]]]:
        """Yield the rows with the types of a schema, and what tells why they ended early."""
        import pyarrow

        found: list[QueryError] = []
        end = time.monotonic() + self.limits.time.total_seconds()
        with self._started(end) as child:

            def batches() -> Iterator["pyarrow.RecordBatch"]:
                try:
                    yield from self._batches(child, schema, end)
                except QueryError as error:
                    found.append(error)
                    raise

            stream = pyarrow.RecordBatchReader.from_batches(schema, batches())
            yield stream, lambda: found[0] if found else None

    def _batches(
        self, child: subprocess.Popen[bytes], schema: "pyarrow.Schema", end: float
    ) -> Iterator["pyarrow.RecordBatch"]:
        import pyarrow

        with contextlib.suppress(pyarrow.ArrowInvalid, OSError):
            for batch in pyarrow.ipc.open_stream(output(child)):
                self.limits.check()
                yield typed(batch, schema)
        if child.wait():
            self.limits.check()
            raise QueryError(QueryProblem.TIME) if time.monotonic() >= end else self.cause()

    @contextlib.contextmanager
    def _started(self, end: float) -> Iterator[subprocess.Popen[bytes]]:
        """Start the process, which ends with the context."""
        child = started(self.module)

        def look() -> None:
            if time.monotonic() >= end + GRACE or self.limits.are_to_end():
                child.kill()

        try:
            with WATCHER.watching(look):
                if child.stdin is not None:
                    with contextlib.suppress(BrokenPipeError), child.stdin as asked:
                        asked.write(json.dumps(self.asked).encode())
                yield child
        finally:
            ended(child)


def started(module: str, environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a module of ours as a process, isolated from the folder that the command runs in."""
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-I", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=environ,
    )


def ended(child: subprocess.Popen[bytes]) -> None:
    """End a process, whatever it does."""
    child.kill()
    child.wait()
    output(child).close()


def output(child: subprocess.Popen[bytes]) -> IO[bytes]:
    if child.stdout is None:
        raise AssertionError("the process was started with a pipe")
    return child.stdout


def typed(batch: "pyarrow.RecordBatch", schema: "pyarrow.Schema") -> "pyarrow.RecordBatch":
    """Return a batch with other types; a value that has no place in its type is an error."""
    import pyarrow

    try:
        columns = [one.cast(field.type) for one, field in zip(batch.columns, schema, strict=True)]
    except pyarrow.ArrowInvalid:
        raise QueryError(QueryProblem.VALUE) from None
    except (pyarrow.ArrowNotImplementedError, ValueError):  # other columns than a moment ago
        raise QueryError(QueryProblem.TYPES) from None
    return pyarrow.RecordBatch.from_arrays(columns, schema=schema)
