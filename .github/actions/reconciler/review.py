"""Reports plans to GitHub, and finds the approved plans that a merge applies. Runs in workflows, beside `gh`.

planned   comments on the pull request, and saves the digest of the plan as a status of the commit
label     labels the pull request by the most severe of its plans
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
from pathlib import Path
from typing import Any
from urllib.parse import quote

BOT = "github-actions[bot]"
LABELS = ("failed", "blocked", "changes", "no changes")
"""The most severe first."""
PLAN, APPLY = "reconciler/plan", "reconciler/apply"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
PAGE = 100

REPOSITORY = f"repos/{os.environ['GITHUB_REPOSITORY']}"
RUN = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}".format(**os.environ)
ATTEMPT = f"{RUN}/attempts/{os.environ.get('GITHUB_RUN_ATTEMPT', '1')}"
ADDRESS = re.compile(
    re.escape("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}".format(**os.environ))
    + r"/actions/runs/([0-9]+)/attempts/([0-9]+)"
)
MAKES = {
    PLAN: (".github/workflows/reconciler-plan.yml", ("pull_request", "merge_group")),
    APPLY: (".github/workflows/reconciler-apply.yml", ("push",)),
}
"""The workflow and the events that may set each status."""
UNASKED = {"update", "state-only", "drift", "unchanged"}
"""Changes without a merge: members, and what changed at Criteo outside reconciler."""
ENVIRONMENT = os.environ.get("ENVIRONMENT", "")
Pulls = dict[int, str]
"""The number of each pull request, and its last commit."""


def planned() -> None:
    digest, pull_request = os.environ["DIGEST"], os.environ["PULL_REQUEST"]
    if pull_request:
        comment(pull_request, Path("plan.md").read_text(encoding="utf-8"))
    kind = kind_of(json.loads(Path("plan.json").read_bytes()), digest)
    set_status(os.environ["SHA"], PLAN, "success" if digest else "failure", f"{kind} {digest}".strip())


def kind_of(plan: dict[str, Any], digest: str) -> str:
    """Return the label of a plan. `digest` is empty if the plan may not be applied."""
    addresses = plan.get("addresses") or {}
    if not digest:
        refused = addresses.get("blocked") or (plan.get("document") or {}).get("problems")
        return "blocked" if refused else "failed"
    changing = any(count for kind, count in addresses.items() if kind != "unchanged")
    return "changes" if changing else "no changes"


def comment(pull_request: str, body: str) -> None:
    """Write one comment per environment: ours with the same marker is overwritten."""
    marker = body.partition("\n")[0]
    for one in pages(f"{REPOSITORY}/issues/{pull_request}/comments"):
        if login(one["user"]) == BOT and (one.get("body") or "").partition("\n")[0].strip() == marker:
            gh("PATCH", f"{REPOSITORY}/issues/comments/{one['id']}", {"body": body})
            return
    gh("POST", f"{REPOSITORY}/issues/{pull_request}/comments", {"body": body})


def login(user: dict[str, Any] | None) -> str:
    """Return the author, or an empty text if the account was deleted."""
    return str(user["login"]) if user else ""


def label() -> None:
    pull_request = f"{REPOSITORY}/issues/{os.environ['PULL_REQUEST']}/labels"
    said = {text.partition(" sha256:")[0] for text in of_this_run(os.environ["SHA"])}
    wanted = f"reconciler: {next((one for one in LABELS if one in said), 'failed')}"
    there = {one["name"] for one in pages(pull_request)}
    for name in (f"reconciler: {one}" for one in LABELS):
        if name in there and name != wanted:
            gh("DELETE", f"{pull_request}/{name.replace(':', '%3A').replace(' ', '%20')}")
    if wanted not in there:
        gh("POST", pull_request, {"labels": [wanted]})


def of_this_run(sha: str) -> Iterator[str]:
    """Return the newest artifact of each environment: a failed job may have run again."""
    ours = (one for one in statuses(sha) if (one["target_url"] or "").startswith(f"{RUN}/"))
    plans = [one for one in ours if one["context"].startswith(f"{PLAN} (")]
    yield from {one["context"]: one["description"] or "" for one in reversed(plans)}.values()


def approved() -> None:
    branch, arguments = os.environ["GITHUB_REF_NAME"], list[str]()
    tip = gh("GET", f"{REPOSITORY}/branches/{quote(branch, safe='')}")["commit"]["sha"]
    if tip != os.environ["GITHUB_SHA"]:
        summarize(
            f"`{branch}` has moved on since, so nothing was applied here: the run of its last push does that."
        )
        output("found=stale")
        return
    for sha, (at, pulls) in merged().items():
        status = newest(sha, PLAN, at)
        if not status or status["state"] != "success":
            continue
        digest = DIGEST.search(status["description"] or "")
        if digest and download(status["target_url"], sha):
            arguments += ["--approved", f"approved/{sha}/plan.json", "--approved-digest", digest[0]]
            arguments += ["--approved-by", approvers(pulls)]
    Path("approved.txt").write_text("".join(f"{one}\n" for one in arguments), encoding="utf-8")
    if not arguments:
        summarize("Nothing was approved, so nothing was applied. What awaits an approval, or the next sync:")
    output(f"found={str(bool(arguments)).lower()}")


def idle() -> None:
    counts = json.loads(Path("result.json").read_bytes())["addresses"]
    if pending := sorted(kind for kind, count in counts.items() if count and kind not in UNASKED):
        sys.stdout.write(
            f"::error title=Nothing was approved::what was merged isn't applied: {', '.join(pending)}\n"
        )
        sys.exit(2)


def output(line: str) -> None:
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def summarize(sentence: str) -> None:
    with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as file:
        file.write(f"{sentence}\n\n")


def approvers(pulls: Pulls) -> str:
    """Return who approved the last commit of all these pull requests, as --approved-by takes it.

    Only the last verdict of each account counts. GitHub refuses an author's own approval.
    """
    every = [approved_at(number, sha) for number, sha in pulls.items()]
    return ",".join(sorted(set[str]().union(*every).intersection(*every))) or "-"


def approved_at(number: int, sha: str) -> set[str]:
    """Return the accounts whose last verdict on a commit is an approval."""
    verdicts: dict[str, str] = {}
    for one in pages(f"{REPOSITORY}/pulls/{number}/reviews"):
        if one["state"] != "COMMENTED" and one["commit_id"] == sha:
            verdicts[login(one["user"])] = one["state"]
    return {account for account, verdict in verdicts.items() if account and verdict == "APPROVED"}


def merged() -> dict[str, tuple[str, Pulls]]:
    """Return the planned commits since the last apply, when each was merged, and its pull requests.

    The merge queue or a pull request planned them. A plan that was created after the merge had no review.
    """
    found: dict[str, tuple[str, Pulls]] = {}
    log = subprocess.run(["git", "rev-list", "--first-parent", "HEAD"], check=True, stdout=subprocess.PIPE)
    for number, commit in enumerate(log.stdout.decode().split()):
        done = newest(commit, APPLY)
        if number and done and done["state"] == "success":
            break
        pulls = heads(commit)
        at = min((merged_at for merged_at, _ in pulls.values()), default="")
        every = {number: sha for _, numbers in pulls.values() for number, sha in numbers.items()}
        found |= {commit: (at, every)} if newest(commit, PLAN, at) else pulls
    return found


def heads(commit: str) -> dict[str, tuple[str, Pulls]]:
    """Return the last commits of its pull requests, when each was merged, and its number."""
    pulls = pages(f"{REPOSITORY}/commits/{commit}/pulls")
    branch = os.environ["GITHUB_REF_NAME"]
    ours = (one for one in pulls if one["merged_at"] and one["base"]["ref"] == branch)
    return {one["head"]["sha"]: (one["merged_at"], {one["number"]: one["head"]["sha"]}) for one in ours}


def download(address: str, sha: str) -> bool:
    """Return False if the artifact has expired: its plan approves nothing."""
    made = ADDRESS.fullmatch(address)
    if not made:
        return False
    name = f"reconciler-plan-{ENVIRONMENT}-{made[2]}"
    command = ["gh", "run", "download", made[1], "--name", name, "--dir", f"approved/{sha}"]
    return subprocess.run([*command, "--repo", os.environ["GITHUB_REPOSITORY"]], check=False).returncode == 0


def applied() -> None:
    set_status(os.environ["GITHUB_SHA"], APPLY, os.environ["OUTCOME"], "")


def newest(sha: str, context: str, at: str = "9999") -> dict[str, Any] | None:
    """Return our workflow's last status until then. Statuses from other creators are ignored."""
    ours = (one for one in statuses(sha) if one["context"] == f"{context} ({ENVIRONMENT})")
    return next((one for one in ours if one["created_at"] <= at and genuine(one, sha, context)), None)


