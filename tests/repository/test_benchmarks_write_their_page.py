"""The page of performance has the results of one run, each with its baseline, ratio and target."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import bench
from results import Result, chart, keep, kept, table

MET = Result("200 audiences", "2 s", "50 audiences 1 s", 1.9, 2)
MISSED = Result("validate <all>", "0.8 s", "YAML 0.4 s", 2, 1)


def test_a_row_states_whether_its_target_is_met():
    head, _, met, missed = table([MET, MISSED]).splitlines()
    assert head.startswith("| work |")
    assert met == "| 200 audiences | 2 s | 50 audiences 1 s | 1.90 | ≤ 2 | met |"
    assert missed.endswith("| 2.00 | ≤ 1 | missed |")


def test_the_chart_is_an_image_with_a_bar_for_each_row():
    drawn = chart([MET, MISSED])
    assert drawn.startswith("<svg ")
    assert drawn.count("<rect ") == 3
    assert "validate &lt;all&gt;" in drawn


def test_results_are_read_as_they_were_kept(tmp_path):
    keep(tmp_path / "results", MET)
    keep(tmp_path / "results", MISSED)
    keep(None, MET)
    assert kept(tmp_path / "results") == [MET, MISSED]


def test_results_replace_those_before_and_nothing_else(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("Before\n<!-- generated: bench -->\nold\n<!-- end of generated -->\nAfter\n")
    monkeypatch.setattr(bench, "PAGE", page)
    bench.written("bench", "make bench", [MET])
    found = page.read_text()
    assert found.startswith("Before\n<!-- generated: bench -->\n\n`make bench` on ")
    assert found.endswith("| met |\n\n<!-- end of generated -->\nAfter\n")
    assert "old" not in found


@pytest.mark.parametrize("block", ["bench", "large"])
def test_the_page_has_a_place_for_each_run(block):
    assert f"<!-- generated: {block} -->" in bench.PAGE.read_text()


def test_the_page_shows_the_chart():
    assert bench.PICTURE.is_file()
    assert bench.PICTURE.name in bench.PAGE.read_text()
