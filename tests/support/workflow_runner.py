"""Runs our workflows: every `run:` step as written, in its own checkout."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from support.cli import REPOSITORY as TREE
from support.cli import surroundings
from support.fakes import sts
from support.fakes.github import REPOSITORY, TOKEN, Forge
from support.github_expressions import evaluated, resolved, shown
from support.team_repository import GIT, TeamRepository, program

SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
INSTALLS = "./.github/actions/reconciler"
ASSUMES = "aws-actions/configure-aws-credentials"
"""Changes the job's identity for keys of a role, and leaves them in the job's environment."""


@dataclass(frozen=True)
class Step:
    """How a step ended, and what it printed."""

    outcome: str
    code: int = 0
    said: str = ""


@dataclass(frozen=True)
class Ended:
    """How a job ended: each step by its name, and what its summary says."""

    steps: Mapping[str, Step]
    summary: str
    checkout: Path

    @property
    def result(self) -> str:
        return "failure" if any(step.outcome == "failure" for step in self.steps.values()) else "success"


@dataclass
class Runner:
    """Where jobs run. Nothing is shared between two of them but the repository and what GitHub keeps."""

    root: Path
    team: TeamRepository
    settings: Mapping[str, dict[str, str]]
    """`secrets` and `vars` of the repository."""
    runs: int = 100
    attempt: int = 1
    jobs: int = 0

    def __post_init__(self) -> None:
        self.forge_folder.mkdir()
        program(self.team.programs / "gh", f"{TREE}/tests/support/fakes/github.py")

    @property
    def forge_folder(self) -> Path:
        return self.root / "forge"

    @property
    def forge(self) -> Forge:
        return Forge(self.forge_folder)

    def run(self, workflow: str, job: str, commit: str, event: Mapping[str, Any], **results: str) -> Ended:
        """One job for the environment `production`, in a run of its own unless it is the same workflow's.

        `results` are those of the jobs that it needs.
        """
        self.jobs += 1
        checkout = self.root / f"job-{self.jobs}"
        self.team.checkout(checkout, commit)
        return self.run_in(checkout, workflow, job, commit, event, **results)

    def run_in(
        self, checkout: Path, workflow: str, job: str, commit: str, event: Mapping[str, Any], **results: str
    ) -> Ended:
        """The same in a checkout that is there, as on a runner of one's own."""
        described = yaml.safe_load((checkout / ".github/workflows" / workflow).read_text())["jobs"][job]
        needs = {name: {"result": result} for name, result in results.items()}
        contexts = self._contexts(commit, event)
        self._remember(workflow, contexts["github"])
        return _Job(self, described, checkout, contexts | {"needs": needs}).run()

    def _remember(self, workflow: str, github: Mapping[str, Any]) -> None:
        pull = github.get("event", {}).get("pull_request")
        described = {
            "path": f".github/workflows/{workflow}",
            "event": github["event_name"],
            "head_sha": pull["head"]["sha"] if pull else github["sha"],
            "head_branch": github["ref_name"],
        }
        self.forge.ran(github["run_id"], github["run_attempt"], described)

    def runs_at_all(self, workflow: str, job: str, commit: str, event: Mapping[str, Any]) -> bool:
        text = subprocess.run(
            [GIT, "-C", str(self.team.origin), "show", f"{commit}:.github/workflows/{workflow}"],
            check=True,
            capture_output=True,
        ).stdout
        contexts = self._contexts(commit, event) | {"needs": {"plan": {"result": "success"}}}
        condition = str(yaml.safe_load(text)["jobs"][job].get("if", "'always'"))
        return bool(_judged(condition, contexts | {"functions": {"cancelled": False, "always": True}}))

    def _contexts(self, commit: str, event: Mapping[str, Any]) -> dict[str, Any]:
        github = {
            "sha": commit,
            "ref": "refs/heads/main",
            "ref_name": "main",
            "repository": REPOSITORY,
            "event_name": "pull_request" if "pull_request" in event else "push",
            "token": TOKEN,
            "run_id": str(self.runs),
            "run_attempt": str(self.attempt),
        }
        return {"github": {**github, **event}, "matrix": {"environment": "production"}, **self.settings}