def genuine(status: dict[str, Any], sha: str, context: str) -> bool:
    """Return whether the run that a status names is ours. Workflows of all branches share one bot account."""
    made = ADDRESS.fullmatch(status["target_url"] or "")
    run = made and asked(f"{REPOSITORY}/actions/runs/{made[1]}/attempts/{made[2]}")
    if not run:
        return False
    file, events = MAKES[context]
    return (
        run["head_sha"] == sha
        and run["path"].partition("@")[0] == file
        and run["event"] in events
        and (run["head_repository"] or {}).get("full_name") == os.environ["GITHUB_REPOSITORY"]
        and (context == PLAN or run["head_branch"] == os.environ["GITHUB_REF_NAME"])
    )


def asked(path: str) -> dict[str, Any] | None:
    """Return None if there is no such object."""
    done = subprocess.run(["gh", "api", "--method", "GET", path], check=False, capture_output=True)
    if done.returncode and b"HTTP 404" not in done.stderr:
        sys.exit(done.stderr.decode())
    return None if done.returncode else json.loads(done.stdout)


def statuses(sha: str) -> Iterator[dict[str, Any]]:
    """Return the newest first."""
    for one in pages(f"{REPOSITORY}/commits/{sha}/statuses"):
        if login(one["creator"]) == BOT:
            yield one


def set_status(sha: str, context: str, state: str, description: str) -> None:
    said = {"state": state, "context": f"{context} ({ENVIRONMENT})", "description": description}
    gh("POST", f"{REPOSITORY}/statuses/{sha}", {**said, "target_url": ATTEMPT})


def pages(path: str) -> Iterator[dict[str, Any]]:
    for page in range(1, 100):
        items = gh("GET", f"{path}?per_page={PAGE}&page={page}")
        yield from items
        if len(items) < PAGE:
            return


def gh(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    command = ["gh", "api", "--method", method, path]
    if body is not None:
        command += ["--input", "-"]
    sent = json.dumps(body).encode() if body is not None else None
    done = subprocess.run(command, input=sent, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout) if done.stdout.strip() else None


if __name__ == "__main__":
    {"planned": planned, "label": label, "approved": approved, "idle": idle, "applied": applied}[
        sys.argv[1]
    ]()
