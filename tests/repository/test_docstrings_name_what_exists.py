"""A name in backticks in a docstring exists in the code, the manifests or the API."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

FILES = sorted(Path("reconciler").rglob("*.py"))
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}
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


KNOWN = {file.stem for file in FILES} | {name for tree in TREES.values() for name in names(tree)}


def named(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED):
            yield from NAME.findall(ast.get_docstring(node) or "")


def test_every_name_in_a_docstring_exists() -> None:
    stale = {(str(file), name) for file, tree in TREES.items() for name in named(tree) if name not in KNOWN}
    assert stale == set()


def test_a_name_that_does_not_exist_is_found() -> None:
    assert set(named(ast.parse('"""What `quiet_until` was."""'))) == {"quiet_until"}
    assert "quiet_until" not in KNOWN
