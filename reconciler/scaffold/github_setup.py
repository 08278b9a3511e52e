"""What has to be set once at GitHub, as commands of its own tool, `gh`: printed, and never run."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

PLAN = ("CRITEO_PLAN_CLIENT_ID", "CRITEO_PLAN_CLIENT_SECRET")
APPLY = ("CRITEO_CLIENT_ID", "CRITEO_CLIENT_SECRET")
ROLE, REGION, ENVIRONMENTS = "AWS_ROLE_ARN", "AWS_REGION", "RECONCILER_ENVIRONMENTS"
BRANCH = "main"
REQUIRED = ("validate", "planned")
"""The checks without which nothing is merged."""
_REPOSITORY = "repos/{owner}/{repo}"
_BRANCHES = {"deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True}}
_WORKFLOWS = {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False}
_RULESET = {
    "name": BRANCH,
    "target": "branch",
    "enforcement": "active",
    "conditions": {"ref_name": {"include": [f"refs/heads/{BRANCH}"], "exclude": []}},
    "rules": [
        {"type": "deletion"},
        {"type": "non_fast_forward"},
        {
            "type": "pull_request",
            "parameters": {
                "required_approving_review_count": 1,
                "require_code_owner_review": True,
                "require_last_push_approval": True,
                "dismiss_stale_reviews_on_push": True,
                "required_review_thread_resolution": False,
            },
        },
        {
            "type": "required_status_checks",
            "parameters": {
                "strict_required_status_checks_policy": False,
                "required_status_checks": [{"context": one} for one in REQUIRED],
            },
        },
    ],
}


def commands(environment: str) -> Iterator[str]:
    """A script for bash, line by line; values in capitals are for the reader to replace."""
    planning, applying = f"{environment}-plan", (environment, f"{environment}-sync")
    yield "# Run these in a clone of the repository, logged in as its administrator (`gh auth login`)."
    yield "# `gh secret set` asks for each value: none is an argument, where a shell's history would keep it."
    yield ""
    yield f"# Environments: jobs of pull requests get {planning}, jobs of {BRANCH} the other two."
    yield _api("PUT", f"{_REPOSITORY}/environments/{planning}")
    for name in applying:
        yield from _with_body("PUT", f"{_REPOSITORY}/environments/{name}", _BRANCHES)
        branches = f"{_REPOSITORY}/environments/{name}/deployment-branch-policies"
        yield f"{_api('POST', branches)} -f name={BRANCH}"
    yield ""
    yield f"# Variables: the role of {planning} can only read the buckets."
    yield f"gh variable set {REGION} --body REGION"
    for name in (planning, *applying):
        role = "READING_ROLE" if name == planning else "WRITING_ROLE"
        yield f"gh variable set {ROLE} --env {name} --body arn:aws:iam::ACCOUNT:role/{role}"
    yield ""
    yield "# Secrets"
    for name in (planning, *applying):
        for secret in PLAN if name == planning else (*PLAN, *APPLY):
            yield f"gh secret set {secret} --env {name}"
    yield ""
    yield f"# {BRANCH}: pull requests, reviewed by code owners, with a plan. Workflows approve none."
    yield from _with_body("POST", f"{_REPOSITORY}/rulesets", _RULESET)
    yield from _with_body("PUT", f"{_REPOSITORY}/actions/permissions/workflow", _WORKFLOWS)
    yield ""
    yield "# Last: from now on plans and applies are of this environment."
    yield f"gh variable set {ENVIRONMENTS} --body {shlex.quote(json.dumps([environment]))}"


def _api(method: str, path: str) -> str:
    return f"gh api --method {method} '{path}'"


def _with_body(method: str, path: str, body: Mapping[str, Any]) -> Iterator[str]:
    yield f"{_api(method, path)} --input - <<'JSON'"
    yield json.dumps(body, indent=2)
    yield "JSON"
