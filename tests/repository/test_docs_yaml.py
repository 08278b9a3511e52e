"""`validate` accepts every manifest shown in the documentation."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

from reconciler.manifests.load import check_documents
from reconciler.manifests.schema import KINDS
from reconciler.manifests.syntax.files import parse
from reconciler.manifests.syntax.nodes import findings

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^( *)```ya?ml\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    """Where each block with a `kind:` begins, and its text with the lines where they are."""
    found = []
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = path.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            block = dedent(match[2])
            if re.search(r"^kind:", block, re.MULTILINE):
                line = text[: match.start(2)].count("\n")
                found.append((f"{path.relative_to(ROOT)}:{line + 1}", block))
    return found


@pytest.mark.parametrize(("where", "text"), blocks(), ids=[where for where, _ in blocks()])
def test_every_manifest_in_the_documentation_is_accepted(where: str, text: str) -> None:
    """Schema, traps and personal data; links may lead to another block."""
    flaws, _ = check_documents(parse(text, where.rpartition(":")[0]))
    assert [str(finding) for finding in findings(flaws)] == []


def test_the_reference_shows_every_kind() -> None:
    """docs/reference/manifests.md is complete."""
    shown = " ".join(text for where, text in blocks() if where.startswith("docs/reference/manifests.md"))
    assert all(f"kind: {kind}" in shown for kind in KINDS)
