"""Processor time of `--help` and of two plans of the examples, each in a process of its own.

python benchmarks/startup.py
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from results import Result, Usage, add_option, keep, used
from whole_plan import Project, surroundings

ROOT = Path(__file__).parent.parent
RUNS = 5
PLAN = ("plan", "sandbox", "--quiet")


def best(project: Project, *arguments: str) -> Usage:
    """The run of several that took the least processor time."""
    runs = (used(project.command(*arguments), project.root, surroundings()) for _ in range(RUNS))
    return min(runs, key=lambda one: one.cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="startup-") as name:
        for folder in ("environments", "examples"):
            shutil.copytree(ROOT / folder, Path(name) / folder)
        project = Project(Path(name))
        measure(project, "`--help`", ("--help",), 0.12, options.results)
        measure(project, "first `plan` of the examples", PLAN, 0.7, options.results)
        used(project.command("apply", "sandbox", "--yes", "--quiet"), project.root, surroundings())
        measure(project, "`plan` of the examples, nothing changed", PLAN, 0.7, options.results)


def measure(
    project: Project, work: str, arguments: tuple[str, ...], target: float, file: Path | None
) -> None:
    found = best(project, *arguments)
    print(f"{work:40} {found.wall:.2f} s, {found.cpu:.2f} s CPU", flush=True)
    text = f"{target} s CPU, which is the target"
    keep(file, Result(work, f"{found.cpu:.2f} s CPU", text, found.cpu / target, 1))


if __name__ == "__main__":
    main()
