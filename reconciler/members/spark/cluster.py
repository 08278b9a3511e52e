"""What the engine needs of a cluster: functions are run on executors, and members meet their equals.

Executors see the folders of this machine under the same paths. What a task returns is JSON: numbers, and
names of files that it wrote there.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import duckdb

from reconciler.members.database import READ_ERRORS
from reconciler.members.time_limit import OverdueError

Answer = dict[str, Any]
OVERDUE, PROBLEM, DISK = "overdue", "problem", "disk"


class Task(Protocol):
    """Something to do on one executor. It may be done twice: each attempt writes files of its own."""

    def run(self) -> Answer: ...


class Sender(Protocol):
    """Sends members as Arrow batches: the number of a `query`, `member`, and the words of a set."""

    def batches(self) -> Iterator[Any]: ...


class Relay(Protocol):
    """Receives all equal members of all senders, and sends members in turn."""

    def batches(self, batches: Iterator[Any]) -> Iterator[Any]: ...


class Receiver(Protocol):
    """Receives members, and answers for them."""

    def run(self, batches: Iterator[Any]) -> Answer: ...


class Cluster(Protocol):
    """Errors: StorageError if the cluster fails; what `opened` raises for a task."""

    def each(self, tasks: Sequence[Task]) -> list[Answer]:
        """Run each task on some executor. Returns the answers in their order."""
        ...

    def exchanged(self, senders: Sequence[Sender], words: int, receiver: Receiver) -> list[Answer]:
        """Send members with so many words each, so that all equal members meet in one of many receivers."""
        ...

    def sorted(self, senders: Sequence[Sender], relay: Relay, receiver: Receiver) -> list[Answer]:
        """Send members of one word through relays to receivers, which get ranges by query and member.

        Returns the answers in the order of the ranges.
        """
        ...


class TaskFailedError(Exception):
    """A task failed. It has no text: Spark writes the text of errors into its logs."""


def answered(task: Task) -> str:
    """Run a task on an executor. What a file is to blame for is an answer, and so in no log of Spark."""
    try:
        answer = task.run()
    except OverdueError:
        answer = {OVERDUE: True}
    except READ_ERRORS as error:
        answer = {PROBLEM: [type(error).__name__, str(error)]}
    except OSError as error:
        answer = {DISK: error.errno or 0}
    except Exception as error:  # noqa: BLE001 # its text may quote a value
        raise TaskFailedError(type(error).__name__) from None
    return json.dumps(answer)


def opened(text: str) -> Answer:
    """Return the answer of a task, or raise here what it met there."""
    answer: Answer = json.loads(text)
    if OVERDUE in answer:
        raise OverdueError
    if DISK in answer:
        raise OSError(answer[DISK], "")
    if PROBLEM in answer:
        kind, text = answer[PROBLEM]
        found = getattr(duckdb, kind, duckdb.InvalidInputException)
        raise found(text)
    return answer
