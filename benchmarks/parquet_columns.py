"""Bytes and time of a Parquet object of 40 columns in a bucket, of which an audience needs two.

Reads the same object twice in one run, each time in a process of its own, from a local S3 server: by the
columns that are needed, and whole, as an object without a strong entity tag is read. Members must be the
same, or the run fails. Prints the bytes of both downloads and their ratio.

    python benchmarks/parquet_columns.py --rows 100000
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import duckdb
from support import source_project
from support.fakes import object_stores
from support.source_project import EMAIL

from reconciler.buckets.connection import BucketLocation
from reconciler.buckets.source_objects import SourceBucket, SourceObject
from reconciler.core.model import Hashing
from reconciler.members import bucket_mirror
from reconciler.members.bucket_mirror import Mirror
from reconciler.members.engine import DuckDbEngine

PLACE = BucketLocation("s3://acme/exports", "", "", "")
COLUMNS = 40
KIND = (EMAIL, Hashing.SHA256)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading found and needed. `members` is the name of their set."""

    members: str
    bytes: int
    requests: int
    seconds: float


class Counted(SourceBucket):
    """Counts what it brings."""

    brought = requests = 0

    def piece(self, export: SourceObject, start: int, end: int) -> bytes:
        content = super().piece(export, start, end)
        self.brought += len(content)
        self.requests += 1
        return content


def export(file: Path, rows: int) -> None:
    noise = ", ".join(f"md5(i || 'n{number}') AS c{number}" for number in range(COLUMNS - 2))
    select = (
        f"SELECT {noise}, md5(i::VARCHAR) || '@example.com' AS email, i % 5 AS tier FROM range({rows}) t(i)"
    )
    duckdb.execute(f"COPY ({select}) TO '{file}' (FORMAT parquet)")


def read(url: str, environ: dict[str, str], folder: Path, *, whole: bool, answer: Any) -> None:
    if whole:
        bucket_mirror.SMALL = sys.maxsize
    (folder / "brought").mkdir(parents=True)
    bucket = Counted(object_stores.opened(url, environ), PLACE)
    root = Mirror(bucket, folder / "brought", lambda: None, PLACE.url)
    audience = (
        source_project.make(folder).reads("*.parquet", where="tier = 3", columns={EMAIL: "email"}).audience
    )
    begin = time.perf_counter()
    with DuckDbEngine(root, folder / "cache", source_project.never, b"k" * 32, None) as engine:
        members = source_project.build(engine, audience, [KIND])[KIND].members
    seconds = time.perf_counter() - begin
    answer.send(Reading(members.digest, bucket.brought, bucket.requests, seconds))


def measured(url: str, environ: dict[str, str], folder: Path, *, whole: bool) -> Reading:
    """Read in a new process."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    given = {"whole": whole, "answer": sender}
    process = context.Process(target=read, args=(url, environ, folder), kwargs=given)
    process.start()
    sender.close()
    found: Reading = receiver.recv()
    process.join()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name, object_stores.s3() as served:
        folder = Path(name)
        export(folder / "export.parquet", rows)
        served.store.put("export.parquet", folder / "export.parquet")
        environ = dict(served.environ)
        columns = measured(served.url, environ, folder / "columns", whole=False)
        whole = measured(served.url, environ, folder / "whole", whole=True)
    if columns.members != whole.members:
        print("the members differ", file=sys.stderr)
        return 1
    for what, one in (("2 of 40 columns", columns), ("the whole object", whole)):
        print(f"{what:16}  {one.bytes / 1e6:9.1f} MB  {one.requests:4} requests  {one.seconds:6.1f} s")
    print(f"ratio of bytes    {columns.bytes / whole.bytes:9.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
