"""A pull request is planned, reviewed, merged, applied and refreshed by the workflows that `init` writes.

Their own shell steps run in order, each job in a checkout of its own. Nothing passes from one to the next
but what GitHub keeps: comments, labels, statuses and artifacts.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from support.cli import surroundings
from support.fakes import sts
from support.fakes.ci_api_contract import Interface, read
from support.fakes.github import BOT, REPOSITORY, Forge
from support.team_repository import AUDIENCE, Exports, TeamRepository
from support.workflow_runner import SHELL, Ended, Runner

PLAN, APPLY, SYNC = "reconciler-plan.yml", "reconciler-apply.yml", "reconciler-sync.yml"
IDLE, MEMBERS = "Nothing was approved, so nothing is applied", "Nothing but members may have changed"
MARKER = "<!-- reconciler: production -->"
UNDOCUMENTED = "answered $.head_repository: None is not of type 'object'"
"""GitHub says so of a fork that was deleted."""

pytestmark = pytest.mark.promise("approved")


@dataclass
class Story:
    """What a team does, and what GitHub does then."""

    team: TeamRepository
    runner: Runner

    @property
    def forge(self) -> Forge:
        return self.runner.forge

    def pull_request(self, head: str, repository: str = REPOSITORY) -> dict[str, object]:
        described = {"number": self.team.changes, "head": {"sha": head, "repo": {"full_name": repository}}}
        event = {"event_name": "pull_request", "event": {"pull_request": described}}
        return {**event, "ref_name": "x", "base_ref": "main"}

    def plan(self, head: str) -> Ended:
        """As a pull request: the plan, then the label."""
        self.runner.runs += 1
        planned = self.runner.run(PLAN, "plan", head, self.pull_request(head))
        labelled = self.runner.run(PLAN, "label", head, self.pull_request(head))
        assert labelled.result == "success", labelled.steps
        return planned

    def plan_again(self, head: str, event: dict[str, object]) -> None:
        """The job alone, in the same run, as *Re-run jobs* does."""
        self.runner.attempt += 1
        assert self.runner.run(PLAN, "plan", head, event).result == "success"

    @property
    def variables(self) -> dict[str, str]:
        return self.runner.settings["vars"]

    def change(self, name: str) -> tuple[str, Ended]:
        """A pull request that adds an audience, planned; its commit."""
        head = self.team.push(name)
        return head, self.plan(head)

    def merge(self, head: str) -> str:
        commit = self.team.merge(head)
        self.forge.merge(commit, self.team.changes, head)
        return commit

    def apply(self, commit: str) -> Ended:
        self.runner.runs += 1
        return self.runner.run(APPLY, "apply", commit, {"event_name": "push", "event": {}})

    def refresh(self) -> Ended:
        self.runner.runs += 1
        commit = self.team.git("rev-parse", "main")
        return self.runner.run(SYNC, "sync", commit, {"event_name": "schedule", "event": {}})

    def artifact(self, file: str = "plan.json", job: str = "plan") -> Path:
        """That of the last run."""
        name = f"reconciler-{job}-production-{self.runner.attempt}"
        return self.forge.artifact(str(self.runner.runs), name) / file


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with TeamRepository.working(tmp_path, "github") as team:
        named = {"RECONCILER_ENVIRONMENTS": '["production"]'}
        story = Story(team, Runner(tmp_path, team, {"secrets": team.secrets, "vars": named}))
        yield story
        faults = Interface.of("github").undocumented(read(story.forge.log))
        assert [one for one in faults if not one.endswith(UNDOCUMENTED)] == []


@pytest.fixture
def exports(story: Story, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exports]:
    with Exports.of(story.team) as exports:
        environ = dict(exports.served.environ)
        story.variables["AWS_REGION"] = environ.pop("AWS_REGION")
        story.variables["AWS_ROLE_ARN"] = sts.ROLE
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del environ[name]
        for name, value in environ.items():  # where the store is, as on a runner of one's own
            monkeypatch.setenv(name, value)
        yield exports


def test_a_change_is_planned_reviewed_merged_applied_and_refreshed(story: Story):
    head, planned = story.change("everybody")
    assert planned.result == "success", planned.steps
    [comment] = story.forge.comments("1")
    assert comment.startswith(f"{MARKER}\n")
    assert comment == planned.summary
    assert "offsite-email/everybody" in comment
    assert story.forge.labels("1") == ["reconciler: changes"]
    [status] = story.forge.statuses(head)
    digest = json.loads(story.artifact().read_text())["digest"]
    assert status["description"] == f"changes {digest}"
    assert (status["context"], status["state"]) == ("reconciler/plan (production)", "success")
    assert story.team.writes() == 0

    applied = story.apply(story.merge(head))
    assert applied.result == "success", applied.steps
    assert story.team.segments()["everybody (e-mail)"] == 1000
    assert "3 applied" in applied.summary
    assert story.artifact("result.json", "apply").exists()
    assert applied.steps[IDLE].outcome == "skipped"

    story.team.people(*range(5, 1010))
    refreshed = story.refresh()
    assert refreshed.result == "success", refreshed.steps
    assert story.team.segments()["everybody (e-mail)"] == 1005
    assert "Applied on production" in " ".join(refreshed.summary.split())
    assert story.artifact("result.json", "sync").exists()
    assert story.artifact("drift.json", "sync").exists()
    assert story.artifact("report.html", "sync").exists()


def test_one_comment_follows_the_pull_request(story: Story):
    head, _ = story.change("everybody")
    story.apply(story.merge(head))
    head = story.team.push()
    story.plan(head)
    [before] = story.forge.comments("2")
    assert story.forge.labels("2") == ["reconciler: no changes"]

    story.team.audience("more")
    story.plan(story.team.push_more())
    [after] = story.forge.comments("2")
    assert "offsite-email/more" in after
    assert "offsite-email/more" not in before
    assert story.forge.labels("2") == ["reconciler: changes"]


def test_what_a_guard_refuses_is_said_and_approves_nothing(story: Story):
    head, _ = story.change("everybody")
    story.apply(story.merge(head))
    before = story.team.segments()
    story.team.people(*range(100))
    head = story.team.push()
    planned = story.plan(head)
    assert planned.steps["Plan"].code == 5
    where = "file=environments/production/audiences/everybody.yaml,line=4,col=16"
    assert f"::error {where},title=offsite-email/everybody%3A " in planned.steps["Plan"].said
    assert planned.result == "failure"
    assert story.forge.labels("2") == ["reconciler: blocked"]
    [status] = story.forge.statuses(head)
    assert (status["state"], status["description"]) == ("failure", "blocked")
    applied = story.apply(story.merge(head))
    assert applied.steps["Apply"].outcome == "skipped"
    assert applied.result == "failure"
    assert story.team.segments() == before


def test_manifests_that_are_wrong_are_said_at_their_line(story: Story):
    head = story.team.push(wrong="kind: Audience\nname: wrong\n")
    planned = story.plan(head)
    assert planned.steps["Plan"].code == 3
    said = planned.steps["Plan"].said
    assert "::error file=environments/production/audiences/wrong.yaml,line=1,col=1,title=" in said
    assert story.forge.labels("1") == ["reconciler: failed"]
    assert "wrong.yaml" in story.forge.comments("1")[0]


def test_an_artifact_that_was_swapped_is_refused(story: Story):
    """An attacker who replaces the artifact cannot replace the digest."""
    head, _ = story.change("everybody")
    kept = story.artifact()
    other = story.team.push("other", "everybody")
    story.plan(other)
    shutil.copy(story.artifact(), kept)
    commit = story.merge(other)
    forge = story.forge
    forge.kept["pulls"] = {}
    forge.save()
    forge.merge(commit, 1, head)
    applied = story.apply(commit)
    assert applied.steps["Apply"].code == 6, applied.steps
    assert story.team.writes() == 0
    assert applied.result == "failure"
    assert [one["state"] for one in story.forge.statuses(commit)] == ["failure"]


def test_a_status_by_another_author_approves_nothing(story: Story):
    head, _ = story.change("everybody")
    forge = story.forge
    forge.kept["statuses"][0]["creator"]["login"] = "mallory"
    forge.save()
    applied = story.apply(story.merge(head))
    assert applied.steps["Apply"].outcome == "skipped"
    assert applied.steps[IDLE].outcome == "success"
    assert applied.steps[MEMBERS].code == 2
    assert "Nothing was approved, so nothing was applied." in applied.summary
    assert story.forge.statuses(story.team.git("rev-parse", "main")) == []
    assert story.team.writes() == 0


@pytest.mark.parametrize(
    "run",
    [
        {"head_sha": "0" * 40},
        {"path": ".github/workflows/mine.yml"},
        {"path": ".github/workflows/reconciler-plan.yml.yml"},
        {"event": "push"},
        {"head_repository": {"full_name": "mallory/audiences"}},
        {"head_repository": None},
        None,
    ],
)
def test_a_status_that_another_run_of_the_same_bot_set_approves_nothing(
    story: Story, run: dict[str, object] | None
):
    """A workflow on a pushed branch can comment as the bot."""
    head, _ = story.change("everybody")
    forge = story.forge
    if run is None:
        forge.kept["runs"] = {}
    else:
        forge.kept["runs"][f"{story.runner.runs}/attempts/1"] |= run
    forge.save()
    applied = story.apply(story.merge(head))
    assert applied.steps["Apply"].outcome == "skipped"
    assert applied.steps[MEMBERS].code == 2
    assert story.team.writes() == 0


def test_forged_statuses_hide_no_genuine_ones(story: Story):
    """Neither the status of a plan, nor the progress of an apply."""
    head, _ = story.change("everybody")
    elsewhere = "https://github.com/acme/audiences/actions/runs"
    for address in (f"{elsewhere}/7/attempts/1", f"{elsewhere}.evil/{story.runner.runs}/attempts/1", None):
        forge = story.forge
        said = {"state": "success", "description": f"changes sha256:{'0' * 64}", "target_url": address}
        forge.say_status(head, BOT, {**said, "context": "reconciler/plan (production)"})
        forge.ran("7", "1", {"path": ".github/workflows/mine.yml", "event": "push", "head_sha": head})
    commit = story.merge(head)
    forge = story.forge
    done = {"state": "success", "context": "reconciler/apply (production)", "description": ""}
    forge.ran("8", "1", {
        "path": ".github/workflows/reconciler-apply.yml",
        "event": "push",
        "head_sha": commit,
        "head_branch": "mallory",
    })  # fmt: skip
    forge.say_status(commit, BOT, {**done, "target_url": f"{elsewhere}/8/attempts/1"})
    forge.save()
    second, _ = story.change("second")
    applied = story.apply(story.merge(second))
    assert applied.result == "success", applied.steps
    assert f"approved/{head}/plan.json" in (applied.checkout / "approved.txt").read_text()
    assert {"everybody (e-mail)", "second (e-mail)"} < story.team.segments().keys()


def test_an_apply_that_is_run_again_later_applies_nothing(story: Story):
    """Its manifests are those of then."""
    head, _ = story.change("everybody")
    old = story.merge(head)
    story.merge(story.change("second")[0])
    applied = story.apply(old)
    assert applied.result == "success", applied.steps
    assert applied.steps["Apply"].outcome == applied.steps[IDLE].outcome == "skipped"
    assert "`main` has moved on since, so nothing was applied here" in applied.summary
    assert story.forge.statuses(old) == []
    assert story.team.writes() == 0
    assert story.apply(story.team.git("rev-parse", "main")).result == "success"


def test_members_that_moved_make_no_push_fail(story: Story):
    head, _ = story.change("everybody")
    story.apply(story.merge(head))
    before = story.team.segments()
    story.team.people(*range(1005))
    (story.team.work / "README.md").write_text("Past the rules\n")
    commit = story.team.commit("Words")
    story.team.git("push", "--quiet", "origin", "main")
    applied = story.apply(commit)
    assert applied.result == "success", applied.steps
    assert applied.steps["Apply"].outcome == "skipped"
    assert applied.steps[MEMBERS].outcome == "success"
    assert "Nothing was approved, so nothing was applied." in applied.summary
    assert "offsite-email/everybody" in applied.summary
    assert story.team.segments() == before


def test_more_than_was_approved_is_not_applied(story: Story):
    """Commits pushed to the branch outside the pull request were not planned."""
    head, _ = story.change("everybody")
    story.team.git("checkout", "--quiet", "main")
    story.team.audience("sneaked")
    story.team.commit("Past the rules")
    applied = story.apply(story.merge(head))
    assert applied.steps["Apply"].code == 8, applied.steps
    assert applied.result == "failure"
    assert "everybody (e-mail)" in story.team.segments()
    assert "sneaked (e-mail)" not in story.team.segments()


def test_pull_requests_that_one_apply_missed_are_applied_with_the_next(story: Story):
    """GitHub keeps one waiting run of a concurrency group: those before it are cancelled."""
    first, _ = story.change("first")
    story.merge(first)
    second, _ = story.change("second")
    applied = story.apply(story.merge(second))
    assert applied.result == "success", applied.steps
    assert {"first (e-mail)", "second (e-mail)"} < story.team.segments().keys()
    again = story.apply(story.team.git("rev-parse", "main"))
    assert again.result == "success", again.steps


def test_the_merge_queue_plans_what_the_branch_will_be(story: Story):
    """Its commit becomes the branch's: its own plan is what is applied."""
    head = story.team.push("queued")
    commit = story.team.merge(head)
    story.runner.runs += 1
    queued = {"event_name": "merge_group", "event": {"merge_group": {"head_sha": commit}}, "ref_name": "q"}
    assert story.runner.runs_at_all(PLAN, "plan", commit, queued)
    assert not story.runner.runs_at_all(PLAN, "label", commit, queued)
    planned = story.runner.run(PLAN, "plan", commit, queued)
    assert planned.result == "success", planned.steps
    assert story.forge.kept["comments"] == []
    story.forge.merge(commit, story.team.changes, head)
    story.team.people(*range(3000))
    story.plan_again(commit, queued)
    assert story.apply(commit).steps["Apply"].code == 6
    story.team.people(*range(1000))
    applied = story.apply(commit)
    assert applied.result == "success", applied.steps
    assert story.team.segments()["queued (e-mail)"] == 1000


