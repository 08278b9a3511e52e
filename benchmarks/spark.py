"""The first reading of an audience on this machine and in Spark on it: what a cluster costs beside its work.

python benchmarks/spark.py --rows 20000000      # needs `make spark` and Java

Both use all cores. The time of Spark is without its start. Processor time has all processes.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import duckdb

from reconciler.core.erasure import NO_ERASURES
from reconciler.core.members import AudienceRequest, SnapshotRef
from reconciler.core.model import Audience, Hashing, IdentifierType, Source
from reconciler.members.data_root import LocalFolder
from reconciler.members.engine import DuckDbEngine
from reconciler.members.group_rows import RowsHere, Stage
from reconciler.members.spark.cluster import Cluster
from reconciler.members.spark.session import open_cluster
from reconciler.members.spark.staging import ClusterStage
from reconciler.members.spark.workplace import Workplace

FILES = 16
TODAY = date(2026, 11, 24)
EMAIL = IdentifierType.EMAIL
INSTALLED = Path(__file__).parent.parent / ".spark"


def write(folder: Path, rows: int) -> None:
    """Addresses in Parquet, every thirtieth twice, every tenth in capital letters."""
    for number in range(FILES):
        span = f"range({rows * number // FILES}, {rows * (number + 1) // FILES}) AS r(i)"
        address = "'person' || (i - i % 30 * (i % 60 // 30)) || '@example.com'"
        duckdb.execute(
            f"COPY (SELECT CASE i % 10 WHEN 0 THEN upper({address}) ELSE {address} END AS email, "
            f"i % 100 AS visits FROM {span}) TO '{folder}/{number}.parquet' (FORMAT parquet)"
        )


def processor() -> float:
    """Return the processor time of this process, of its ended children, and of those that still run."""
    used = [resource.getrusage(one) for one in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used) + sum(map(_ticks, _below(os.getpid())))


def _below(process: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "stat").exists():
            parents.setdefault(int(_fields(int(entry.name))[1]), []).append(int(entry.name))
    found = [process]
    for one in found:
        found += parents.get(one, [])
    return found[1:]


def _fields(process: int) -> list[str]:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _ticks(process: int) -> float:
    return sum(map(int, _fields(process)[11:15])) / os.sysconf("SC_CLK_TCK")


def nothing_held(snapshot: SnapshotRef) -> str:
    raise FileNotFoundError(snapshot.digest)


def measured(folder: Path, stage: Stage, name: str) -> SnapshotRef:
    audience = Audience("a", "A", "", Source(("*.parquet",), "visits < 90"), ((EMAIL, "email"),))
    request = AudienceRequest(audience, ((EMAIL, Hashing.SHA256),))
    with DuckDbEngine(
        LocalFolder(folder), folder.parent / "work", nothing_held, b"k" * 32, None, stage=stage
    ) as engine:
        begun, used = time.monotonic(), processor()
        built = engine.build([request], TODAY, lambda _: None)["a"]
        if not isinstance(built, dict):
            raise SystemExit(str(built))
        members: SnapshotRef = built[EMAIL, Hashing.SHA256].members
        wall, cpu = time.monotonic() - begun, processor() - used
    print(f"{name:6} {wall:6.1f} s {cpu:7.1f} s CPU, {members.count:,} members")
    return members


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=2_000_000)
    rows = options.parse_args().rows
    sys.path.append(str(INSTALLED))
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = root / "data"
        folder.mkdir()
        write(folder, rows)
        here = measured(folder, RowsHere, "here")
        (root / "spark").mkdir()
        cluster: Cluster = stack.enter_context(open_cluster("local", root / "spark", lambda: None))

        def opened(_: Workplace) -> Cluster:
            return cluster

        stage = ClusterStage(opened, folder, NO_ERASURES)
        measured(folder, stage, "first")
        if measured(folder, stage, "spark") != here:
            raise SystemExit("the results differ")


if __name__ == "__main__":
    main()
