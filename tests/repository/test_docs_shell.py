"""Every code block of the documentation is valid, and the program accepts every command line in it."""

import json
import shutil
import subprocess

import click
import pytest
import yaml
from support.docs_blocks import Block, blocks, check, command_lines, resolve, spans, unknown_options

BLOCKS = blocks()
LANGUAGES = {"console", "json", "sh", "text", "yaml", "{toctree}"}


def of(*languages: str) -> list[pytest.ParameterSet]:
    return [pytest.param(one, id=one.where) for one in BLOCKS if one.language in languages]


def test_every_block_names_its_language() -> None:
    assert [one.where for one in BLOCKS if one.language not in LANGUAGES] == []


@pytest.mark.parametrize("block", of("sh", "console"))
def test_command_lines_of_a_block_are_accepted(block: Block) -> None:
    for words in command_lines(block):
        check(words)


@pytest.mark.parametrize("block", of("sh"))
def test_a_block_is_valid_shell(block: Block) -> None:
    shell = shutil.which("bash") or "sh"
    done = subprocess.run([shell, "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("block", of("json"))
def test_a_block_is_valid_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", of("yaml"))
def test_a_block_is_valid_yaml(block: Block) -> None:
    assert list(yaml.safe_load_all(block.text))


@pytest.mark.parametrize(
    ("page", "words"), [pytest.param(page, words, id=f"{page}: {' '.join(words)}") for page, words in spans()]
)
def test_commands_and_options_in_a_sentence_exist(page: str, words: list[str]) -> None:
    if words[0].isupper():
        return
    resolve(words)
    assert unknown_options(words) == []


def test_a_wrong_line_is_noticed() -> None:
    for line in (
        "plan sandbox --refresh",
        "apply sandbox --ci",
        "reconcile sandbox",
        "emulator fault sandbox 5x",
    ):
        with pytest.raises(click.UsageError):
            check(line.split())
