"""The reference has every command, option, exit code, event and key, and nothing else."""

import re
from pathlib import Path

import click
import pytest

from reconciler import cli
from reconciler.core import errors
from tools import reference

PAGES = sorted(Path("docs/reference").glob("*.md"))
CODES = Path("docs/reference/exit-codes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_what_is_generated(page):
    """`make docs` writes it."""
    text = page.read_text(encoding="utf-8")
    assert reference.written(text) == text


def test_every_region_is_on_a_page():
    found = [name for page in PAGES for _, name, _ in reference.REGION.findall(page.read_text("utf-8"))]
    assert sorted(found) == sorted(reference.REGIONS)


@pytest.mark.parametrize(
    ("name", "command"),
    list(reference.every_command()),
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_command_and_its_options_teach(name, command):
    assert len((command.help or "").split()) >= 6
    for option in (one for one in command.params if isinstance(one, click.Option)):
        assert option.help


def test_the_table_of_help_names_modules_that_exist():
    for name, short in cli.COMMANDS.items():
        folder = Path("reconciler/commands")
        assert (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
        assert short


def test_every_exit_code_is_documented():
    owned = {
        one.exit_code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)
    }
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", CODES, re.MULTILINE)}
    assert owned | {0, 2, cli.USAGE} == documented
    reported = {int(code) for code in re.findall(r"(\d+) [a-zA-Z]", cli.group.epilog or "")}
    assert reported == documented