def test_a_plan_that_is_made_again_after_the_merge_approves_nothing(story: Story):
    """Reviewers saw the one before it: a job of a merged pull request can be run again by many."""
    head, _ = story.change("everybody")
    commit = story.merge(head)
    story.team.people(*range(3000))
    story.plan_again(head, story.pull_request(head))
    applied = story.apply(commit)
    assert applied.steps["Apply"].code == 6, applied.steps
    assert story.team.writes() == 0
    story.team.people(*range(1000))
    assert story.apply(commit).result == "success"


def test_a_label_says_what_a_job_that_is_run_again_finds(story: Story):
    story.team.people()
    head, planned = story.change("everybody")
    assert planned.result == "failure"
    assert story.forge.labels("1") == ["reconciler: blocked"]
    story.team.people(*range(1000))
    event = story.pull_request(head)
    story.plan_again(head, event)
    story.runner.run(PLAN, "label", head, event)
    assert story.forge.labels("1") == ["reconciler: changes"]


def test_a_plan_that_is_made_again_before_the_merge_counts(story: Story):
    head, _ = story.change("everybody")
    story.team.people(*range(3000))
    story.plan_again(head, story.pull_request(head))
    assert story.apply(story.merge(head)).result == "success"
    assert story.team.segments()["everybody (e-mail)"] == 3000


