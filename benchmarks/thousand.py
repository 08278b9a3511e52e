"""A thousand audiences over ten files: validate, the first plan, and plans of unchanged and changed sources.

Each command runs in a process of its own beside a baseline of the same run: load the same YAML with
PyYAML's C loader and check it with one jsonschema validator. The apply between takes minutes, because the
emulator limits calls as Criteo does.

    python benchmarks/thousand.py 1000 10000
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from results import Result, add_option, keep

BASE, FIRST = "load and validate the YAML", "plan, first"
UNCHANGED, ONE_CHANGED = "plan, nothing changed", "plan, one of 10 files changed"
ALL_CHANGED = "plan, all 10 files changed"
FILES = 10
OLD = 3
"""Seconds after which a file is old enough for its reading to be recorded."""
ENVIRONMENT = """kind: Environment
name: sandbox
api: {endpoint: emulator, version: "2026-07"}
state: {url: "file:.reconciler/state/sandbox"}
data: {root: data}
seats:
  acme: {accountId: "368477501993431040", retailerId: "3239117063738827231"}
guards: {maxShrink: 20%, minMembers: 1, maxInvalid: 10%}
approval: {tolerance: 2%, maxAge: 72h}
---
kind: Credential
name: criteo
grant: clientCredentials
clientId: env:CRITEO_CLIENT_ID
clientSecret: env:CRITEO_CLIENT_SECRET
---
kind: Destination
name: email
credential: criteo
seat: acme
identifierType: Email
hashing: sha256
"""
AUDIENCE = """kind: Audience
name: audience-{number:04}
title: Audience {number}
description: Customers of group {group}
destinations: [email]
source:
  files: ["people-{file}.csv"]
  where: "score % 100 <> {group}"
columns: {{Email: email}}
"""
BASELINE = """
import json, sys, time, yaml
from pathlib import Path
from jsonschema import Draft202012Validator
from reconciler.manifests.schema import load
validators = {}
for file in sorted(Path(sys.argv[1]).rglob("*.yaml")):
    for document in yaml.load_all(file.read_bytes(), Loader=yaml.CSafeLoader):
        kind = document["kind"]
        if kind not in validators:
            validators[kind] = Draft202012Validator(load(kind))
        assert validators[kind].is_valid(document), file
"""


def write(folder: Path, audiences: int, rows: int) -> None:
    """A project with `audiences` over `FILES` files of `rows` rows each."""
    manifests, data = folder / "environments" / "sandbox", folder / "data"
    (manifests / "audiences").mkdir(parents=True)
    data.mkdir()
    (manifests / "environment.yaml").write_text(ENVIRONMENT)
    for file in range(FILES):
        lines = (f"p{file}x{row}@example.com,{row * 7919 % 1000}\n" for row in range(rows))
        (data / f"people-{file}.csv").write_text("email,score\n" + "".join(lines))
    for number in range(audiences):
        text = AUDIENCE.format(number=number, group=number % 97, file=number % FILES)
        (manifests / "audiences" / f"audience-{number:04}.yaml").write_text(text)


def timed(folder: Path, *command: str) -> tuple[float, float]:
    """Wall seconds and CPU seconds of one process. Raises CalledProcessError if it fails."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environ = {name: value for name, value in os.environ.items() if name != "CI"}
    subprocess.run(command, cwd=folder, capture_output=True, check=True, env=environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


def measured(folder: Path) -> dict[str, tuple[float, float]]:
    """Each row of the table, in the order in which a project meets it."""
    reconciler = str(Path(sys.executable).with_name("reconciler"))
    plan = (reconciler, "plan", "sandbox", "--quiet")
    rows = {
        BASE: timed(folder, sys.executable, "-c", BASELINE, "environments"),
        "validate": timed(folder, reconciler, "validate"),
        FIRST: timed(folder, *plan),
    }
    time.sleep(OLD)
    timed(folder, reconciler, "apply", "sandbox", "--yes", "--quiet")
    rows[UNCHANGED] = timed(folder, *plan)
    _change(folder, range(1))
    rows[ONE_CHANGED] = timed(folder, *plan)
    _change(folder, range(1, FILES))
    rows[ALL_CHANGED] = timed(folder, *plan)
    return rows


def _change(folder: Path, files: Iterable[int]) -> None:
    for number in files:
        with (folder / "data" / f"people-{number}.csv").open("a") as file:
            file.write("another@example.com,1\n")


TARGETS = (
    ("validate", BASE, 1),
    (UNCHANGED, BASE, 2),
    (ONE_CHANGED, FIRST, 0.25),
    (ALL_CHANGED, FIRST, 4),
)
"""Rows that have a target, beside which other row, and how many times that they may take."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audiences", type=int, nargs="?", default=1_000)
    parser.add_argument("rows", type=int, nargs="?", default=10_000)
    add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        write(Path(root), options.audiences, options.rows)
        found = measured(Path(root))
    named = f"{options.audiences:,} audiences over {FILES} files of {options.rows:,} rows"
    print(named)
    for name, (wall, cpu) in found.items():
        print(
            f"{name:34} {wall:7.2f} s {cpu:7.2f} s CPU {cpu / found[BASE][1]:6.1f} x the CPU of the baseline"
        )
    for name, other, target in TARGETS:
        ours, theirs = found[name][1], found[other][1]
        text = f"{other}: {theirs:.2f} s CPU"
        work = f"{options.audiences:,} audiences: {name}"
        keep(options.results, Result(work, f"{ours:.2f} s CPU", text, ours / theirs, target))


if __name__ == "__main__":
    main()
