"""`init --github-setup` prints valid, documented commands without a secret."""

import json
import re
import shlex
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from reconciler.cli import group
from reconciler.scaffold.github_setup import ENVIRONMENTS, REGION, ROLE, commands

DOCUMENTED = json.loads(Path("tests/support/ci_apis/github_setup.json").read_text())["operations"]
WORKFLOWS = [*Path("reconciler/scaffold/templates/github/dot_github/workflows").glob("*.yml")]
FLAGS = {
    ("api",): {"--method", "--input", "-f"},
    ("variable", "set"): {"--env", "--body"},
    ("secret", "set"): {"--env"},
}
"""Of `gh`, as its manual has them (cli.github.com/manual)."""
SCRIPT = "\n".join(commands("production"))
HEREDOC = re.compile(r"^(?P<command>gh [^\n]*) <<'JSON'\n(?P<body>.*?)\nJSON$", re.MULTILINE | re.DOTALL)


def calls() -> list[tuple[list[str], Any]]:
    """The words of each command, and the body it is given."""
    bodies = {found["command"]: json.loads(found["body"]) for found in HEREDOC.finditer(SCRIPT)}
    lines = HEREDOC.sub(lambda found: found["command"], SCRIPT).splitlines()
    return [(shlex.split(line), bodies.get(line)) for line in lines if line and not line.startswith("#")]


def test_a_shell_reads_it():
    bash = shutil.which("bash") or pytest.skip("no bash here")
    done = subprocess.run([bash, "-n"], input=SCRIPT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(words[0] == "gh" for words, _ in calls())


def test_every_flag_is_of_gh():
    for words, _ in calls():
        known = next(flags for path, flags in FLAGS.items() if tuple(words[1 : 1 + len(path)]) == path)
        assert {one for one in words if one.startswith("-") and one != "-"} <= known, words


def test_every_endpoint_and_body_is_documented():
    seen = set()
    for words, body in calls():
        if words[1] != "api":
            continue
        method, path = words[words.index("--method") + 1], f"/{words[words.index('--method') + 2]}"
        path = re.sub(r"/environments/[a-z-]+", "/environments/{environment_name}", path)
        described = DOCUMENTED[f"{method} {path}"]
        seen.add(f"{method} {path}")
        fields = [after for flag, after in pairwise(words) if flag == "-f"]
        sent = body or dict(one.split("=", 1) for one in fields)
        assert [*Draft202012Validator(described["body"]).iter_errors(sent)] == []
    assert seen == DOCUMENTED.keys()


def test_what_the_workflows_read_is_set():
    read = " ".join(file.read_text() for file in WORKFLOWS)
    secrets = set(re.findall(r"secrets\.(\w+)", read))
    variables = set(re.findall(r"vars\.(\w+)", read))
    assert secrets == {words[3] for words, _ in calls() if words[1] == "secret"}
    assert (
        variables
        == {words[3] for words, _ in calls() if words[1] == "variable"}
        == {ENVIRONMENTS, REGION, ROLE}
    )


def test_no_secret_is_an_argument():
    assert all("--body" not in words for words, _ in calls() if words[1] == "secret")


def test_it_is_printed_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(group, ["init", "--github-setup"])
    assert (ended.exit_code, ended.output) == (0, f"{SCRIPT}\n")
    assert list(tmp_path.iterdir()) == []
