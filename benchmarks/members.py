"""Members of one audience, a day later: source file to request bodies and a new snapshot.

Prints our engine beside pure Python, polars and DuckDB as one would write it first, all in one run
and each in its own process. One per cent of the members joined and one per cent left since the
snapshot; addresses are dirty as in real exports; there is a `where` and an exclusion list. All four
must send the same people, or the run fails. Compare rows of one run only: machines differ.

    python benchmarks/members.py --members 1000000
"""

import argparse
import csv
import hashlib
import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

TODAY = date(2026, 11, 24)
LAPSED = TODAY - timedelta(days=90)
BATCH = 50_000


class Bodies:
    """Return what would be sent: its count, and a checksum that doesn't depend on order."""

    def __init__(self) -> None:
        self.adds = self.removes = self.bytes = self.check = 0

    def send(self, operation: str, members: list[str]) -> None:
        import orjson

        self.bytes += len(orjson.dumps({"operation": operation, "identifiers": members}))
        if operation == "add":
            self.adds += len(members)
        else:
            self.removes += len(members)
        for member in members:
            self.check ^= int(member[:8], 16)


def generate(folder: Path, members: int) -> None:
    """Write the exports of two days, and an exclusion list."""
    import duckdb

    moved = members // 100
    for day in (0, 1):
        duckdb.execute(f"""
            COPY (
                SELECT CASE
                    WHEN i % 100 = 1 THEN NULL
                    WHEN i % 100 = 2 THEN 'nobody' || i
                    WHEN i % 20 = 5 THEN '  User' || i * 7919 % 1000003 || '.' || i || '@Example.COM '
                    ELSE 'user' || i * 7919 % 1000003 || '.' || i || '@example.com' END AS email,
                    i AS customer_id,
                    DATE '2026-08-20' - (i % 700)::INTEGER + 60 * (i % 50 = 7)::INTEGER AS last_order,
                    ['DE', 'FR', 'GB', 'US'][1 + i % 4] AS country
                FROM (SELECT i + {day * moved} AS i FROM range({members}) AS r(i)
                      UNION ALL SELECT i + {day * moved} FROM range(0, {members}, 33) AS d(i)) AS people
            ) TO '{folder}/day{day}.csv' (HEADER)""")
    with (folder / "gone.csv").open("w") as file:
        file.write("email\n")
        file.writelines(
            f"user{i * 7919 % 1000003}.{i}@example.com\n" for i in range(0, members, max(1, members // 1000))
        )


def ours(folder: Path, day: int, bodies: Bodies, options: argparse.Namespace) -> None:
    from reconciler.core.errors import ConfigurationError
    from reconciler.core.members import EMPTY_SNAPSHOT, AudienceRequest, SnapshotRef
    from reconciler.core.model import Audience, Exclusion, Hashing, IdentifierType, SegmentKey, Source
    from reconciler.core.state.resource import SegmentState, Transfer
    from reconciler.members.data_root import LocalFolder
    from reconciler.members.engine import DuckDbEngine

    email = IdentifierType.EMAIL
    source = Source((f"day{day}.csv",), "last_order < :today - interval 90 day")
    gone = Exclusion(("gone.csv",), ((email, "email"),))
    audience = Audience("a", "A", "", source, ((email, "email"),), (gone,))
    kept = folder / "ours0.parquet"
    with DuckDbEngine(
        LocalFolder(folder),
        folder / "ours",
        lambda _: str(kept),
        b"k" * 32,
        None,
        options.memory_limit,
        options.threads,
    ) as engine:
        kind = email, Hashing.SHA256
        built = engine.build([AudienceRequest(audience, (kind,))], TODAY, lambda _: None)[audience.name]
        if isinstance(built, ConfigurationError):
            raise built
        target = built[kind]
        base = SnapshotRef(**json.loads((folder / "ours0.json").read_text())) if day else EMPTY_SNAPSHOT
        size = engine.delta(base, EMPTY_SNAPSHOT, target.members, EMPTY_SNAPSHOT)
        key = SegmentKey("1", "2", email, Hashing.SHA256)
        moving = SegmentState(key, confirmed=base, transfer=Transfer(target.members, EMPTY_SNAPSHOT, size))
        if day:
            for batch in engine.batches(moving, BATCH):
                bodies.send(batch.operation, batch.identifiers.reveal())
        else:
            shutil.copyfile(engine.file(target.members), kept)
    named = {"digest": target.members.digest, "count": target.members.count}
    (folder / f"ours{day}.json").write_text(json.dumps(named))


def python(folder: Path, day: int, bodies: Bodies, _: argparse.Namespace) -> None:
    with (folder / "gone.csv").open() as file:
        gone = {row["email"] for row in csv.DictReader(file)}
    before, drops, members = (
        LAPSED.isoformat(),
        dict.fromkeys(("where", "empty", "malformed", "excluded"), 0),
        set(),
    )
    with (folder / f"day{day}.csv").open(newline="") as file:
        for email, _id, last_order, _country in csv.reader(file):
            if not last_order < before:
                drops["where"] += 1
                continue
            address = email.strip().lower()
            if not address:
                drops["empty"] += 1
            elif "@" not in address:
                drops["malformed"] += 1
            elif address in gone:
                drops["excluded"] += 1
            else:
                members.add(hashlib.sha256(address.encode()).digest())
    if day:
        held = (folder / "python0.bin").read_bytes()
        base = {held[at : at + 32] for at in range(0, len(held), 32)}
        send_all(bodies, "add", (member.hex() for member in sorted(members - base)))
        send_all(bodies, "remove", (member.hex() for member in sorted(base - members)))
    with (folder / f"python{day}.bin").open("wb") as file:
        file.writelines(members)


def polars(folder: Path, day: int, bodies: Bodies, _: argparse.Namespace) -> None:
    import polars as pl

    digest = pl.col("email").map_elements(lambda text: hashlib.sha256(text.encode()).hexdigest(), pl.String)
    if importlib.util.find_spec("polars_hash"):
        import polars_hash

        digest = polars_hash.col("email").chash.sha2_256()
    gone = pl.read_csv(folder / "gone.csv")
    rows = (
        pl.scan_csv(folder / f"day{day}.csv", try_parse_dates=True)
        .filter(pl.col("last_order") < LAPSED)
        .select(pl.col("email").str.strip_chars().str.to_lowercase())
        .collect()
    )
    rows.select(
        pl.col("email").is_null().sum(), (~pl.col("email").str.contains("@")).sum().alias("malformed")
    )
    kept = rows.filter(pl.col("email").str.contains("@")).join(gone, on="email", how="anti").unique()
    members = kept.select(digest.alias("member"))
    if day:
        base = pl.read_parquet(folder / "polars0.parquet")
        for operation, left, right in (("add", members, base), ("remove", base, members)):
            send_all(
                bodies, operation, iter(left.join(right, on="member", how="anti").sort("member")["member"])
            )
    members.write_parquet(folder / f"polars{day}.parquet")


def naive(folder: Path, day: int, bodies: Bodies, options: argparse.Namespace) -> None:
    import duckdb

    database = duckdb.connect(
        config={"memory_limit": options.memory_limit, "temp_directory": str(folder / "spill")}
    )
    if options.threads:
        database.execute(f"SET threads = {options.threads}")
    database.execute(f"""
        CREATE TABLE people AS SELECT lower(trim(email)) AS email FROM read_csv('{folder}/day{day}.csv') AS s
        WHERE last_order < DATE '{LAPSED}'""")
    database.execute(
        "SELECT count(*) FILTER (email IS NULL), count(*) FILTER (email NOT LIKE '%@%') FROM people"
    ).fetchall()
    database.execute(f"""
        CREATE TABLE members AS SELECT DISTINCT sha256(email) AS member FROM people
        WHERE email LIKE '%@%' AND email NOT IN (SELECT email FROM read_csv('{folder}/gone.csv') AS g)""")
    base = f"(SELECT member FROM '{folder}/naive0.parquet')"
    if day:
        for operation, query in (
            ("add", f"SELECT member FROM members ANTI JOIN {base} AS b USING (member) ORDER BY member"),
            ("remove", f"SELECT member FROM {base} AS b ANTI JOIN members USING (member) ORDER BY member"),
        ):
            database.execute(query)
            while rows := database.fetchmany(BATCH):
                bodies.send(operation, [row[0] for row in rows])
    database.execute(f"COPY members TO '{folder}/naive{day}.parquet'")


def send_all(bodies: Bodies, operation: str, members: Iterable[str]) -> None:
    for batch in batched(iter(members)):
        bodies.send(operation, batch)


def batched(members: Iterator[str]) -> Iterator[list[str]]:
    while batch := [member for _, member in zip(range(BATCH), members, strict=False)]:
        yield batch


CONTENDERS: dict[str, Callable[[Path, int, Bodies, argparse.Namespace], None]] = {
    "ours": ours,
    "python": python,
    "polars": polars,
    "naive": naive,
}


def measure(options: argparse.Namespace) -> None:
    """Run one contender in its own process."""
    bodies = Bodies()
    wall, cpu = time.perf_counter(), time.process_time()
    CONTENDERS[options.contender](Path(options.folder), options.day, bodies, options)
    print(
        json.dumps(
            {
                "wall": time.perf_counter() - wall,
                "cpu": time.process_time() - cpu,
                "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                **vars(bodies),
            }
        )
    )


def run(folder: Path, contender: str, day: int, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--contender", contender, "--folder", str(folder), "--day", str(day)]
    command += [
        "--memory-limit",
        options.memory_limit,
        *(["--threads", str(options.threads)] if options.threads else []),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    if result.returncode:
        sys.exit(f"{contender} failed:\n{result.stderr[-2000:]}")
    return json.loads(result.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--members", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="*", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--memory-limit", default="1GB")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--repeat", type=int, default=1, help="the fastest of so many runs is printed")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--day", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        measure(options)
        return
    if "polars" in options.only and not importlib.util.find_spec("polars"):
        print("polars is not installed, so it is left out: pip install 'criteo-reconciler[bench]'\n")
        options.only.remove("polars")
    if "polars" in options.only and not importlib.util.find_spec("polars_hash"):
        print("polars has no SHA-256 without polars-hash, so it calls hashlib: pip install polars-hash\n")
    with tempfile.TemporaryDirectory(prefix="members-") as name:
        folder = Path(name)
        generate(folder, options.members)
        print(
            f"{options.members:,} members, 1 % join and 1 % leave, "
            f"{os.cpu_count()} cores, {options.memory_limit} for DuckDB"
        )
        print(f"{'':10}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'adds':>10}{'removes':>10}")
        sent = set()
        for contender in options.only:
            run(folder, contender, 0, options)
            runs = [run(folder, contender, 1, options) for _ in range(options.repeat)]
            best = min(runs, key=lambda one: one["wall"])
            sent.add((best["adds"], best["removes"], best["check"]))
            print(
                f"{contender:10}{best['wall']:9.2f}{best['cpu']:9.2f}{best['rss']:9.0f}"
                f"{best['adds']:10,}{best['removes']:10,}",
                flush=True,
            )
        if len(sent) > 1:
            sys.exit("they don't send the same people")


if __name__ == "__main__":
    main()