def test_nothing_is_applied_before_there_is_an_environment(story: Story):
    """So the first push of a new repository ends well."""
    commit, push = story.team.git("rev-parse", "main"), {"event_name": "push", "event": {}}
    assert story.runner.runs_at_all(APPLY, "apply", commit, push)
    del story.variables["RECONCILER_ENVIRONMENTS"]
    assert not story.runner.runs_at_all(APPLY, "apply", commit, push)
    assert not story.runner.runs_at_all(SYNC, "sync", commit, push)


@pytest.mark.parametrize(
    ("whose", "plan", "result"),
    [
        (REPOSITORY, "success", "success"),
        (REPOSITORY, "failure", "failure"),
        (REPOSITORY, "cancelled", "failure"),
        (REPOSITORY, "skipped", "failure"),
        ("mallory/audiences", "skipped", "success"),
    ],
)
def test_one_check_can_be_required_whatever_the_environments(
    story: Story, whose: str, plan: str, result: str
):
    head = story.team.push()
    event = story.pull_request(head, repository=whose)
    assert story.runner.runs_at_all(PLAN, "planned", head, event)
    assert story.runner.run(PLAN, "planned", head, event, plan=plan).result == result


def test_a_fork_is_validated_and_nothing_more(story: Story):
    head = story.team.push("everybody")
    event = story.pull_request(head, repository="mallory/audiences")
    assert not story.runner.runs_at_all(PLAN, "plan", head, event)
    validated = story.runner.run(PLAN, "validate", head, event)
    assert validated.result == "success", validated.steps
    jobs = yaml.safe_load((story.team.work / ".github/workflows" / PLAN).read_text())["jobs"]
    assert "secrets" not in json.dumps(jobs["validate"])
    assert "environment" not in jobs["validate"]


