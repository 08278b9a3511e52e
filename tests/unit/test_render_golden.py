"""Plans in tests/golden/plan, word for word: wide as in a log, and on a terminal of 80 columns."""

import io
from pathlib import Path

import pytest
from golden.plan_cases import CASES
from rich.cells import cell_len

from reconciler.render.document import plan_document
from reconciler.render.figures import EXACT
from reconciler.render.terminal import LOG_WIDTH, console, print_plan

pytestmark = pytest.mark.promise("read-right")

FOLDER = Path(__file__).parents[1] / "golden" / "plan"
FILES = {LOG_WIDTH: "expected.txt", 80: "expected-80.txt"}


@pytest.mark.parametrize("width", FILES)
@pytest.mark.parametrize("case", CASES)
def test_plans_read_word_for_word(case: str, width: int, request: pytest.FixtureRequest) -> None:
    told, out = io.StringIO(), FOLDER / case / FILES[width]
    print_plan(plan_document(*CASES[case], EXACT), console(told, color=None, width=width))
    if request.config.getoption("--update"):
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(told.getvalue(), encoding="utf-8")
    assert told.getvalue() == out.read_text(encoding="utf-8")
    assert max(map(cell_len, told.getvalue().splitlines())) <= width


def test_every_folder_is_a_case() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(CASES)
