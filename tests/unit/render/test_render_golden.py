"""Documents in tests/golden/plan, word for word, in every output format."""

import io
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from golden.document_cases import DOCUMENTS, Case
from rich.cells import cell_len

from reconciler.render.document.model import Document
from reconciler.render.html.document import html
from reconciler.render.json.document import dump, encoded
from reconciler.render.markdown.document import markdown
from reconciler.render.numbers import EXACT, ROUNDED
from reconciler.render.terminal.console import LOG_WIDTH, console
from reconciler.render.terminal.document import print_document

pytestmark = pytest.mark.promise("read-right")

STYLE = Path("reconciler/render/html/templates/document.css")
FOLDER = Path(__file__).parents[2] / "golden" / "plan"
DIGEST = "sha256:" + "5e" * 32


def _terminal(width: int, case: Case) -> str:
    """What the commands print: a plan and what came of it, or an error."""
    output = io.StringIO()
    print_document(case(EXACT), console(output, color=None, width=width))
    assert max(map(cell_len, output.getvalue().splitlines())) <= width
    return output.getvalue()


def _saved(layout: Callable[[Document, str], str], case: Case) -> str:
    """What leaves the machine shows no small count."""
    return layout(case(ROUNDED), DIGEST)


def _body(case: Case) -> str:
    """What differs between pages: `test_all_pages_have_one_head` has the rest."""
    return "".join(html(case(ROUNDED), DIGEST).partition("<body>")[1:])


def _json(case: Case) -> str:
    """`tests/unit/render/json/test_saved_documents_round_trip.py` has those that can be approved."""
    return dump(encoded(case(ROUNDED), None, "0.1.0")).decode()


FORMS: dict[str, Callable[[Case], str]] = {
    "expected.txt": partial(_terminal, LOG_WIDTH),
    "expected-80.txt": partial(_terminal, 80),
    "expected.md": partial(_saved, markdown),
    "expected.html": _body,
    "expected.json": _json,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", DOCUMENTS)
def test_documents_read_word_for_word(case: str, form: str, request: pytest.FixtureRequest) -> None:
    output, out = FORMS[form](DOCUMENTS[case]), FOLDER / case / form
    if request.config.getoption("--update"):
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(output, encoding="utf-8")
    assert output == out.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", DOCUMENTS)
def test_all_pages_have_one_head(case: str, request: pytest.FixtureRequest) -> None:
    head = html(DOCUMENTS[case](ROUNDED), DIGEST).partition("<body>")[0]
    style = head.partition("<style>\n")[2].partition("</style>")[0]
    assert style.strip() == STYLE.read_text(encoding="utf-8").strip()
    same, file = re.sub("<title>.*</title>", "<title></title>", head.replace(style, "")), FOLDER / "head.html"
    if request.config.getoption("--update"):
        file.write_text(same, encoding="utf-8")
    assert same == file.read_text(encoding="utf-8")


def test_every_folder_is_a_case_in_every_form() -> None:
    found = {path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*")}
    assert found == {f"{case}/{form}" for case in DOCUMENTS for form in FORMS}
