"""The approval tests fail without any of the rules."""

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis.errors import HypothesisException
from support.mutations import APPROVALS, Mutant

pytestmark = pytest.mark.promise("rules")

CORE = Path(__file__).parents[1]
FILES = (
    "approval/test_approval_check.py",
    "approval/test_approval_completion.py",
    "plan/test_members_only_changes.py",
)


def loaded(file: Path) -> ModuleType:
    """A test module, by its path: packages of tests have no fixed name."""
    spec = importlib.util.spec_from_file_location(f"mutated_{file.stem}", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TESTS = tuple(loaded(CORE / file) for file in FILES)


@pytest.mark.parametrize("mutant", APPROVALS, ids=lambda mutant: f"{mutant.rule}: {mutant.without}")
def test_a_rule_taken_out_is_noticed(mutant: Mutant) -> None:
    with mutant.alive(), pytest.raises((AssertionError, ValueError, HypothesisException)):
        run_all()


def test_with_all_rules_in_their_place_nothing_fails() -> None:
    run_all()


def run_all() -> None:
    for module in TESTS:
        for test in calls(module):
            test()


def calls(module: ModuleType) -> Iterator[Callable[[], object]]:
    """Each test with each of its parameters."""
    for name, function in vars(module).items():
        if name.startswith("test_"):
            for given in product(*(choices(mark) for mark in getattr(function, "pytestmark", ()))):
                yield partial(function, **{key: value for one in given for key, value in one.items()})


def choices(mark: pytest.Mark) -> list[Mapping[str, Any]]:
    """Of one `parametrize`."""
    names, values = mark.args
    if isinstance(names, str):
        return [{names: value} for value in values]
    return [dict(zip(names, row, strict=True)) for row in values]