def test_a_signal_reaches_the_tool_itself(story: Story):
    """The step's shell becomes the tool, so that what the runner signals is what writes resource states."""
    programs = story.team.programs
    (programs / "reconciler").write_text("#!/bin/sh\necho $$\n")
    (story.team.work / "approved.txt").write_text("--approved\nplan.json\n")
    steps = [
        step["run"]
        for workflow in (PLAN, APPLY, SYNC)
        for job in yaml.safe_load((story.team.work / ".github/workflows" / workflow).read_text())[
            "jobs"
        ].values()
        for step in job["steps"]
        if "reconciler " in step.get("run", "").replace("reconciler show", "")
        and step["name"] != "Verify"  # it writes no resource state, and its shell needs the exit code
    ]
    assert len(steps) == 9
    for step in steps:
        shell = subprocess.Popen(
            [*SHELL, "-c", step],
            cwd=story.team.work,
            env=surroundings(PATH=f"{programs}:{os.environ['PATH']}", ENVIRONMENT="production"),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert shell.communicate()[0] == f"{shell.pid}\n", step


def test_every_job_reads_exports_where_they_are(story: Story, exports: Exports):
    """With the login of its own environment, and no other step."""
    head, planned = story.change("everybody")
    assert planned.steps["Plan"].code == 5, "there is nothing in the bucket"
    exports.people(*range(1000))
    assert story.plan(head).result == "success"
    assert story.apply(story.merge(head)).result == "success"
    assert story.team.segments()["everybody (e-mail)"] == 1000
    exports.people(*range(1001))
    assert story.refresh().result == "success"
    assert story.team.segments()["everybody (e-mail)"] == 1001


def test_a_pull_request_fails_for_blocked_addresses_that_it_touches_and_for_no_others(story: Story):
    broken = AUDIENCE.format(name="broken").replace("customers/*.csv", "absent/*.csv")
    touching = story.team.push("everybody", broken=broken)
    planned = story.plan(touching)
    assert planned.result == "failure"
    assert "::error file=environments/production/audiences/broken.yaml" in planned.steps["Plan"].said
    said = " ".join(planned.summary.split())
    assert "1 blocked address changed since the base of this change, which fails its check (exit 5)" in said
    story.merge(touching)

    beside = story.plan(story.team.push("others"))
    assert beside.result == "success", beside.steps
    assert "::warning file=environments/production/audiences/broken.yaml" in beside.steps["Plan"].said
    assert "::error" not in beside.steps["Plan"].said
    assert "1 blocked address is unchanged since the base of this change" in " ".join(beside.summary.split())
