"""The troubleshooting page quotes real messages of the program."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "troubleshoot.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (exit \d+, [^|]+) \|", PAGE, re.MULTILINE)
QUOTES = [quote for row in ROWS for quote in re.findall(r'"([^"]+)"', row)]
PARTS = sorted({part.strip() for quote in QUOTES for part in quote.split("…")} - {""})


@cache
def texts() -> str:
    return "\0".join(_texts())


def _texts() -> Iterator[str]:
    for path in sorted((ROOT / "reconciler").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.parametrize("quoted", PARTS)
def test_a_quoted_message_is_one_of_the_program(quoted: str) -> None:
    assert quoted in texts()


def test_every_row_quotes_a_message() -> None:
    assert len(ROWS) >= 8
