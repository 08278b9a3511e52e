"""Reports plans to GitLab, and finds the approved plans that a merge applies. Runs in the jobs of a pipeline.

planned   writes a note on the merge request, and saves the digest of the plan as a status of the commit
label     labels the merge request by the most severe of its plans
approved  downloads the plans that were merged since the last apply, and their digests
idle      fails if a merged change has no approved plan
applied   saves the result of the apply as a status of the commit
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

LABELS = ("failed", "blocked", "changes", "no changes")
"""The most severe first."""
PLAN, APPLY = "reconciler/plan", "reconciler/apply"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
UNASKED = {"update", "state-only", "drift", "unchanged"}
"""Changes without a merge: members, and what changed at Criteo outside reconciler."""
PAGE = 100

API = os.environ["CI_API_V4_URL"]
PROJECT = f"{API}/projects/{os.environ['CI_PROJECT_ID']}"
ENVIRONMENT = os.environ.get("ENVIRONMENT", "")


def planned() -> None:
    plan = json.loads(Path("plan.json").read_bytes())
    digest = plan["digest"] if os.environ["CI_JOB_STATUS"] == "success" else ""
    note(merge_request(), Path("plan.md").read_text(encoding="utf-8"))
    state = "success" if digest else "failed"
    set_status(head(), PLAN, state, f"{kind_of(plan, digest)} {digest}".strip())


def head() -> str:
    """Return the last commit of the branch, also in a pipeline of the merged result."""
    return os.environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or os.environ["CI_COMMIT_SHA"]


def merge_request() -> str:
    return f"merge_requests/{os.environ['CI_MERGE_REQUEST_IID']}"


def kind_of(plan: dict[str, Any], digest: str) -> str:
    """Return the label of a plan. `digest` is empty if the plan may not be applied."""
    addresses = plan.get("addresses") or {}
    if not digest:
        refused = addresses.get("blocked") or (plan.get("document") or {}).get("problems")
        return "blocked" if refused else "failed"
    changing = any(count for kind, count in addresses.items() if kind != "unchanged")
    return "changes" if changing else "no changes"


def note(path: str, body: str) -> None:
    """Write one note per environment: ours with the same marker is overwritten."""
    marker, us = body.partition("\n")[0], whoami()
    for one in pages(f"{path}/notes"):
        if whose(one) == us and one["body"].partition("\n")[0].strip() == marker:
            call("PUT", f"{path}/notes/{one['id']}", {"body": body})
            return
    call("POST", f"{path}/notes", {"body": body})


def whose(said: dict[str, Any]) -> str:
    """Return the author, or an empty text if the account was deleted."""
    return str(said["author"]["username"]) if said["author"] else ""


def label() -> None:
    ours = (one for one in statuses(head()) if one["name"].startswith(f"{PLAN} ("))
    newest_of = {one["name"]: one["description"] or "" for one in reversed(list(ours))}
    said = {text.partition(" sha256:")[0] for text in newest_of.values()}
    wanted = next((one for one in LABELS if one in said), "failed")
    others = ",".join(f"reconciler: {one}" for one in LABELS if one != wanted)
    call("PUT", merge_request(), {"add_labels": f"reconciler: {wanted}", "remove_labels": others})


def approved() -> None:
    """Write `approved.txt` if a merged change has an approved plan."""
    branch, arguments = os.environ["CI_DEFAULT_BRANCH"], list[str]()
    Path("approved.txt").unlink(missing_ok=True)
    tip = call("GET", f"repository/branches/{quote(branch, safe='')}")["commit"]["id"]
    if tip != os.environ["CI_COMMIT_SHA"]:
        say(f"{branch} has moved on since, so nothing is applied here: the job of its last push does that.")
        return
    for sha, (at, number, author) in merged().items():
        status = newest(sha, PLAN, at, number)
        if not status or status["status"] != "success":
            continue
        digest = DIGEST.search(status["description"] or "")
        if digest and download(job_of(status), sha):
            arguments += ["--approved", f"approved/{sha}/plan.json", "--approved-digest", digest[0]]
            arguments += ["--approved-by", approvers(number, author)]
    Path("approved.txt").write_text("".join(f"{one}\n" for one in arguments), encoding="utf-8")
    if not arguments:
        say("Nothing was approved, so nothing is applied. What awaits an approval, or the next sync:")


def approvers(number: int, author: str) -> str:
    """Return who approved a merge request, as --approved-by takes it. Its author does not count."""
    said = call("GET", f"merge_requests/{number}/approvals")["approved_by"] or ()
    logins = {str(one["user"]["username"]) for one in said if one["user"]}
    return ",".join(sorted(logins - {author})) or "-"


def idle() -> None:
    counts = json.loads(Path("result.json").read_bytes())["addresses"]
    if pending := sorted(kind for kind, count in counts.items() if count and kind not in UNASKED):
        say(f"Nothing was approved, and what was merged isn't applied: {', '.join(pending)}")
        sys.exit(2)


def say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")


def merged() -> dict[str, tuple[datetime, int, str]]:
    """Return the last commits of merge requests since the last apply, with the time, number and author.

    A plan that was created after the merge had no review.
    """
    found: dict[str, tuple[datetime, int, str]] = {}
    log = subprocess.run(["git", "rev-list", "--first-parent", "HEAD"], check=True, stdout=subprocess.PIPE)
    for number, commit in enumerate(log.stdout.decode().split()):
        done = newest(commit, APPLY)
        if number and done and done["status"] == "success":
            break
        found |= heads(commit)
    return found


def heads(commit: str) -> dict[str, tuple[datetime, int, str]]:
    requests = pages(f"repository/commits/{commit}/merge_requests")
    branch = os.environ["CI_DEFAULT_BRANCH"]
    ours = (one for one in requests if one["state"] == "merged" and one["target_branch"] == branch)
    # Either may be unknown: then nothing of it is approved.
    known = (one for one in ours if one["sha"] and one["merged_at"])
    return {one["sha"]: (datetime.fromisoformat(one["merged_at"]), one["iid"], whose(one)) for one in known}


def download(job: str, sha: str) -> bool:
    """Return False if the artifact has expired: its plan approves nothing."""
    try:
        content = request("GET", f"jobs/{job}/artifacts/plan.json")
    except HTTPError as error:
        if error.code != 404:
            raise
        return False
    file = Path(f"approved/{sha}/plan.json")
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    return True


def applied() -> None:
    """Save nothing if nothing was approved: the next push searches as far back as this one."""
    if not Path("approved.txt").exists() or not Path("approved.txt").read_bytes():
        return
    done = os.environ["CI_JOB_STATUS"] == "success"
    try:
        set_status(os.environ["CI_COMMIT_SHA"], APPLY, "success" if done else "failed", "")
    except HTTPError as error:
        if error.code != 403:
            raise
        # The next apply is given these approvals again, and they are used up: it only takes longer.
        say("The token may set no status here: give it a role that may merge into the default branch.")


def newest(sha: str, context: str, at: datetime | None = None, number: int = 0) -> dict[str, Any] | None:
    """Return the last status of our job until then."""
    ours = (one for one in statuses(sha) if one["name"] == f"{context} ({ENVIRONMENT})")
    known = (one for one in ours if not at or datetime.fromisoformat(one["created_at"]) <= at)
    return next((one for one in known if genuine(one, sha, context, number)), None)


def genuine(status: dict[str, Any], sha: str, context: str, number: int) -> bool:
    """Return whether the job that a status names is ours: of that commit and merge request or default branch.

    Jobs of all branches can read the token.
    """
    job = asked(f"jobs/{job_of(status)}")
    if not job or not job["commit"] or job["name"] != f"{context.rpartition('/')[2]}: [{ENVIRONMENT}]":
        return False
    commit = job["commit"]
    if context == APPLY:
        return bool(job["ref"] == os.environ["CI_DEFAULT_BRANCH"] and commit["id"] == sha)
    if job["ref"] == f"refs/merge-requests/{number}/head":
        return bool(commit["id"] == sha)
    # A pipeline on what the merge would be.
    ours = {f"refs/merge-requests/{number}/{one}" for one in ("merge", "train")}
    return job["ref"] in ours and sha in commit["parent_ids"]


def job_of(status: dict[str, Any]) -> str:
    number = (status["target_url"] or "").rpartition("/")[2]
    return number if number.isdecimal() else "0"


def asked(path: str) -> dict[str, Any] | None:
    """Return None if there is no such object."""
    try:
        return dict(call("GET", path))
    except HTTPError as error:
        if error.code != 404:
            raise
        return None


def statuses(sha: str) -> Iterator[dict[str, Any]]:
    """Return the newest first. Statuses from other creators are ignored."""
    us = whoami()
    said = list(pages(f"repository/commits/{sha}/statuses", all="true"))
    return (one for one in sorted(said, key=lambda one: -one["id"]) if whose(one) == us)


def set_status(sha: str, context: str, state: str, description: str) -> None:
    said = {"state": state, "name": f"{context} ({ENVIRONMENT})", "description": description}
    call("POST", f"statuses/{sha}", {**said, "target_url": os.environ["CI_JOB_URL"]})


def whoami() -> str:
    return str(json.loads(request("GET", f"{API}/user"))["username"])


def pages(path: str, **query: str) -> Iterator[dict[str, Any]]:
    for page in range(1, 100):
        items = call("GET", f"{path}?{urlencode({**query, 'per_page': PAGE, 'page': page})}")
        yield from items
        if len(items) < PAGE:
            return


def call(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    return json.loads(request(method, path, body) or b"null")


def request(method: str, path: str, body: dict[str, str] | None = None) -> bytes:
    address = path if path.startswith(API) else f"{PROJECT}/{path}"
    token = {"PRIVATE-TOKEN": os.environ["RECONCILER_GITLAB_TOKEN"], "Content-Type": "application/json"}
    sent = json.dumps(body).encode() if body is not None else None
    with urlopen(Request(address, sent, token, method=method), timeout=60) as answer:  # noqa: S310 - GitLab's own address
        return bytes(answer.read())


if __name__ == "__main__":
    {"planned": planned, "label": label, "approved": approved, "idle": idle, "applied": applied}[
        sys.argv[1]
    ]()
