"""What must hold on executors before any row is read."""

import contextlib
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

import reconciler
from reconciler.members.spark.cluster import Answer
from reconciler.members.spark.workplace import Workplace


@dataclass(frozen=True, slots=True)
class Probe:
    """Looks at the versions of an executor, and for a file that this machine wrote."""

    place: Workplace
    mark: str

    def run(self) -> Answer:
        found = self.place.scratch / self.mark
        shared = self.place.root.is_dir() and found.is_file() and found.read_text() == self.mark
        return {"versions": self.versions(), "shared": shared}

    @staticmethod
    def versions() -> list[str]:
        python = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return [python, reconciler.__version__, duckdb.__version__]


@contextlib.contextmanager
def shared_folder(place: Workplace) -> Iterator[str]:
    """A new file in the folder of this run, while it is looked for. Returns its name."""
    mark = f"mark-{uuid.uuid4().hex}"
    file = place.scratch / mark
    file.write_text(mark)
    try:
        yield mark
    finally:
        file.unlink()
