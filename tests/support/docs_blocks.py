"""Code blocks and command lines of the documentation."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import click

from reconciler import cli

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "reconciler" / "scaffold" / "templates").rglob("*.md")),
]
BLOCK = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`((?:reconciler )?[a-z][^`\n]*)`")
LINE = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?reconciler (.+)$")
ENDS = frozenset({"|", "||", "<", ">", "&&"})
PLACEHOLDER = re.compile(r"[A-Z]{2,}|…")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its line, language and text."""

    where: str
    language: str
    text: str


def blocks() -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text[: match.start()].count("\n") + 1
            found.append(Block(f"{page.relative_to(ROOT)}:{line}", match[2].strip(), dedent(match[3])))
    return found


def command_lines(block: Block) -> Iterator[list[str]]:
    """Return the arguments of each `reconciler` line, without comments, pipes and redirections."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if found := LINE.match(line.strip()):
            words = shlex.split(found[1], comments=True)
            yield words[: next((at for at, word in enumerate(words) if word in ENDS), len(words))]


def spans() -> Iterator[tuple[str, list[str]]]:
    """Inline code that names a command and an option, or begins with `reconciler`, by its page."""
    for page in PAGES:
        text = BLOCK.sub("", page.read_text(encoding="utf-8"))
        for found in SPAN.finditer(text):
            words = found[1].removeprefix("reconciler ").split()
            if found[1].startswith("reconciler ") or (words[0] in cli.COMMANDS and " -" in found[1]):
                yield str(page.relative_to(ROOT)), words


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the named command, and the words after it, without options before it."""
    command: click.Command = cli.group
    rest = list(words)
    while isinstance(command, click.Group):
        while rest and rest[0].startswith("-"):
            rest = rest[2 if rest[0] == "-C" else 1 :]
        if not rest:
            return command, []
        found = command.get_command(click.Context(command), rest[0])
        if found is None:
            raise click.UsageError(f"there is no command {rest[0]}")
        command, rest = found, rest[1:]
    return command, rest


def unknown_options(words: list[str]) -> list[str]:
    command, rest = resolve(words)
    known = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)} | {"--help", "-h"}
    return [word for word in rest if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in known]


def check(words: list[str]) -> None:
    """Raise UsageError if click refuses the line; placeholders are not converted."""
    command, rest = resolve(words)
    if "--help" in rest or isinstance(command, click.Group):
        return
    if any(PLACEHOLDER.search(word) for word in rest):
        context = click.Context(command)
        command.make_parser(context).parse_args(args=rest)
    else:
        command.make_context("reconciler", rest, obj=None)
