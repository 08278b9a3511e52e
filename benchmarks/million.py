"""One million members through a socket with the real command line, then the engine beside others.

    make bench                               one million
    .venv/bin/python benchmarks/million.py --members 100000

Prints wall time, peak memory of the command, and the calls that the emulator counted. Then runs
benchmarks/members.py, which measures the same work in pure Python, polars and naive DuckDB.
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from math import ceil
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.cli import Project, surroundings

BATCH = 50_000


def write_people(path: Path, start: int, end: int) -> None:
    with path.open("w") as file:
        file.write("email,id\n")
        file.writelines(f"person{number}@example.com,c{number}\n" for number in range(start, end))


@contextlib.contextmanager
def served(project: Project) -> Iterator[str]:
    """Serve the emulator of the project in its own process, on a free port."""
    command = project.command("emulator", "serve", "sandbox", "--port", "0")
    process = subprocess.Popen(
        command, cwd=project.root, env=surroundings(PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, text=True
    )
    try:
        for line in process.stdout or ():
            if found := re.search(r"http://\S+", line):
                yield found[0].rstrip("}")
                return
    finally:
        process.terminate()
        process.wait(timeout=30)


def on_socket(project: Project, url: str) -> None:
    """Let the manifests of a project name a served emulator."""
    home = project.root / "environments" / "sandbox"
    for name, old, new in (
        ("environment.yaml", "endpoint: emulator", f'endpoint: "{url}"'),
        ("rest.yaml", "env:ID", "file:.reconciler/emulator/sandbox.client-id"),
        ("rest.yaml", "env:SECRET", "file:.reconciler/emulator/sandbox.client-secret"),
    ):
        home.joinpath(name).write_text(home.joinpath(name).read_text().replace(old, new))


def measured(project: Project, *arguments: str) -> tuple[float, float]:
    """Return the wall seconds and peak MB of one command."""
    before = time.perf_counter()
    process = subprocess.Popen(
        project.command(*arguments), cwd=project.root, env=surroundings(), stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    return time.perf_counter() - before, usage.ru_maxrss / 1024


def report(label: str, project: Project, *arguments: str) -> None:
    before = len(project.history())
    seconds, peak = measured(project, *arguments)
    calls = [call for call in project.history()[before:] if call.operation != "token"]
    moved = [call for call in calls if call.action]
    needed = sum(ceil(sum(c.identifiers for c in moved if c.action == a) / BATCH) for a in ("add", "remove"))
    print(
        f"{label:<32} {seconds:7.2f} s {peak:7.0f} MB   {len(calls):3} calls: "
        f"{len(moved)} of members ({needed} needed), {len(calls) - len(moved)} others"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--members", type=int, default=1_000_000)
    members = parser.parse_args().members
    churn = members // 100
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as folder:
        project = Project.make(Path(folder))
        buyers = project.root / "environments" / "sandbox" / "buyers.yaml"
        buyers.write_text(buyers.read_text().replace("[email, customer]", "[email]"))
        people = project.root / "data" / "people.csv"
        write_people(people, 0, members)
        with served(project) as url:
            on_socket(project, url)
            print(f"{members:,} members, one segment, batches of {BATCH:,}, emulator on a socket\n")
            report("plan, first fill", project, "plan", "sandbox")
            report("apply, first fill", project, "apply", "sandbox", "--yes")
            report("plan, unchanged", project, "plan", "sandbox")
            write_people(people, churn, members + churn)
            report("plan, 1 % leave and 1 % join", project, "plan", "sandbox")
            report("apply, 1 % leave and 1 % join", project, "apply", "sandbox", "--yes")
            report("apply, unchanged", project, "apply", "sandbox", "--yes")
    print("\nThe engine alone, source to bodies and new snapshot, beside other ways to do it:\n", flush=True)
    script = Path(__file__).with_name("members.py")
    subprocess.run([sys.executable, str(script), "--members", str(members)], check=True)


if __name__ == "__main__":
    main()
