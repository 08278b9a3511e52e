"""A cluster in this process: tasks are pickled as they travel, and run one after the other."""

import pickle
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from reconciler.members.spark.cluster import Answer, Receiver, Relay, Sender, Task, answered, opened
from reconciler.members.spark.tasks import arrow_schema


@dataclass
class ClusterHere:
    """`parts` receivers. What travelled is kept, and never holds a key."""

    parts: int = 3
    travelled: list[bytes] = field(default_factory=list)

    def each(self, tasks: Sequence[Task]) -> list[Answer]:
        return [opened(answered(self._sent(task))) for task in tasks]

    def exchanged(self, senders: Sequence[Sender], words: int, receiver: Receiver) -> list[Answer]:
        table = self._table(senders, words)
        place = [sum(one.as_py()) % self.parts for one in table["member"]]
        return [self._sent(receiver).run(_chosen(table, place, part)) for part in range(self.parts)]

    def sorted(self, senders: Sequence[Sender], relay: Relay, receiver: Receiver) -> list[Answer]:
        table = self._table(senders, 1)
        place = [sum(one.as_py()) % self.parts for one in table["member"]]
        moved = [
            batch
            for part in range(self.parts)
            for batch in self._sent(relay).batches(_chosen(table, place, part))
        ]
        rows = pa.Table.from_batches(moved, table.schema)
        keys = list(zip(rows["query"].to_pylist(), rows["member"].to_pylist(), strict=True))
        step = len(keys) // self.parts
        bounds = [sorted(keys)[step * part] for part in range(1, self.parts) if step]
        ranges = [bisect_right(bounds, one) for one in keys]
        return [self._sent(receiver).run(_chosen(rows, ranges, part)) for part in range(len(bounds) + 1)]

    def _table(self, senders: Sequence[Sender], words: int) -> pa.Table:
        batches = [batch for one in senders for batch in self._sent(one).batches()]
        return pa.Table.from_batches(batches, arrow_schema(pa.int64(), words))

    def _sent(self, task: Any) -> Any:
        self.travelled.append(pickle.dumps(task))
        return pickle.loads(self.travelled[-1])  # noqa: S301 # pickled a line ago


def _chosen(table: pa.Table, place: Sequence[int], part: int) -> Iterator[pa.RecordBatch]:
    return iter(table.filter(pa.array([one == part for one in place], pa.bool_())).to_batches())
