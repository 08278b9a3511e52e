"""The scripts of our workflows against what GitHub and GitLab document: what they ask, what they read of the
answers, also where that may be missing, and which permissions it takes. See `tests/support/ci_apis`.

The stories in `tests/e2e` are held against the same descriptions: every request of theirs, and every answer
of the fakes.
"""

import importlib.util
import json
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
import yaml
from support.cli import REPOSITORY
from support.fakes.ci_api_contract import Exchange, Interface
from support.team_repository import GIT

pytestmark = pytest.mark.promise("approved")

HEAD, BOT = "a" * 40, "github-actions[bot]"
RUN = "https://github.com/acme/audiences/actions/runs/5"
DIGEST = f"sha256:{'0' * 64}"
SAID = f"changes {DIGEST}"
EARLY, LATE = "2026-11-24T16:12:00Z", "2026-11-24T16:13:00Z"
MARKER = "<!-- reconciler: production -->"
BEFORE = f"{MARKER}\nBefore"

SURROUNDINGS = {
    "ENVIRONMENT": "production",
    "DIGEST": DIGEST,
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/audiences",
    "GITHUB_RUN_ID": "5",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_REF_NAME": "main",
    "GITHUB_OUTPUT": "output",
    "GITHUB_STEP_SUMMARY": "summary",
    "PULL_REQUEST": "1",
    "SHA": HEAD,
    "OUTCOME": "success",
    "CI_API_V4_URL": "https://gitlab.example/api/v4",
    "CI_PROJECT_ID": "1",
    "CI_DEFAULT_BRANCH": "main",
    "CI_JOB_STATUS": "success",
    "CI_JOB_URL": "https://gitlab.example/acme/-/jobs/7",
    "CI_MERGE_REQUEST_IID": "1",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD,
    "RECONCILER_GITLAB_TOKEN": "a project's token",
}

GITHUB = {
    "issues/list-comments": [{"id": 3, "user": {"login": BOT}, "body": BEFORE}],
    "issues/list-labels-on-issue": [{"name": "reconciler: failed"}],
    "repos/list-commit-statuses-for-ref": [
        {
            "creator": {"login": BOT},
            "target_url": f"{RUN}/attempts/1",
            "context": "reconciler/plan (production)",
            "state": "success",
            "description": SAID,
            "created_at": EARLY,
        }
    ],
    "repos/list-pull-requests-associated-with-commit": [
        {"number": 1, "merged_at": LATE, "base": {"ref": "main"}, "head": {"sha": HEAD}}
    ],
    "pulls/list-reviews": [{"user": {"login": "mona"}, "state": "APPROVED", "commit_id": HEAD}],
    "actions/get-workflow-run-attempt": {
        "head_sha": HEAD,
        "path": ".github/workflows/reconciler-plan.yml@refs/pull/1/merge",
        "event": "pull_request",
        "head_branch": "change",
        "head_repository": {"full_name": "acme/audiences"},
    },
}
GITLAB = {
    "GET /user": {"username": "project_1_bot"},
    "GET /projects/{id}/merge_requests/{iid}/notes": [
        {"id": 3, "author": {"username": "project_1_bot"}, "body": BEFORE}
    ],
    "GET /projects/{id}/repository/commits/{sha}/statuses": [
        {
            "id": 9,
            "name": "reconciler/plan (production)",
            "status": "success",
            "description": SAID,
            "target_url": "https://gitlab.example/acme/-/jobs/7",
            "created_at": EARLY,
            "author": {"username": "project_1_bot"},
        }
    ],
    "GET /projects/{id}/repository/commits/{sha}/merge_requests": [
        {
            "iid": 1,
            "state": "merged",
            "target_branch": "main",
            "sha": HEAD,
            "merged_at": LATE,
            "author": {"username": "ada"},
        }
    ],
    "GET /projects/{id}/merge_requests/{iid}/approvals": {
        "approved_by": [{"user": {"username": one}} for one in ("mona", "ada", "lisa")]
    },
    "GET /projects/{id}/jobs/{job_id}": {
        "name": "plan: [production]",
        "ref": "refs/merge-requests/1/head",
        "commit": {"id": HEAD, "parent_ids": []},
    },
}

