"""Every command, option and exit code is documented, and nothing is documented that isn't there."""

import re
from pathlib import Path

import click
import pytest

from reconciler import cli
from reconciler.core import errors

COMMANDS = Path("docs/reference/cli.md").read_text(encoding="utf-8")


def every_command():
    for name in cli.COMMANDS:
        command = cli.group.get_command(click.Context(cli.group), name)
        yield from named(name, command)


def named(name, command):
    if isinstance(command, click.Group):
        for sub, one in command.commands.items():
            yield from named(f"{name} {sub}", one)
    else:
        yield name, command


@pytest.mark.parametrize(
    ("name", "command"), list(every_command()), ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_command_is_documented_with_its_options_and_teaches(name, command):
    assert f"`reconciler {name} " in COMMANDS
    assert len((command.help or "").split()) >= 6
    local = {"--host", "--port", "--operation", "--times", "--after", "--for"}
    for option in (one for one in command.params if isinstance(one, click.Option)):
        assert option.help
        assert set(option.opts) & local or any(f"`{flag}" in COMMANDS for flag in option.opts)


def test_the_table_of_help_is_the_commands_own_words():
    for name, short in cli.COMMANDS.items():
        folder = Path("reconciler/commands")
        assert (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
        assert short


def test_every_exit_code_is_documented():
    owned = {
        one.exit_code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)
    }
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", COMMANDS, re.MULTILINE)}
    assert owned | {0, 2, cli.USAGE} == documented
    told = {int(code) for code in re.findall(r"(\d+) [a-zA-Z]", cli.group.epilog or "")}
    assert told == documented
