"""The same for GitLab: the scripts of its jobs, each in its own checkout."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cli import REPOSITORY, surroundings
from support.fakes import sts
from support.fakes import wsgi_server as loopback
from support.fakes.ci_api_contract import Interface
from support.fakes.gitlab import TOKEN, Forge, application
from support.team_repository import AUDIENCE, Exports, TeamRepository

JOBS = ".gitlab/reconciler/reconciler.gitlab-ci.yml"

pytestmark = pytest.mark.promise("approved")


@dataclass(frozen=True)
class Job:
    code: int
    said: str
    folder: Path


@dataclass
class Pipelines:
    """Runs jobs as GitLab's runner does: `script` as one script, then `after_script` as another."""

    root: Path
    team: TeamRepository
    forge: Forge
    api: str
    ran: int = 0

    def run(self, job: str, commit: str, **variables: str) -> Job:
        self.ran += 1
        folder = self.root / f"job-{self.ran}"
        self.team.checkout(folder, commit)
        jobs = yaml.safe_load((folder / JOBS).read_text())
        described, shared = jobs[job], jobs[".reconciler"]
        self.forge.jobs[str(self.ran)] = {
            "name": f"{job}: [production]",
            "ref": "refs/merge-requests/1/head" if job == "plan" else "main",
            "commit": {"id": commit, "parent_ids": []},
        }
        given = self._variables(commit) | variables
        given |= dict.fromkeys(shared["id_tokens"] if "extends" in described else (), sts.IDENTITY)
        before = [line for line in shared["before_script"] if "pip install" not in line]
        done = self._shell([*before, *described["script"]], folder, given)
        status = "failed" if done.returncode else "success"
        after = self._shell(described.get("after_script", []), folder, given | {"CI_JOB_STATUS": status})
        assert after.returncode == 0, after.stdout
        if "plan.json" in described.get("artifacts", {}).get("paths", []):
            self.forge.artifacts[str(self.ran)] = folder / "plan.json"
        return Job(done.returncode, done.stdout, folder)

    def _variables(self, commit: str) -> dict[str, str]:
        return self.team.secrets | {
            "CI": "true",
            "CI_API_V4_URL": self.api,
            "CI_PROJECT_ID": "1",
            "CI_COMMIT_SHA": commit,
            "CI_DEFAULT_BRANCH": "main",
            "CI_JOB_URL": f"https://gitlab.example/acme/-/jobs/{self.ran}",
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": self.team.git("merge-base", "main", commit),
            "CI_MERGE_REQUEST_IID": "1",
            "ENVIRONMENT": "production",
            "RECONCILER_GITLAB_TOKEN": TOKEN,
            "PATH": f"{self.team.programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
        }

    def _shell(
        self, lines: list[str], folder: Path, variables: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-eo", "pipefail", "-c", "\n".join(lines)],
            cwd=folder,
            env=surroundings(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    def plan(self, head: str) -> Job:
        planned = self.run("plan", head)
        assert self.run("label", head).code == 0
        return planned

    def merge(self, head: str) -> str:
        commit = self.team.merge(head)
        self.forge.merge(commit, head)
        return commit


@pytest.fixture
def pipelines(tmp_path: Path) -> Iterator[Pipelines]:
    forge = Forge()
    with TeamRepository.working(tmp_path, "gitlab") as team, loopback.serving(application(forge)) as server:
        yield Pipelines(tmp_path, team, forge, f"{server}/api/v4")
        assert Interface.of("gitlab").undocumented(forge.log) == []


@pytest.fixture
def exports(pipelines: Pipelines, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exports]:
    """Reached by a role for which a job changes its identity: no job is given keys."""
    asked: list[str] = []
    with Exports.of(pipelines.team) as exports, sts.serving(asked) as token_service:
        environ = {**exports.served.environ, **token_service, "AWS_ROLE_ARN": sts.ROLE}
        for name, value in environ.items():
            if name not in sts.ISSUED:
                monkeypatch.setenv(name, value)
        yield exports
    assert set(asked) == {sts.ROLE}


def test_a_change_is_planned_reviewed_merged_applied_and_refreshed(pipelines: Pipelines):
    team, forge = pipelines.team, pipelines.forge
    head = team.push("everybody")
    planned = pipelines.plan(head)
    assert planned.code == 0, planned.said
    [note] = forge.notes
    assert note["body"].startswith("<!-- reconciler: production -->\n")
    digest = json.loads((planned.folder / "plan.json").read_text())["digest"]
    assert [one["description"] for one in forge.statuses] == [f"changes {digest}"]
    assert forge.labels == {"reconciler: changes"}
    assert team.writes() == 0

    team.audience("more")
    head = team.push_more()
    pipelines.plan(head)
    [note] = forge.notes
    assert "offsite-email/more" in note["body"]

    applied = pipelines.run("apply", pipelines.merge(head))
    assert applied.code == 0, applied.said
    assert team.segments()["everybody (e-mail)"] == 1000

    team.people(*range(5, 1010))
    refreshed = pipelines.run("sync", team.git("rev-parse", "main"))
    assert refreshed.code == 0, refreshed.said
    assert team.segments()["everybody (e-mail)"] == 1005
    assert pipelines.run("drift", team.git("rev-parse", "main")).code == 0
    assert pipelines.run("verify", team.git("rev-parse", "main")).code == 11, "not computed yet, and allowed"
    assert pipelines.run("report", team.git("rev-parse", "main")).code == 0
    again = pipelines.run("apply", team.git("rev-parse", "main"))
    assert again.code == 0, again.said
    team.people(*range(5, 1020))
    (team.work / "README.md").write_text("Past the rules\n")
    forge.tip = team.commit("Words")
    team.git("push", "--quiet", "origin", "main")
    words = pipelines.run("apply", forge.tip)
    assert words.code == 0, words.said
    assert "Nothing was approved, so nothing is applied." in words.said
    assert team.segments()["everybody (e-mail)"] == 1005


def test_what_was_not_approved_is_not_applied(pipelines: Pipelines):
    team, forge = pipelines.team, pipelines.forge
    first, second = team.push("everybody"), team.push("everybody", "other")
    pipelines.plan(first)
    pipelines.plan(second)
    kept = pipelines.forge.artifacts
    kept["1"] = kept["3"]
    commit = team.merge(second)
    forge.merge(commit, first)
    assert pipelines.run("apply", commit).code == 6
    forge.statuses[0]["author"] = {"username": "mallory"}
    assert pipelines.run("apply", commit).code == 2
    assert team.writes() == 0


@pytest.mark.parametrize(
    "made",
    [
        {"name": "mine"},
        {"name": "plan: [sandbox]"},
        {"ref": "refs/heads/mine"},
        {"ref": "refs/merge-requests/2/head"},
        {"ref": "refs/merge-requests/1/merge"},
        {"commit": {"id": "0" * 40, "parent_ids": []}},
        None,
    ],
)
def test_a_status_that_another_job_set_with_the_same_token_approves_nothing(
    pipelines: Pipelines, made: dict[str, Any] | None
):
    """A job on a pushed branch can read the token."""
    team, forge = pipelines.team, pipelines.forge
    head = team.push("everybody")
    pipelines.run("plan", head)
    if made is None:
        forge.jobs.clear()
    else:
        forge.jobs["1"] |= made
    assert pipelines.run("apply", pipelines.merge(head)).code == 2
    assert [one["name"] for one in forge.statuses] == ["reconciler/plan (production)"]
    assert team.writes() == 0


def test_forged_statuses_hide_no_genuine_ones(pipelines: Pipelines):
    """Also of a pipeline on what the merge would be."""
    team, forge = pipelines.team, pipelines.forge
    head = team.push("everybody")
    pipelines.run("plan", head)
    merged = {
        "ref": "refs/merge-requests/1/merge",
        "commit": {"id": "1" * 40, "parent_ids": ["0" * 40, head]},
    }
    forge.jobs["1"] |= merged
    [reported] = forge.statuses
    forge.statuses.append(
        {**reported, "id": 1, "target_url": "https://gitlab.example/mine", "status": "failed"}
    )
    commit = pipelines.merge(head)
    done = {"sha": commit, "name": "reconciler/apply (production)", "status": "success"}
    forge.statuses.append({**reported, **done, "id": 2})
    second = team.push("second")
    pipelines.run("plan", second)
    tip = team.merge(second)
    forge.merge(tip, second)
    assert pipelines.run("apply", commit).said.startswith("main has moved on since")
    assert team.writes() == 0
    applied = pipelines.run("apply", tip)
    assert applied.code == 0, applied.said
    assert f"approved/{head}/plan.json" in (applied.folder / "approved.txt").read_text()
    assert {"everybody (e-mail)", "second (e-mail)"} < team.segments().keys()


def test_a_plan_that_is_made_again_after_the_merge_approves_nothing(pipelines: Pipelines):
    team = pipelines.team
    head = team.push("everybody")
    pipelines.plan(head)
    commit = pipelines.merge(head)
    team.people(*range(3000))
    pipelines.plan(head)
    assert pipelines.run("apply", commit).code == 6
    assert team.writes() == 0
    team.people(*range(1000))
    assert pipelines.run("apply", commit).code == 0


def test_nothing_is_applied_before_there_is_a_token(pipelines: Pipelines):
    """So the first push of a new repository ends well."""
    [rule] = yaml.safe_load((pipelines.team.work / JOBS).read_text())["apply"]["rules"]
    assert rule["if"].endswith("&& $RECONCILER_GITLAB_TOKEN")


def test_every_job_reads_exports_where_they_are(pipelines: Pipelines, exports: Exports):
    team = pipelines.team
    head = team.push("everybody")
    assert pipelines.run("plan", head).code == 5, "there is nothing in the bucket"
    exports.people(*range(1000))
    assert pipelines.run("plan", head).code == 0
    assert pipelines.run("apply", pipelines.merge(head)).code == 0
    exports.people(*range(1001))
    assert pipelines.run("sync", team.git("rev-parse", "main")).code == 0
    assert team.segments()["everybody (e-mail)"] == 1001


def test_a_merge_request_fails_for_blocked_addresses_that_it_touches_and_for_no_others(pipelines: Pipelines):
    broken = AUDIENCE.format(name="broken").replace("customers/*.csv", "absent/*.csv")
    touching = pipelines.team.push("everybody", broken=broken)
    assert pipelines.run("plan", touching).code == 5
    pipelines.team.merge(touching)

    beside = pipelines.plan(pipelines.team.push("others"))
    assert beside.code == 0, beside.said
    assert "1 blocked address is unchanged since the base of this change" in beside.said
