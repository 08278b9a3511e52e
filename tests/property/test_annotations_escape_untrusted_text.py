"""GitHub shows findings at their lines, and no text in a finding is a command to its runner."""

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cli import Project

from reconciler.core.errors import Finding
from reconciler.render.annotations import annotations

pytestmark = pytest.mark.promise("read-right")

ROOT = PurePosixPath()
UNTRUSTED = [
    "::", "::error::", "\n::set-output name=a::b", "\r\n", "%", "%0A", ",", ":", "=", "##[error]", "\x1b[31m",
    "\u2028", "\x85",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(UNTRUSTED) | st.text(max_size=8), max_size=8).map("".join)


def said(*findings: Finding, folder: PurePosixPath = ROOT) -> list[str]:
    return list(annotations(findings, folder))


def read(line: str) -> tuple[str, dict[str, str], str]:
    """Command, properties and message as GitHub's runner reads them."""
    command, properties, message = re.fullmatch(r"::(\w+) ([^\r\n]*?)::([^\r\n]*)", line).groups()
    pairs = dict(one.split("=", 1) for one in properties.split(","))
    return command, {key: undone(value) for key, value in pairs.items()}, undone(message)


def undone(text: str) -> str:
    for escape, one in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(escape, one)
    return text


def test_a_finding_is_said_of_its_line():
    finding = Finding("environments/a/b.yaml:5:16", "no `x`: a, b", "write:\n50% of it")
    [line] = said(finding, folder=PurePosixPath("shop"))
    assert line == (
        "::error file=shop/environments/a/b.yaml,line=5,col=16,"
        "title=no `x`%3A a%2C b::write:%0A50%25 of it"
    )  # fmt: skip


def test_what_has_no_line_is_not_said():
    assert said(Finding("email/buyers", "too many"), Finding("", "nothing")) == []


@given(file=TEXT, problem=TEXT, remedy=TEXT)
def test_no_text_is_a_command(file, problem, remedy):
    [line] = said(Finding(f"a{file}:1:2", problem, remedy))
    command, properties, message = read(line)
    assert command == "error"
    assert list(properties) == ["file", "line", "col", "title"]
    assert (properties["line"], properties["col"]) == ("1", "2")
    assert properties["file"] == str(PurePosixPath(f"a{file}"))
    assert "\n" not in properties["title"]
    assert all("\r" not in part for part in message.split("\n"))


def test_they_are_printed_on_github_only(tmp_path):
    project = Project.make(tmp_path / "shop")
    project.people(1)
    (project.root / "environments/sandbox/buyers.yaml").write_text("kind: Audience\nname: no\n")
    away = project.run("validate", code=3).said
    assert "::error" not in away
    there = project.run("validate", code=3, GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(tmp_path)).said
    assert "::error file=shop/environments/sandbox/buyers.yaml,line=2,col=7,title=" in there
    with_c = project.run("validate", "-C", "environments", code=3, GITHUB_ACTIONS="true")
    assert "::error file=environments/sandbox/buyers.yaml,line=2" in with_c.said
    above, environ = Project(tmp_path), {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path)}
    for options in (["-C", "shop"], ["-Cshop/environments"], ["-qC", "shop"], ["-vqCshop"]):
        said = above.run("validate", *options, code=3, **environ).said
        assert "::error file=shop/environments/sandbox/buyers.yaml,line=2" in said
