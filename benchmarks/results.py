"""Results of benchmarks: a row for each target, kept in a file, shown as a table and as a chart."""

import argparse
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Result:
    """One row: a work, what it took us, what it is compared with, and the ratio that it should not exceed."""

    work: str
    ours: str
    beside: str
    ratio: float
    target: float

    @property
    def is_met(self) -> bool:
        return self.ratio <= self.target


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds and peak megabytes of one process."""

    wall: float
    cpu: float
    peak: float


def used(command: Sequence[str], folder: Path, environ: Mapping[str, str], code: int = 0) -> Usage:
    """Run a command to its end. Exits with the command if its exit code is another."""
    before = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != code:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    return Usage(time.perf_counter() - before, cpu, usage.ru_maxrss / 1024)


def add_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, metavar="FILE", help="add the rows of the table to FILE")


def keep(file: Path | None, *results: Result) -> None:
    """Add rows to a file, one JSON object per line; without a file, do nothing."""
    if file is not None:
        with file.open("a") as stream:
            stream.writelines(json.dumps(asdict(one)) + "\n" for one in results)


def kept(file: Path) -> list[Result]:
    return [Result(**json.loads(line)) for line in file.read_text().splitlines()]


def table(results: Sequence[Result]) -> str:
    """A table in Markdown."""
    rows = [
        f"| {one.work} | {one.ours} | {one.beside} | {one.ratio:.2f} | ≤ {one.target:.3g} | "
        f"{'met' if one.is_met else 'missed'} |"
        for one in results
    ]
    head = ["| work | reconciler | beside it | ratio | target | |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


WIDTH, LABELS, BAR, STEP, TOP, MOST = 900, 430, 16, 26, 30, 3.0
"""Pixels, and how many times its target a bar shows at most."""
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif"
  font-size="12" fill="#222222">
<title>Ratios of the benchmarks as shares of their targets</title>
<rect width="100%" height="100%" fill="#ffffff"/>
{bars}
<line x1="{line}" y1="22" x2="{line}" y2="100%" stroke="#222222" stroke-dasharray="4 3"/>
<text x="{line}" y="16" text-anchor="middle">target</text>
</svg>
"""
ROW = """<text x="{label}" y="{text}" text-anchor="end">{work}</text>
<rect x="{left}" y="{top}" width="{length:.0f}" height="{bar}" fill="{colour}"/>
<text x="{right:.0f}" y="{text}">{share:.2f}</text>"""
MET, MISSED = "#2b7a78", "#c8553d"


def chart(results: Sequence[Result]) -> str:
    """An SVG with a bar for each row: its ratio as a share of its target, which is the line."""
    scale = (WIDTH - LABELS - 60) / MOST
    bars = []
    for number, one in enumerate(results):
        top, share = TOP + number * STEP, one.ratio / one.target
        length = max(2.0, min(share, MOST) * scale)
        colour = MET if one.is_met else MISSED
        places = {
            "label": LABELS - 10,
            "left": LABELS,
            "right": LABELS + length + 6,
            "top": top,
            "text": top + 12,
        }
        bars.append(
            ROW.format(
                work=escape(one.work.replace("`", "")),
                length=length,
                bar=BAR,
                colour=colour,
                share=share,
                **places,
            )
        )
    height = TOP + len(results) * STEP
    return FRAME.format(width=WIDTH, height=height, line=round(LABELS + scale), bars="\n".join(bars))