NEEDED = {
    "issues/list-comments": ("pull-requests", "read"),
    "issues/create-comment": ("pull-requests", "write"),
    "issues/update-comment": ("pull-requests", "write"),
    "issues/list-labels-on-issue": ("pull-requests", "read"),
    # The page says `pull-requests`; labels that are not there yet need `issues` all the same:
    # https://github.com/actions/labeler/issues/870
    "issues/add-labels": ("issues", "write"),
    "issues/remove-label": ("pull-requests", "write"),
    "repos/list-commit-statuses-for-ref": ("statuses", "read"),
    "repos/create-commit-status": ("statuses", "write"),
    "repos/list-pull-requests-associated-with-commit": ("pull-requests", "read"),
    "pulls/list-reviews": ("pull-requests", "read"),
    "actions/get-workflow-run-attempt": ("actions", "read"),
    "repos/get-branch": ("contents", "read"),
    "gh run download": ("actions", "read"),
}
"""https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps"""


@dataclass
class Site:
    """Answers a script by a description, and remembers what was said."""

    interface: Interface
    answers: dict[str, Any]
    tip: str
    """The last commit of the branch: of it nothing is known yet."""
    said: list[Exchange] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, body: Any) -> Any:
        operation = self.interface.operation(method, path)
        assert operation, f"{method} {path}"
        name = operation.get("id") or self.name_of(operation)
        known = deepcopy(self.answers.get(name, [] if operation["answer"].get("type") == "array" else {}))
        if "branches" in path:
            known = {"name": "main", "commit": {"sha": self.tip} if "id" in operation else {"id": self.tip}}
        if f"{self.tip}/statuses" in path:
            known = []
        answer = without(self.interface.completed(method, path, known))
        self.said.append(Exchange(method, path, body, answered=True, answer=answer))
        return answer

    def name_of(self, operation: dict[str, Any]) -> str:
        return next(name for name, one in self.interface.operations.items() if one is operation)

    @property
    def operations(self) -> set[str]:
        asked = (self.interface.operation(one.method, one.path) for one in self.said)
        return {one.get("id") or self.name_of(one) for one in asked if one}

    def bodies(self, method: str) -> list[Any]:
        return [one.body for one in self.said if one.method == method]


ABSENT = "absent"


def without(answer: Any) -> Any:
    """Remove placeholders of absent fields."""
    if isinstance(answer, list):
        return [without(one) for one in answer]
    if isinstance(answer, dict):
        return {name: without(one) for name, one in answer.items() if one != ABSENT}
    return answer


