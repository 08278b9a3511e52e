"""A name in backticks in a docstring exists in the code, the manifests or the API."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

NAME = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


def names(tree: ast.AST) -> Iterator[str]:
    """Every identifier, and every word of a string that is no docstring."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name))
            ):
                yield name
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.alias(name=name):
                yield name.rpartition(".")[2]
            case ast.Constant(value=str(text)) if "\n" not in text and " " not in text:
                yield text


@pytest.fixture(scope="module")
def trees() -> Mapping[Path, ast.AST]:
    files = sorted(Path("reconciler").rglob("*.py"))
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}


@pytest.fixture(scope="module")
def known(trees: Mapping[Path, ast.AST]) -> set[str]:
    return {file.stem for file in trees} | {name for tree in trees.values() for name in names(tree)}


def named(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED):
            yield from NAME.findall(ast.get_docstring(node) or "")


def test_every_name_in_a_docstring_exists(trees: Mapping[Path, ast.AST], known: set[str]) -> None:
    stale = {(str(file), name) for file, tree in trees.items() for name in named(tree) if name not in known}
    assert stale == set()


def test_a_name_that_does_not_exist_is_found(known: set[str]) -> None:
    assert set(named(ast.parse('"""What `quiet_until` was."""'))) == {"quiet_until"}
    assert "quiet_until" not in known
