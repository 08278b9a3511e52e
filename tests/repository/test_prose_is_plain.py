"""Documentation, help texts and messages are plain English: short sentences, standard verbs."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from support.prose import paragraphs, prose, sentences
from support.team_repository import GIT

from reconciler import cli
from tools.reference import every_command

ROOT = Path(__file__).parents[2]
COUNTED = {ROOT / "docs" / "explanation" / "reliability.md", ROOT / "docs" / "reference" / "errors.md"}
"""Written by tests from their own names."""
DOCS = [page for page in sorted((ROOT / "docs").rglob("*.md")) if page not in COUNTED]
TEMPLATES = sorted((ROOT / "reconciler" / "scaffold" / "templates").rglob("*.md"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *TEMPLATES,
    *(page for page in DOCS if "adr" not in page.parts),
]
RECORDS = sorted((ROOT / "docs" / "adr").glob("*.md"))
SCHEMAS = sorted((ROOT / "schemas").rglob("*.json"))
GOLDEN = [
    page
    for page in sorted((ROOT / "tests" / "golden").rglob("expected*"))
    if page.suffix in {".txt", ".md", ".ndjson"}
]
BANNED = re.compile(
    r"\b(?:t[o]ld|ane[w]|bea[r]s?|who[e]ver|who[m]ever|men[d](?:s|ed)?|nobody know[s])\b", re.IGNORECASE
)
"""One letter of each word is in brackets, so that the expression does not match itself."""
HISTORY = {"CHANGELOG.md"}
"""May quote what messages said in earlier versions."""
LONGEST = 25
"""Words of a sentence."""

UNHEEDED = {"typography", "lexical_illusions"}
"""Checks of proselint that all Markdown fails: straight quotes, a text that repeats its heading."""
MEANT = "titel,tage,caf,te,ans,ot"
"""Misspellings that are shown on purpose."""


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def helps() -> Iterator[tuple[str, str]]:
    """Every help text, by its command; each option is a paragraph."""
    yield "reconciler", "\n\n".join([cli.group.help or "", *cli.COMMANDS.values()])
    for name, command in every_command():
        options = [one.help or "" for one in command.params if isinstance(one, click.Option)]
        yield name, "\n\n".join([command.help or "", *options])


def descriptions(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("description"), str):
            yield node["description"]
        for child in node.values():
            yield from descriptions(child)
    elif isinstance(node, list):
        for child in node:
            yield from descriptions(child)


def too_long(text: str) -> list[str]:
    found = [one for paragraph in paragraphs(text) for one in sentences(paragraph)]
    return [one for one in found if len(one.split()) > LONGEST]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_sentences_of_a_page_are_short(page: Path) -> None:
    assert too_long(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(("name", "text"), [pytest.param(*one, id=one[0]) for one in helps()])
def test_sentences_of_help_are_short(name: str, text: str) -> None:
    shown = "\n\n".join(part for part in text.split("\n\n") if "\b" not in part)
    assert too_long(shown) == []


@pytest.mark.parametrize("schema", SCHEMAS, ids=named)
def test_sentences_of_a_schema_are_short(schema: Path) -> None:
    texts = list(descriptions(json.loads(schema.read_text(encoding="utf-8"))))
    assert [one for text in texts for one in too_long(text)] == []


def test_no_file_of_the_repository_has_a_banned_word() -> None:
    """Code, tests, tools, workflows, examples and pages; the words of names count, too."""
    command = [GIT, "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split("\0") if name and name not in HISTORY and (ROOT / name).is_file()]
    found = [f"{name}: {word}" for name in names for word in BANNED.findall(name.replace("_", " "))]
    for name in names:
        content = (ROOT / name).read_bytes()
        text = "" if b"\0" in content else content.decode("utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            found += [f"{name}:{number}: {word}" for word in BANNED.findall(line.replace("_", " "))]
    assert found == []


def test_help_has_no_banned_word() -> None:
    assert [(name, word) for name, text in helps() for word in BANNED.findall(text)] == []


def test_kept_linters_find_nothing(tmp_path: Path) -> None:
    """proselint over all prose at once: pages, help and messages."""
    texts = {page: prose(page.read_text(encoding="utf-8")) for page in PAGES}
    texts |= {Path(name.replace(" ", "-")): text for name, text in helps()}
    texts |= {page: page.read_text(encoding="utf-8") for page in GOLDEN if page.suffix == ".txt"}
    (tmp_path / "pages").mkdir()
    for number, (page, text) in enumerate(texts.items()):
        (tmp_path / "pages" / f"{number:03}-{page.name}.md").write_text(text, encoding="utf-8")
    config = tmp_path / "proselint.json"
    config.write_text(json.dumps({"max_errors": 1000, "checks": dict.fromkeys(UNHEEDED, False)}))
    command = [sys.executable, "-m", "proselint", "check", "--config", str(config), "-o", "compact"]
    done = subprocess.run(
        [*command, *map(str, sorted((tmp_path / "pages").iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_nothing_is_misspelt() -> None:
    paths = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "schemas", "tests/golden", "reconciler"]
    done = subprocess.run(
        [sys.executable, "-m", "codespell_lib", "--ignore-words-list", MEANT, *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_long_sentence_is_found_beside_code_and_tables() -> None:
    long = "One " + "word " * 25 + "more."
    page = f"# Title\n\nShort. {long}\n\n- `code` is one word.\n\n```sh\n{long}\n```\n\n| {long} |\n"
    assert too_long(page) == [" ".join(long.split())]
    assert too_long("Values: " + ", ".join(["`x`"] * 40) + ".") == []
    banned = ["Who" + "ever", "to" + "ld", "bea" + "rs"]
    assert BANNED.findall("{} was {} {} it; amend a bearing.".format(*banned)) == banned
