"""Make the pictures of docs/pictures: a plan at a terminal, and its HTML page in a browser.

Both show the example data, after twenty members have left a source and fifteen have joined it.
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


def _reconciler(folder: Path, *arguments: str) -> None:
    subprocess.run(_command(*arguments), cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "reconciler", *arguments]


def at_terminal(folder: Path, *arguments: str) -> str:
    """Return the terminal output of a command, with colors."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    environment.pop("CI", None)
    with subprocess.Popen(  # noqa: S603 - ours
        _command(*arguments),
        cwd=folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
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


if __name__ == "__main__":
    main()
