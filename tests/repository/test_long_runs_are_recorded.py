"""The page of stress tests has a result of every long run, with its command in `make torture`."""

import importlib.util
import re
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("torture", Path("benchmarks/torture.py"))
torture = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(torture)


@pytest.mark.parametrize("run", torture.RUNS, ids=lambda run: run.name)
def test_the_page_holds_a_result_of_each_run(run):
    said = torture.results(torture.PAGE.read_text())[run.line]
    assert re.search(r"passed(, \d+ deselected)? in|median:", said)


def test_the_page_holds_nothing_but_what_is_run():
    block = torture.BLOCK.search(torture.PAGE.read_text())[0]
    assert [entry.split("\n")[0] for entry in block.strip().split("\n\n")] == [
        run.line for run in torture.RUNS
    ]


def test_a_result_leaves_out_progress_and_headings(tmp_path, monkeypatch):
    script = tmp_path / "noisy.py"
    script.write_text("print('....s [ 50%]\\n=== short test summary ===\\n.3 kills\\n\\n2 passed in 1.00s')")
    code, said = torture.carried_out(torture.Run("noisy", (str(script),)))
    assert (code, said) == (0, "3 kills\n2 passed in 1.00s")


def test_a_result_replaces_the_one_before_and_leaves_the_others(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    first, second = torture.RUNS[:2]
    page.write_text(f"Before\n\n```text\n{first.line}\n1 passed\n\n{second.line}\n2 passed\n```\n\nAfter\n")
    monkeypatch.setattr(torture, "PAGE", page)
    torture.kept({**torture.results(page.read_text()), second.line: "3 passed"})
    assert page.read_text() == (
        f"Before\n\n```text\n{first.line}\n1 passed\n\n{second.line}\n3 passed\n```\n\nAfter\n"
    )
