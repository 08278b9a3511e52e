"""The long runs of `make torture`: runs each, and keeps what it printed in docs/explanation/stress-tests.md.

python benchmarks/torture.py                 # all of them, about an hour
python benchmarks/torture.py contention      # one of them; the results of the others stay
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "stress-tests.md"
BLOCK = re.compile(r"(?<=^```text\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)
NOISE = re.compile(r"[.sx]* *\[ *\d+%\]|=+ .* =+|[-=]*|bringing up nodes.*|[.sx]+")
"""Lines of pytest that are no result: progress, headings, rules."""


@dataclass(frozen=True, slots=True)
class Run:
    """One long run: `command` as Python's arguments, with `sizes` as environment variables."""

    name: str
    command: Sequence[str]
    sizes: Mapping[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """Return the command as typed in a shell."""
        typed = self.command[1:] if self.command[0] == "-m" else ("python", *self.command)
        return " ".join((*(f"{key}={value}" for key, value in self.sizes.items()), *typed))


def pytest(*arguments: str) -> Sequence[str]:
    return ("-m", "pytest", "-q", *arguments)


RUNS = (
    Run(
        "histories",
        pytest("tests/property/core/test_converges_after_crashes.py"),
        {"TORTURE": "1", "HISTORIES": "30000"},
    ),
    Run(
        "events",
        pytest("-n", "2", "tests/property/core/test_every_event_converges.py"),
        {"TORTURE": "1", "EVENTS": "30000"},
    ),
    Run(
        "list-histories",
        pytest("tests/property/test_lists_never_readmit_members.py", "-k", "TestListHistories"),
        {"TORTURE": "1", "LIST_HISTORIES": "5000"},
    ),
    Run(
        "real-histories",
        pytest("tests/property/test_converges_with_real_edges.py"),
        {"TORTURE": "1", "REAL_HISTORIES": "500"},
    ),
    Run(
        "kills",
        pytest("-s", "tests/e2e/test_killed_processes_lose_nothing.py"),
        {"KILLS": "200", "MEMBERS": "200000"},
    ),
    Run(
        "promotion",
        pytest("tests/property/test_promotion_loses_no_edit.py"),
        {"PROMOTION_EDITS": "5000"},
    ),
    Run("leases", pytest("tests/property/test_the_lease_holds.py"), {"LEASES": "5000"}),
    Run("bucket", pytest("tests/property/test_converges_over_a_bucket.py"), {"BUCKET_HISTORIES": "5000"}),
    Run("contention", pytest("-s", "tests/e2e/test_two_runs_compete_for_the_lock.py"), {"CONTEND": "600"}),
    Run("outage", pytest("-s", "tests/e2e/test_a_store_that_fails_loses_nothing.py"), {"OUTAGE": "60"}),
    Run(
        "queries",
        pytest("-s", "tests/unit/members/test_memory_does_not_grow_with_a_query.py"),
        {"QUERY_ROWS": "20000000"},
    ),
    Run(
        "spark",
        pytest("-s", "tests/e2e/test_a_real_spark_cluster_is_an_engine.py"),
        {"SPARK_ROWS": "5000000"},
    ),
    Run("store", ("benchmarks/store.py", "--rounds", "2")),
)


def results(page: str) -> dict[str, str]:
    """Return the recorded result of each run, by its command; "" if it never ran."""
    found = BLOCK.search(page)
    entries = found[0].strip().split("\n\n") if found else []
    said = dict(entry.split("\n", 1) for entry in entries if "\n" in entry)
    return {run.line: said.get(run.line, "") for run in RUNS}


def carried_out(run: Run) -> tuple[int, str]:
    """Return the exit code, and the lines of the result."""
    print(run.line, flush=True)
    with subprocess.Popen(
        [sys.executable, *run.command],
        env={**os.environ, **run.sizes},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        lines = []
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    return process.returncode, "\n".join(one.lstrip(".") for one in lines if not NOISE.fullmatch(one))


def kept(said: Mapping[str, str]) -> None:
    text = "\n\n".join(f"{line}\n{result}" for line, result in said.items() if result)
    PAGE.write_text(BLOCK.sub(lambda _: f"{text}\n", PAGE.read_text(), count=1))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", metavar="RUN", help=", ".join(run.name for run in RUNS))
    wanted = parser.parse_args().runs or [run.name for run in RUNS]
    if unknown := set(wanted) - {run.name for run in RUNS}:
        parser.error(f"there is no run called {', '.join(sorted(unknown))}")
    failed = []
    for run in (run for run in RUNS if run.name in wanted):
        code, said = carried_out(run)
        if code:
            failed.append(run.name)
        else:
            kept({**results(PAGE.read_text()), run.line: said})
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