def script(file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"review_of_{Path(file).parts[0]}", REPOSITORY / file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A checkout of one commit, with the files that a plan leaves."""
    monkeypatch.chdir(tmp_path)
    ada = [GIT, "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for arguments in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "-m", "First"]):
        subprocess.run([*ada, *arguments], check=True)
    commit = subprocess.run([GIT, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    Path("plan.json").write_text(json.dumps({"addresses": {"create": 1}, "digest": DIGEST}))
    Path("plan.md").write_text(f"{MARKER}\nAfter")
    for name, value in SURROUNDINGS.items():
        monkeypatch.setenv(name, value)
    for name in ("GITHUB_SHA", "CI_COMMIT_SHA"):
        monkeypatch.setenv(name, commit.stdout.strip())
    return commit.stdout.strip()


@dataclass
class Played:
    """A script, the site that it speaks with, and a way to run one of its commands."""

    site: Site
    script: ModuleType

    def run(self, command: str) -> None:
        getattr(self.script, command)()
        assert self.site.interface.undocumented(self.site.said) == []

    @property
    def approved(self) -> str:
        self.run("approved")
        return Path("approved.txt").read_text()


@pytest.fixture
def github(tip: str, monkeypatch: pytest.MonkeyPatch) -> Played:
    site = Site(Interface.of("github"), deepcopy(GITHUB), tip)
    module = script(".github/actions/reconciler/review.py")

    def download(address: str, sha: str) -> bool:
        site.downloads.append(address)
        return True

    monkeypatch.setattr(module, "gh", lambda method, path, body=None: site.answer(method, f"/{path}", body))
    monkeypatch.setattr(module, "asked", lambda path: site.answer("GET", f"/{path}", None))
    monkeypatch.setattr(module, "download", download)
    return Played(site, module)


@pytest.fixture
def gitlab(tip: str, monkeypatch: pytest.MonkeyPatch) -> Played:
    site = Site(Interface.of("gitlab"), deepcopy(GITLAB), tip)
    module = script("gitlab/review.py")

    def request(method: str, path: str, body: Any = None) -> bytes:
        path = path if path.startswith(module.API) else f"{module.PROJECT}/{path}"
        address = urlsplit(path)
        query = f"?{address.query}" if address.query else ""
        if path.endswith("/jobs/0"):
            raise HTTPError(path, 404, "Not Found", Message(), None)
        said = site.answer(method, f"{address.path.removeprefix('/api/v4')}{query}", body)
        return json.dumps(said).encode()

    monkeypatch.setattr(module, "request", request)
    return Played(site, module)


def test_github_receives_the_report_of_a_plan(github: Played) -> None:
    github.run("planned")
    [comment] = github.site.bodies("PATCH")
    assert comment == {"body": f"{MARKER}\nAfter"}
    [status] = github.site.bodies("POST")
    assert status == {
        "state": "success",
        "context": "reconciler/plan (production)",
        "description": SAID,
        "target_url": f"{RUN}/attempts/1",
    }
    github.run("label")
    assert github.site.bodies("POST")[1:] == [{"labels": ["reconciler: changes"]}]
    assert len(github.site.bodies("DELETE")) == 1


def test_github_is_asked_for_approvals(github: Played) -> None:
    assert DIGEST in github.approved
    assert github.site.downloads == [f"{RUN}/attempts/1"]
    github.run("applied")


def test_github_states_who_approved_the_last_commit(github: Played) -> None:
    """Of each account the last verdict counts; comments and reviews of earlier commits do not."""
    reviews = [
        ("mona", "APPROVED", HEAD),
        ("lisa", "CHANGES_REQUESTED", HEAD),
        ("lisa", "APPROVED", HEAD),
        ("mona", "COMMENTED", HEAD),
        ("early", "APPROVED", "b" * 40),
        ("undone", "APPROVED", HEAD),
        ("undone", "DISMISSED", HEAD),
    ]
    github.site.answers["pulls/list-reviews"] = [
        {"user": {"login": who}, "state": state, "commit_id": sha} for who, state, sha in reviews
    ]
    assert github.approved.split("\n")[-3:] == ["--approved-by", "lisa,mona", ""]


def test_github_states_nobody_if_nobody_approved(github: Played) -> None:
    github.site.answers["pulls/list-reviews"] = []
    assert github.approved.split("\n")[-3:] == ["--approved-by", "-", ""]


def test_gitlab_states_who_approved_without_the_author(gitlab: Played) -> None:
    assert gitlab.approved.split("\n")[-3:] == ["--approved-by", "lisa,mona", ""]


def test_gitlab_receives_the_report_of_a_plan(gitlab: Played) -> None:
    gitlab.run("planned")
    [note] = gitlab.site.bodies("PUT")
    assert note == {"body": f"{MARKER}\nAfter"}
    [status] = gitlab.site.bodies("POST")
    assert status["description"] == SAID
    gitlab.run("label")
    assert gitlab.site.bodies("PUT")[1]["add_labels"] == "reconciler: changes"


def test_gitlab_is_asked_for_approvals(gitlab: Played) -> None:
    assert DIGEST in gitlab.approved
    gitlab.run("applied")
    assert gitlab.site.bodies("POST")[0]["name"] == "reconciler/apply (production)"


def missing(interface: str) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Every field that a script reads, and that may be null or not there at all."""
    for name, operation in Interface.of(interface).operations.items():
        schema = operation["answer"].get("items", operation["answer"])
        for read in operation["reads"]:
            for found, gone in _missing(schema, read.split(".")):
                yield operation.get("id", name), found, gone


def _missing(schema: dict[str, Any], names: list[str]) -> Iterator[tuple[tuple[str, ...], Any]]:
    part = schema["properties"][names[0]]
    if "null" in part.get("type", ()):
        yield (names[0],), None
    if names[0] not in schema["required"]:
        yield (names[0],), ABSENT
    if names[1:]:
        yield from (((names[0], *found), gone) for found, gone in _missing(part, names[1:]))


def take(answer: Any, field: tuple[str, ...], gone: Any) -> None:
    for one in answer if isinstance(answer, list) else [answer]:
        held = one
        for name in field[:-1]:
            held = held[name]
        held[field[-1]] = gone


HEEDLESS = {
    ("actions/get-workflow-run-attempt", ("head_branch",)),
    ("pulls/list-reviews", ("commit_id",)),
    ("pulls/list-reviews", ("user",)),
    ("GET /projects/{id}/repository/commits/{sha}/merge_requests", ("author",)),
}
"""Only how far an apply has come depends on the first, and of that it approves nothing; on the others, who
approved.
"""


@pytest.mark.parametrize(("operation", "field", "gone"), sorted(set(missing("github")), key=str))
def test_what_github_leaves_out_approves_nothing(
    github: Played, operation: str, field: tuple[str, ...], gone: Any
) -> None:
    take(github.site.answers[operation], field, gone)
    for command in ("planned", "label", "applied"):
        github.run(command)
    commented = operation == "issues/list-comments"
    assert bool(github.approved) == (commented or (operation, field) in HEEDLESS)
    assert ({"body": f"{MARKER}\nAfter"} in github.site.bodies("POST")) == commented


@pytest.mark.parametrize(("operation", "field", "gone"), sorted(set(missing("gitlab")), key=str))
def test_what_gitlab_leaves_out_approves_nothing(
    gitlab: Played, operation: str, field: tuple[str, ...], gone: Any
) -> None:
    take(gitlab.site.answers[operation], field, gone)
    for command in ("planned", "label"):
        gitlab.run(command)
    noted = operation.endswith("/notes")
    assert bool(gitlab.approved) == (noted or (operation, field) in HEEDLESS)
    gitlab.run("applied")
    assert ({"body": f"{MARKER}\nAfter"} in gitlab.site.bodies("POST")) == noted


def test_a_token_that_may_set_no_status_on_the_branch_is_named(
    gitlab: Played, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """GitLab asks for the right to push or merge there: https://gitlab.com/gitlab-org/gitlab/-/issues/213626"""
    assert gitlab.approved

    def forbidden(*_: Any) -> bytes:
        raise HTTPError("https://gitlab.example", 403, "Forbidden", Message(), None)

    monkeypatch.setattr(gitlab.script, "request", forbidden)
    gitlab.run("applied")
    assert "may merge into the default branch" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["planned", "label", "approved", "applied"])
def test_jobs_have_the_permissions_for_what_their_scripts_ask(github: Played, command: str) -> None:
    Path("approved.txt").write_text("")
    github.run(command)
    operations = github.site.operations | ({"gh run download"} if github.site.downloads else set())
    needed = {NEEDED[one] for one in operations}
    jobs = [
        job
        for file in sorted((REPOSITORY / ".github/workflows").glob("reconciler-*.yml"))
        for job in yaml.safe_load(file.read_text())["jobs"].values()
        if any(step.get("run", "").endswith(f"review.py {command}") for step in job["steps"])
    ]
    assert jobs
    for job in jobs:
        may = job["permissions"].items()
        assert needed <= may | {(name, "read") for name, _ in may}


@pytest.mark.parametrize(
    ("method", "path", "body", "answer", "fault"),
    [
        ("GET", "/repos/a/b/issues/1", None, {}, "no such operation"),
        ("GET", "/repos/a/b/issues/1/labels?perPage=5", None, [], "no parameter perPage"),
        ("POST", f"/repos/a/b/statuses/{HEAD}", {"state": "failed"}, {}, "asked $.state: "),
        ("POST", f"/repos/a/b/statuses/{HEAD}", {"state": "success", "name": "x"}, {}, "asked $: Additional"),
        (
            "POST",
            f"/repos/a/b/statuses/{HEAD}",
            {"state": "success"},
            {"sha": HEAD},
            "answered $: Additional",
        ),
        ("GET", "/repos/a/b/issues/1/labels", None, [{"name": 1}], "answered $[0].name: "),
    ],
)
def test_what_is_not_documented_is_found(method: str, path: str, body: Any, answer: Any, fault: str) -> None:
    interface = Interface.of("github")
    answer = interface.completed(method, path, answer) if interface.operation(method, path) else answer
    found = interface.undocumented([Exchange(method, path, body, answered=True, answer=answer)])
    assert len(found) == 1
    assert fault in found[0]


def test_a_merge_request_of_a_fork_is_not_planned() -> None:
    """Its pipeline is the fork's, where `$CI_PROJECT_ID` is the fork's too; and where there is no merge
    request, both are nothing and equal: https://docs.gitlab.com/ci/pipelines/merge_request_pipelines/
    """
    jobs = yaml.safe_load((REPOSITORY / "gitlab/reconciler.gitlab-ci.yml").read_text())
    ours = "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID"
    for job in ("plan", "label"):
        [rule] = jobs[job]["rules"]
        assert rule["if"] == f'$CI_PIPELINE_SOURCE == "merge_request_event" && {ours}'


def test_descriptions_are_small_and_say_whence_they_are() -> None:
    for name in ("github", "gitlab"):
        file = REPOSITORY / f"tests/support/ci_apis/{name}.json"
        assert file.stat().st_size < 60_000
        assert json.loads(file.read_text())["description"].keys() >= {"version", "source"}
