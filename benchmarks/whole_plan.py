"""One audience with 1 % churn through the real command line: its whole `plan`, beside other ways to do that.

A first day is applied to an emulator on a socket; the memory of that apply is measured at each batch. With
`--kills` it is killed that often on the way. Then the sources of the next day are planned. The others do the
same work on the same files: source to bodies and new snapshot (see members.py).

    python benchmarks/whole_plan.py --members 1000000
    python benchmarks/whole_plan.py --members 100000000 --compare 10000000 --kills 2 --memory-limit 2GB --only
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import members
from million import BATCH, on_socket, served
from results import Result, Usage, add_option, keep, used
from support.cli import Project, surroundings

AUDIENCE = """kind: Audience
name: buyers
title: Buyers
destinations: [email]
source:
  files: ["people.csv"]
  where: "last_order < :today - interval 90 day"
columns: {Email: email}
exclude:
  - files: ["gone.csv"]
    columns: {Email: email}
"""
POLL = 0.02
OTHERS = ("python", "polars", "naive")


@dataclass(slots=True)
class Sending:
    """What was seen of an apply: megabytes after each batch, and the most disk and memory."""

    after: list[float] = field(default_factory=list)
    peak: float = 0
    disk: float = 0
    kills: int = 0


def resident(process: int) -> float:
    """Megabytes in memory; 0 once the process has ended."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = [line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")]
    return int(found[0]) / 1024 if found else 0


def size(folder: Path) -> float:
    done = subprocess.run(["du", "-sm", str(folder)], capture_output=True, text=True, check=False)
    return float(done.stdout.split()[0]) if done.stdout else 0


def acknowledged(events: Path) -> int:
    if not events.exists():
        return 0
    return sum('"batch_acknowledged"' in line for line in events.read_text().splitlines())


def sent(project: Project, members: int, kills: int, environ: dict[str, str]) -> Sending:
    """Apply until it is done; kill it `kills` times, each after another part of the batches."""
    seen, batches = Sending(), max(1, members * 85 // 100 // BATCH)
    while True:
        left = kills - seen.kills
        events = project.root / f"events-{seen.kills}.ndjson"
        command = project.command("apply", "sandbox", "--yes", "--quiet", "--events", str(events))
        process = subprocess.Popen(command, cwd=project.root, env=environ, stdout=subprocess.DEVNULL)
        seen.after = []
        while process.poll() is None:
            time.sleep(POLL)
            seen.peak = max(seen.peak, memory := resident(process.pid))
            if (done := acknowledged(events)) > len(seen.after):
                seen.after += [memory] * (done - len(seen.after))
                seen.disk = max(seen.disk, size(project.root / ".reconciler"))
            if left and done >= max(1, batches // (kills + 1)):
                process.kill()
        if process.wait() == 0:
            return seen
        if not left:
            raise SystemExit(f"apply ended with {process.returncode}")
        seen.kills += 1


def planned(members_: int, kills: int, limit: str, folder: Path) -> tuple[Usage, Sending]:
    """The plan of the second day, and the apply of the first."""
    environ = surroundings(RECONCILER_MEMORY_LIMIT=limit)
    project = Project.make(folder / "project")
    data, home = project.root / "data", project.root / "environments" / "sandbox"
    members.generate(folder, members_)
    shutil.move(folder / "gone.csv", data / "gone.csv")
    os.link(folder / "day0.csv", data / "people.csv")
    (home / "buyers.yaml").write_text(AUDIENCE)
    with served(project) as url:
        on_socket(project, url)
        sending = sent(project, members_, kills, environ)
        (data / "people.csv").unlink()
        os.link(folder / "day1.csv", data / "people.csv")
        plan = used(project.command("plan", "sandbox", "--quiet"), project.root, environ)
    shutil.copyfile(data / "gone.csv", folder / "gone.csv")
    return plan, sending


def beside(folder: Path, contender: str, limit: str) -> dict[str, float]:
    """The second day of another way, after its first."""
    options = argparse.Namespace(memory_limit=limit, threads=None)
    members.run(folder, contender, 0, options)
    return members.run(folder, contender, 1, options)


def described(usage: Usage) -> str:
    return f"{usage.wall:.1f} s, {usage.cpu:.1f} s CPU, {usage.peak:,.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--members", type=int, default=10_000_000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--memory-limit", default="1GB")
    parser.add_argument("--compare", type=int, help="plan so many members too, and compare with that")
    parser.add_argument("--only", action="store_true", help="leave out the other ways")
    add_option(parser)
    options = parser.parse_args()
    count = f"{options.members:,} members"
    with tempfile.TemporaryDirectory(prefix="whole-plan-") as name:
        folder = Path(name)
        plan, sending = planned(options.members, options.kills, options.memory_limit, folder)
        print(f"{count}, 1 % churn, {options.memory_limit} for DuckDB\nplan      {described(plan)}")
        print(f"apply     {sending.kills} kills, then {len(sending.after)} batches")
        print(f"          peak {sending.peak:,.0f} MB of memory, {sending.disk:,.0f} MB of disk", flush=True)
        work = f"{count}, 1 % churn: whole plan"
        if not options.only:
            for other, target in zip(OTHERS, (1 / 6, 0.6, 0.6), strict=True):
                found = beside(folder, other, options.memory_limit)
                print(
                    f"{other:10}{found['wall']:.1f} s, {found['cpu']:.1f} s CPU, {found['rss']:,.0f} MB",
                    flush=True,
                )
                text = f"{other} {found['wall']:.1f} s, {found['rss']:,.0f} MB"
                keep(
                    options.results,
                    Result(f"{work}, {other}", described(plan), text, plan.wall / found["wall"], target),
                )
            keep(
                options.results,
                Result(
                    f"{count}: memory of the plan", f"{plan.peak:,.0f} MB", "1,200 MB", plan.peak / 1200, 1
                ),
            )
        if len(sending.after) > 1:
            second, last = sending.after[1], sending.after[-1]
            text = f"{second:,.0f} MB after the second"
            keep(
                options.results,
                Result(f"{count}: memory after the last batch", f"{last:,.0f} MB", text, last / second, 1.1),
            )
            print(f"memory    {second:,.0f} MB after the second batch, {last:,.0f} MB after the last")
    if options.compare:
        with tempfile.TemporaryDirectory(prefix="whole-plan-") as name:
            small, _ = planned(options.compare, 0, options.memory_limit, Path(name))
        print(f"plan of {options.compare:,}: {described(small)}: {plan.wall / small.wall:.1f} times that")
        text = f"{options.compare:,} members {small.wall:.1f} s"
        keep(
            options.results,
            Result(
                f"{work}, {options.kills} kills before", described(plan), text, plan.wall / small.wall, 12
            ),
            Result(
                f"{count}: memory of the apply", f"{sending.peak:,.0f} MB", "2,500 MB", sending.peak / 2500, 1
            ),
        )


if __name__ == "__main__":
    sys.exit(main())
