"""Common options are accepted before and after a command; an option after it wins."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import click
import pytest

from reconciler import cli
from reconciler.commands.support.options import CommonOptions, started_in, with_options
from reconciler.settings import Settings

PASSED_ON = {("lazy_group.py", "__init__"), ("options.py", "parsed")}
"""What takes all that click passes, and hands it on typed."""


@click.group
@with_options(CommonOptions)
def tool(_: CommonOptions) -> None:
    """As the command line is."""


@tool.group
@with_options(CommonOptions)
def part(_: CommonOptions) -> None:
    """As `state` is."""


@dataclass(frozen=True, slots=True)
class Shown:
    """As the options of a command are."""

    number: Annotated[int, click.option("--number", default=7)]
    common: CommonOptions


@click.command
@with_options(Shown)
@click.pass_context
def show(context: click.Context, /, options: Shown) -> tuple[Settings, Path, int]:
    return options.common.settings(), started_in(context), options.number


tool.add_command(show)
part.add_command(show)


@pytest.mark.parametrize("command", ["show", "part show"])
@pytest.mark.parametrize(
    ("before", "after", "directory", "quiet", "verbose", "plain"),
    [
        ("-C a -q -v --no-color", "", "a", True, True, True),
        ("", "-C a -q -v --no-color", "a", True, True, True),
        ("-C a", "-C b", "b", False, False, False),
        ("-qv", "--no-color", "", True, True, True),
        ("", "", "", False, False, False),
    ],
)
def test_it_counts_on_both_sides(
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    before: str,
    after: str,
    directory: str,
    quiet: bool,
    verbose: bool,
    plain: bool,
):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    settings, started, number = tool.main(
        [*before.split(), *command.split(), *after.split()], standalone_mode=False
    )
    assert (started, number) == (Path(directory), 7)
    assert settings.directory == (started if directory else Path.cwd())
    assert (settings.quiet, settings.verbose, settings.colour) == (quiet, verbose, False if plain else None)


def test_between_group_and_command_it_counts_too():
    settings, _, _ = tool.main(["-C", "a", "part", "-q", "-C", "b", "show"], standalone_mode=False)
    assert (settings.directory, settings.quiet) == (Path("b"), True)


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        one = group.get_command(context, name)
        assert one is not None
        yield f"{path} {name}".strip(), one
        if isinstance(one, click.Group):
            yield from commands(one, f"{path} {name}")


def test_every_command_and_group_takes_the_common_options():
    for path, one in commands(cli.group):
        names = {name for option in one.params for name in option.opts}
        assert {"-C", "--no-color", "--quiet", "--verbose"} <= names, path


def test_every_command_has_a_file_of_its_own():
    for path, one in commands(cli.group):
        if path.startswith("state lock "):
            continue
        *groups, name = path.split()
        module = ".".join(("reconciler", "commands", *groups, f"{name}_" if name == "import" else name))
        assert sys.modules[module].command is one


def test_no_function_of_a_command_takes_untyped_options():
    for file in (Path(cli.__file__).parent / "commands").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and node.args.kwarg:
                assert (file.name, node.name) in PASSED_ON, f"{file}:{node.lineno}"


HELP = """
import sys
from reconciler.cli import group
group.main(sys.argv[1:], standalone_mode=False)
print("LOADED", *sys.modules)
"""


@pytest.mark.parametrize("path", ["", "auth", "state", "emulator"])
def test_the_help_of_a_group_loads_none_of_its_commands(path: str):
    done = subprocess.run(
        [sys.executable, "-c", HELP, *path.split(), "--help"], capture_output=True, text=True, check=True
    )
    loaded = {one for one in done.stdout.partition("LOADED")[2].split() if one.startswith("reconciler.")}
    commands = {one for one in loaded if one.startswith("reconciler.commands.") and ".support" not in one}
    assert commands == ({f"reconciler.commands.{path}"} if path else set())
    slow = {"render", "workspace", "manifests", "core.events", "core.plan"}
    assert not loaded & {f"reconciler.{one}" for one in slow}
