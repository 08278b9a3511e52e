"""Writes docs/explanation/reliability.md: guarantee, tests, places, results."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.guarantees import PROMISES

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "reliability.md"
KINDS = {
    "unit": "unit tests",
    "property": "generated histories and values",
    "contract": "contract suites",
    "golden": "expected texts",
    "e2e": "the real command line",
    "sdk": "Criteo's own SDK",
    "browser": "a real browser",
}
HEAD = """\
# Reliability

Each guarantee with its kinds of tests, their files, and the result of the last run of all tests.
`make reliability` generates this page from the tests, and `make test` fails if it differs from the run.

| guarantee | kinds of tests | files | last result |
|---|---|---|---|
"""
RULES = """
## Rules of state

The crash property fails if a test removes any of these rules (`tests/support/mutations.py`,
`tests/property/test_every_rule_is_needed.py`).

| rule | removed parts |
|---|---|
"""
APPROVED = """
## Rules of approvals

The tests of approvals fail if a test removes any of these rules
(`tests/unit/core/approval/test_every_rule_of_an_approval_is_needed.py`).

| rule | removed parts |
|---|---|
"""


class Matrix:
    """Collects, by promise and file, how many cases there were and how many did not pass."""

    def __init__(self) -> None:
        self.cases: dict[str, Counter[str]] = defaultdict(Counter)
        self.failed: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        promise = dict(report.user_properties).get("promise")
        if promise is None or (report.when != "call" and report.passed):
            return
        self.cases[promise][report.nodeid.split("::")[0]] += report.when == "call" or report.skipped
        self.failed[promise] += report.failed

    def page(self) -> str:
        from support.mutations import APPROVALS, MUTANTS

        rows = "".join(self._row(name, text) for name, text in PROMISES.items())
        return HEAD + rows + RULES + _taken_out(MUTANTS) + APPROVED + _taken_out(APPROVALS)

    def _row(self, name: str, text: str) -> str:
        files = self.cases[name]
        kinds = ", ".join(KINDS[kind] for kind in KINDS if any(f"/{kind}/" in file for file in files))
        where = ", ".join(f"`{file.removeprefix('tests/')}`" for file in sorted(files))
        count, failed = files.total(), self.failed[name]
        assert count, f"no test proves the promise {name}"
        result = f"{failed} of {count} failed" if failed else f"{count} passed"
        return f"| {text} | {kinds} | {where} | {result} |\n"


def _taken_out(mutants: Iterable[Any]) -> str:
    rules: dict[str, list[str]] = defaultdict(list)
    for mutant in mutants:
        rules[mutant.rule].append(mutant.without)
    return "".join(f"| {rule} | {'; '.join(outs)} |\n" for rule, outs in rules.items())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--reliability",
        choices=("check", "write"),
        help="compare docs/explanation/reliability.md with what this run of all tests saw, or write it",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--reliability") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Matrix(), "matrix")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("promise"):
            assert mark.args[0] in PROMISES, f"{item.nodeid}: no such promise: {mark.args[0]}"
            item.user_properties.append(("promise", mark.args[0]))


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    yield
    matrix = session.config.pluginmanager.getplugin("matrix")
    if not isinstance(matrix, Matrix):
        return
    if session.config.getoption("--reliability") == "write":
        PAGE.write_text(matrix.page())
    elif PAGE.read_text() != matrix.page():
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        reporter.write_line(f"{PAGE.name} does not say what this run saw: `make reliability`", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
