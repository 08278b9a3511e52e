"""Many audiences over one source, as a first `plan` builds them, beside DuckDB as one would write it by hand.

Each line is a process of its own, all in one run. By hand: load the source and hash its addresses once,
then select the distinct members of each audience. Both must find the same members, or the run fails.
Compare lines of one run only: machines differ, and CPU seconds are steadier than wall seconds.

    python benchmarks/many_audiences.py
    python benchmarks/many_audiences.py --small
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from members import generate
from results import Result, add_option, keep

TODAY = date(2026, 11, 24)
COUNTRIES = ("DE", "FR", "GB", "US")


def where(number: int) -> str:
    days = 60 + 13 * (number % 50)
    country = COUNTRIES[number % len(COUNTRIES)]
    return f"last_order < :today - interval {days} day and country = '{country}'"


def ours(folder: Path, options: argparse.Namespace) -> list[int]:
    from reconciler.core.errors import ConfigurationError
    from reconciler.core.members import EMPTY_SNAPSHOT, AudienceRequest
    from reconciler.core.model import Audience, Hashing, IdentifierType, Source
    from reconciler.members.data_root import LocalFolder
    from reconciler.members.engine import DuckDbEngine

    kind = IdentifierType.EMAIL, Hashing.SHA256
    chosen = (lambda _: "") if options.everybody else where
    requests = [
        AudienceRequest(
            Audience(f"a{number}", "", "", Source((options.source,), chosen(number)), ((kind[0], "email"),)),
            (kind,),
        )
        for number in range(options.audiences)
    ]
    counts = []
    with DuckDbEngine(
        LocalFolder(folder), folder / "ours", lambda _: "", b"k" * 32, None, options.memory_limit
    ) as engine:
        built = engine.build(requests, TODAY, lambda _: None)
        for request in requests:
            found = built[request.audience.name]
            if isinstance(found, ConfigurationError):
                raise found
            members = found[kind].members
            counts.append(engine.delta(EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, members, EMPTY_SNAPSHOT).adds)
    return counts


def by_hand(folder: Path, options: argparse.Namespace) -> list[int]:
    import duckdb

    database = duckdb.connect(
        config={"memory_limit": options.memory_limit, "temp_directory": str(folder / "spill")}
    )
    database.execute(f"""
        CREATE TABLE people AS SELECT last_order, country, sha256(lower(trim(email))) AS member
        FROM '{folder / options.source}' WHERE email LIKE '%@%'""")
    counts = []
    for number in range(options.audiences):
        chosen = where(number).replace(":today", f"DATE '{TODAY}'")
        database.execute(f"CREATE TABLE a{number} AS SELECT DISTINCT member FROM people WHERE {chosen}")
        row = database.execute(f"SELECT count(*) FROM a{number}").fetchone()
        counts.append(int(row[0]) if row else 0)
    return counts


CONTENDERS: dict[str, Callable[[Path, argparse.Namespace], list[int]]] = {"ours": ours, "by hand": by_hand}


def measure(options: argparse.Namespace) -> None:
    """Runs in the process of one contender."""
    wall, cpu = time.perf_counter(), time.process_time()
    counts = CONTENDERS[options.contender](Path(options.folder), options)
    print(
        json.dumps(
            {
                "wall": time.perf_counter() - wall,
                "cpu": time.process_time() - cpu,
                "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "counts": counts,
            }
        )
    )


def run(
    folder: Path, contender: str, source: str, audiences: int, options: argparse.Namespace
) -> dict[str, float]:
    """The fastest of several runs, by the processor time that it took; prints a line."""
    command = [
        sys.executable,
        __file__,
        "--contender",
        contender,
        "--folder",
        str(folder),
        "--source",
        source,
    ]
    command += ["--audiences", str(audiences), "--memory-limit", options.memory_limit]
    command += ["--everybody"] if options.everybody else []
    runs = []
    for _ in range(options.repeat):
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
        if result.returncode:
            sys.exit(f"{contender} failed:\n{result.stderr[-2000:]}")
        runs.append(json.loads(result.stdout))
    best = min(runs, key=lambda one: one["cpu"])
    print(
        f"{contender:9}{audiences:5} audiences over {source:14}{best['wall']:8.2f} s{best['cpu']:8.2f} s CPU"
        f"{best['rss']:7.0f} MB   {sum(best['counts']):,} members",
        flush=True,
    )
    return best


def ratio(
    work: str, one: dict[str, float], named: str, other: dict[str, float], target: float, file: Path | None
) -> None:
    found = one["cpu"] / other["cpu"]
    wall = one["wall"] / other["wall"]
    print(f"  {work} beside {named}: {wall:.2f} x wall, {found:.2f} x CPU, target {target:g} x\n", flush=True)
    ours, theirs = (
        f"{each['wall']:.1f} s, {each['cpu']:.1f} s CPU, {each['rss']:,.0f} MB" for each in (one, other)
    )
    keep(file, Result(work, ours, f"{named} {theirs}", found, target))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--table-rows", type=int, default=10_000_000)
    parser.add_argument("--small", action="store_true", help="20,000 and 50,000 rows, to keep this alive")
    parser.add_argument("--memory-limit", default="2GB")
    parser.add_argument("--repeat", type=int, default=1, help="the fastest of so many runs is printed")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--source", help=argparse.SUPPRESS)
    parser.add_argument("--audiences", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--everybody", action="store_true", help=argparse.SUPPRESS)
    add_option(parser)
    options = parser.parse_args()
    if options.contender:
        measure(options)
        return
    if options.small:
        options.rows, options.table_rows = 20_000, 50_000
    with tempfile.TemporaryDirectory(prefix="audiences-") as name:
        folder = Path(name)
        print(f"{os.cpu_count()} cores, {options.memory_limit} for DuckDB\n", flush=True)
        generate(folder, options.rows)
        few = run(folder, "ours", "day0.csv", 50, options)
        hand = run(folder, "by hand", "day0.csv", 50, options)
        if few["counts"] != hand["counts"]:
            sys.exit("they don't find the same members")
        over = f"over one CSV file of {options.rows:,} rows"
        ratio(f"50 audiences {over}", few, "DuckDB by hand", hand, 1.5, options.results)
        many = run(folder, "ours", "day0.csv", 200, options)
        ratio(f"200 audiences {over}", many, "50 audiences", few, 2, options.results)
        table(folder, options.table_rows)
        hundred = run(folder, "ours", "table.parquet", 100, options)
        one = run(folder, "ours", "table.parquet", 1, options)
        over = f"over one Parquet file of {options.table_rows:,} rows, {options.memory_limit}"
        ratio(f"100 audiences {over}", hundred, "one with a quarter of it", one, 6, options.results)
        options.everybody = True
        one = run(folder, "ours", "table.parquet", 1, options)
        ratio(f"100 audiences {over}", hundred, "one with all of it", one, 6, options.results)


def table(folder: Path, rows: int) -> None:
    """The same people in one Parquet file."""
    import duckdb

    generate(folder, rows)
    duckdb.execute(f"COPY (FROM '{folder}/day0.csv') TO '{folder}/table.parquet'")


if __name__ == "__main__":
    main()