@dataclass
class _Job:
    runner: Runner
    described: Mapping[str, Any]
    checkout: Path
    contexts: dict[str, Any]
    ended: dict[str, Step] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    exported: dict[str, str] = field(default_factory=dict)

    def run(self) -> Ended:
        for number, step in enumerate(self.described["steps"]):
            name = step.get("name") or step.get("uses", "").partition("@")[0]
            ended, outputs = self._step(step, number)
            self.ended[name] = ended
            if "id" in step:
                self.known[step["id"]] = {"outcome": ended.outcome, "outputs": outputs}
        return Ended(self.ended, self.summary.read_text() if self.summary.exists() else "", self.checkout)

    @property
    def summary(self) -> Path:
        return self.checkout.with_name(f"{self.checkout.name}.summary")

    def _step(self, step: Mapping[str, Any], number: int) -> tuple[Step, Mapping[str, str]]:
        failed = any(one.outcome == "failure" for one in self.ended.values())
        contexts = {**self.contexts, "steps": self.known, "functions": {"cancelled": False}}
        condition = str(step.get("if", ""))
        goes_on = "cancelled()" in condition or not failed
        if not goes_on or (condition and not _judged(condition, contexts)):
            return Step("skipped"), _Any()
        if "uses" in step:
            self._use(step, contexts)
            return Step("success"), {}
        environ = {**self.described.get("env", {}), **step.get("env", {})}
        environ = {name: shown(resolved(str(value), contexts)) for name, value in environ.items()}
        return self._shell(step["run"], environ, number)

    def _use(self, step: Mapping[str, Any], contexts: Mapping[str, Any]) -> None:
        action, given = step["uses"].partition("@")[0], step.get("with", {})
        if action == "actions/upload-artifact":
            name = resolved(given["name"], contexts)
            folder = self.runner.forge.artifact(str(self.contexts["github"]["run_id"]), name)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for file in given["path"].split():
                if (self.checkout / file).exists():
                    shutil.copy(self.checkout / file, folder)
        elif action == ASSUMES:
            assert self.described["permissions"]["id-token"] == "write"
            role, region = (resolved(given[name], contexts) for name in ("role-to-assume", "aws-region"))
            assert role == sts.ROLE
            self.exported |= {**sts.ISSUED, "AWS_REGION": region}
        else:
            assert action in {"actions/checkout", INSTALLS}, action

    def _shell(self, script: str, environ: Mapping[str, str], number: int) -> tuple[Step, Mapping[str, str]]:
        assert "${{" not in script
        file = self.checkout.with_name(f"{self.checkout.name}.{number}.sh")
        output = file.with_suffix(".output")
        file.write_text(script)
        output.touch()
        github = self.contexts["github"]
        given = {
            "PATH": f"{self.runner.team.programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(TREE),
            "FORGE": str(self.runner.forge_folder),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.checkout),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": github["repository"],
            "GITHUB_RUN_ID": github["run_id"],
            "GITHUB_RUN_ATTEMPT": github["run_attempt"],
            "GITHUB_SHA": github["sha"],
            "GITHUB_REF_NAME": github["ref_name"],
        }
        done = subprocess.run(
            [*SHELL, str(file)],
            cwd=self.checkout,
            env=surroundings(**given) | given | self.exported | dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return Step("failure" if done.returncode else "success", done.returncode, done.stdout), outputs


class _Any(dict[str, str]):
    """Outputs of a step that didn't run: all are empty."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> str:
        return ""


def _judged(condition: str, contexts: Mapping[str, Any]) -> Any:
    if "${{" in condition:
        return resolved(condition, contexts)
    return evaluated(condition, contexts)
