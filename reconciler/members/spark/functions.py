"""What Spark calls in its Python workers. Arrow batches come and go; no error leaves with its text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.members.spark.cluster import Receiver, Relay, Sender, Task, TaskFailedError, answered

if TYPE_CHECKING:
    import pyarrow

Batches = Iterator["pyarrow.RecordBatch"]
ANSWER = "part int, answer string"


@dataclass(frozen=True)
class Each:
    """Answers the tasks whose numbers arrive."""

    tasks: Sequence[Task]

    def __call__(self, numbers: Batches) -> Batches:
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                yield _answer(number, answered(self.tasks[number]))


@dataclass(frozen=True)
class Send:
    """Sends the members of the senders whose numbers arrive."""

    senders: Sequence[Sender]

    def __call__(self, numbers: Batches) -> Batches:
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                yield from _untold(self.senders[number].batches())


@dataclass(frozen=True)
class Pass:
    """Passes on what a relay sends."""

    relay: Relay

    def __call__(self, members: Batches) -> Batches:
        return _untold(self.relay.batches(members))


@dataclass(frozen=True)
class Receive:
    """Answers once for all members that arrive in one place."""

    receiver: Receiver

    def __call__(self, members: Batches) -> Batches:
        from pyspark import TaskContext

        context = TaskContext.get()
        yield _answer(context.partitionId() if context else 0, answered(_Receiving(self.receiver, members)))


@dataclass(frozen=True)
class _Receiving:
    receiver: Receiver
    members: Batches

    def run(self) -> dict[str, object]:
        return self.receiver.run(self.members)


def _untold(batches: Batches) -> Batches:
    try:
        yield from batches
    except Exception as error:  # noqa: BLE001 # its text may quote a value
        raise TaskFailedError(type(error).__name__) from None


def _answer(part: int, answer: str) -> "pyarrow.RecordBatch":
    import pyarrow

    return pyarrow.RecordBatch.from_arrays(
        [pyarrow.array([part], pyarrow.int32()), pyarrow.array([answer])], names=["part", "answer"]
    )
