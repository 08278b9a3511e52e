"""Make the pictures of docs/pictures: plans and applies at a terminal, and an HTML page in a browser.

Two show the example data, after twenty members have left a source and fifteen have joined it. The others
show 300 new audiences of one source: the plan, without the middle of its table, and the apply during a wait
for the rate limit and at its end.
"""

import gzip
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
COLUMNS = 112
LEFT, JOINED = 20, 15
FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Fonts that the picture would load from another host."""
AUDIENCES = 300
FIRST, LAST = 16, 14
"""Lines of a long plan that the picture shows."""
FRAME = re.compile(r"\r\x1b\[2K(?:\x1b\[1A\x1b\[2K)*")
"""What rich writes between two frames of a progress display."""
CURSOR = re.compile(r"\x1b\[(?:\?\d+[hl]|\d*[A-K])|\r")
ENVIRONMENT = """\
kind: Environment
name: sandbox
api: {endpoint: emulator, version: "2026-07"}
state: {url: "file:.reconciler/state/sandbox"}
data: {root: data}
seats:
  acme: {accountId: "368477501993431040", retailerId: "3239117063738827231"}
---
kind: Credential
name: criteo
grant: clientCredentials
clientId: env:CRITEO_CLIENT_ID
clientSecret: env:CRITEO_CLIENT_SECRET
---
kind: Destination
name: offsite-email
credential: criteo
seat: acme
identifierType: Email
hashing: sha256
"""
AUDIENCE = """\
kind: Audience
name: points-from-{points:03}
title: Customers with {points} points or more
destinations: [offsite-email]
source: {{files: ["customers.csv"], where: "points >= {points}"}}
columns: {{Email: email}}
"""
BROWSER_FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


def example_project(folder: Path) -> Path:
    """Apply the examples, then change the loyalty source."""
    for name in ("environments", "examples"):
        shutil.copytree(ROOT / name, folder / name)
    _reconciler(folder, "apply", "sandbox", "--yes", "--quiet")
    source = folder / "examples" / "data" / "loyalty" / "members.jsonl.gz"
    rows = [json.loads(line) for line in gzip.decompress(source.read_bytes()).splitlines()]
    excluded = (folder / "examples" / "data" / "suppressed.csv").read_text(encoding="utf-8").lower()
    gold = [row for row in rows if row["tier"] == "gold" and row["email"].lower() not in excluded]
    gone = {row["customer_id"] for row in gold[:LEFT]}
    kept = [row for row in rows if row["customer_id"] not in gone]
    new = [
        {"customer_id": f"9{number:07}", "email": f"new{number}@example.com", "tier": "gold", "points": 9000}
        for number in range(JOINED)
    ]
    source.write_bytes(gzip.compress("\n".join(map(json.dumps, kept + new)).encode() + b"\n"))
    return folder


def many_audiences(folder: Path) -> Path:
    """Write a project with 300 audiences: customers by the points that they have."""
    home = folder / "environments" / "sandbox"
    home.mkdir(parents=True)
    (folder / "data").mkdir()
    rows = [f"person{number}@example.com,{number * 7 % 1_000}" for number in range(4_000)]
    (folder / "data" / "customers.csv").write_text(
        "\n".join(["email,points", *rows]) + "\n", encoding="utf-8"
    )
    (home / "environment.yaml").write_text(ENVIRONMENT, encoding="utf-8")
    audiences = (AUDIENCE.format(points=number * 3) for number in range(AUDIENCES))
    (home / "audiences.yaml").write_text("---\n".join(audiences), encoding="utf-8")
    return folder


def middle_left_out(printed: str) -> str:
    lines = printed.rstrip("\n").split("\n")
    return "\n".join([*lines[:FIRST], "  …", *lines[-LAST:]])


def halfway(printed: str) -> str:
    """Return a frame of the progress from the middle of its waits, as a terminal shows it, and the report."""
    *frames, end = FRAME.split(printed)
    waits = [one for one in frames if "waiting" in one]
    report = end[end.index("Applied") :]
    return CURSOR.sub("", f"{waits[len(waits) // 2].rstrip()}\n\n  …\n\n{report}")


def _reconciler(folder: Path, *arguments: str) -> None:
    subprocess.run(_command(*arguments), cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "reconciler", *arguments]


def at_terminal(folder: Path, *arguments: str, errors: bool = False) -> str:
    """Return the terminal output of a command, with colors; with `errors`, also its standard error."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    environment.pop("CI", None)
    with subprocess.Popen(  # noqa: S603 - ours
        _command(*arguments),
        cwd=folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs if errors else subprocess.DEVNULL,
    ):
        os.close(theirs)
        printed = b""
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # the end of a terminal
                break
            if not part:
                break
            printed += part
    os.close(ours)
    return printed.decode().replace("\r\n", "\n")


def terminal_picture(printed: str, title: str) -> str:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, highlight=False)
        console.print(Text.from_ansi(printed.rstrip("\n")), soft_wrap=True)
        return FONT_FACES.sub("", console.export_svg(title=title, unique_id="terminal"))


def page_picture(page: Path, picture: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=BROWSER_FLAGS)
        tab = opened.new_page(viewport={"width": 1000, "height": 640}, color_scheme="light")
        tab.goto(page.as_uri())
        tab.screenshot(path=picture)
        opened.close()


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        project = example_project(Path(folder))
        printed = at_terminal(project, "--quiet", "plan", "sandbox")
        picture = terminal_picture(printed, "reconciler plan sandbox")
        (PICTURES / "plan.svg").write_text(picture, encoding="utf-8")
        _reconciler(project, "plan", "sandbox", "--html", "plan.html")
        page_picture(project / "plan.html", PICTURES / "plan.png")
    with tempfile.TemporaryDirectory() as folder:
        project = many_audiences(Path(folder))
        planned = middle_left_out(at_terminal(project, "--quiet", "plan", "sandbox"))
        applied = halfway(at_terminal(project, "apply", "sandbox", "--yes", errors=True))
        for name, printed in (("plan", planned), ("apply", applied)):
            command = f"reconciler {name} sandbox"
            picture = terminal_picture(printed, command)
            (PICTURES / f"{name}-300-audiences.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
