"""What stands before a command counts for it, and what stands after it counts more."""

from pathlib import Path
from typing import Any

import click
import pytest

from reconciler.commands.support.options import OUTPUT, settings_of, started_in, with_options
from reconciler.settings import Settings


@click.group
@with_options(OUTPUT)
def tool(**_: Any) -> None:
    """As the command line is."""


@tool.group
@with_options(OUTPUT)
def part(**_: Any) -> None:
    """As `state` is."""


@click.command
@with_options(OUTPUT)
@click.pass_context
def show(context: click.Context, /, **flags: Any) -> tuple[Settings, Path]:
    return settings_of(flags), started_in(context)


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
    settings, started = tool.main([*before.split(), *command.split(), *after.split()], standalone_mode=False)
    assert started == Path(directory)
    assert settings.directory == (started if directory else Path.cwd())
    assert (settings.quiet, settings.verbose, settings.colour) == (quiet, verbose, False if plain else None)


def test_between_group_and_command_it_counts_too():
    settings, _ = tool.main(["-C", "a", "part", "-q", "-C", "b", "show"], standalone_mode=False)
    assert (settings.directory, settings.quiet) == (Path("b"), True)
