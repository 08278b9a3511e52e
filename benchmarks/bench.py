"""All benchmarks in one run, and their table; with `--write`, the page of performance and its chart.

python benchmarks/bench.py --write
python benchmarks/bench.py --large --write
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from results import Result, chart, kept, table

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
PAGE, PICTURE = DOCS / "explanation" / "performance.md", DOCS / "pictures" / "performance.svg"
FULL = (
    ("startup.py",),
    ("whole_plan.py",),
    ("many_audiences.py",),
    ("thousand.py",),
    ("million.py",),
    ("pacing.py",),
)
SMALL = (
    ("startup.py",),
    ("whole_plan.py", "--members", "200000", "--kills", "1"),
    ("many_audiences.py", "--small"),
    ("thousand.py", "20", "100"),
    ("pacing.py", "--audiences", "20"),
)
HUNDRED_MILLION = "--members 100000000 --compare 10000000 --kills 2 --memory-limit 2GB --only"
LARGE = (("whole_plan.py", *HUNDRED_MILLION.split()),)
LIBRARIES = ("duckdb", "polars", "jsonschema", "pyyaml")


def run(scripts: Sequence[Sequence[str]]) -> list[Result]:
    """Run scripts one after another. Exits with the first that fails."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "results"
        file.touch()
        for script, *arguments in scripts:
            print(f"\n{script} {' '.join(arguments)}".rstrip() + "\n", flush=True)
            takes = [] if script in ("million.py", "pacing.py") else ["--results", str(file)]
            code = subprocess.run(
                [sys.executable, str(HERE / script), *arguments, *takes], check=False
            ).returncode
            if code:
                sys.exit(code)
        return kept(file)


def machine() -> str:
    """The processor, its cores, the memory, and the versions of what was compared."""
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = [f"Python {platform.python_version()}"]
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    processor = model[1].strip() if model else platform.processor()
    return f"{processor}, {os.cpu_count()} cores, {memory:.0f} GB; {', '.join(found)}"


def written(block: str, command: str, results: Sequence[Result]) -> None:
    """Replace one block of the page by these results."""
    lines = (
        f"<!-- generated: {block} -->",
        "",
        f"`{command}` on {datetime.now(UTC):%Y-%m-%d}: {machine()}.",
        "",
        table(results),
        "",
        "<!-- end of generated -->",
    )
    pattern = re.compile(rf"<!-- generated: {block} -->.*?<!-- end of generated -->", re.DOTALL)
    PAGE.write_text(pattern.sub(lambda _: "\n".join(lines), PAGE.read_text(), count=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--small", action="store_true", help="a few minutes, to see that all works")
    size.add_argument("--large", action="store_true", help="100 million members, killed twice on the way")
    parser.add_argument("--write", action="store_true", help=f"renew {PAGE.relative_to(HERE.parent)}")
    options = parser.parse_args()
    results = run(SMALL if options.small else LARGE if options.large else FULL)
    print(f"\n{machine()}\n\n{table(results)}")
    if options.write and options.large:
        written("large", "make bench-large", results)
    elif options.write:
        written("bench", "make bench-small" if options.small else "make bench", results)
        PICTURE.write_text(chart(results))


if __name__ == "__main__":
    main()
