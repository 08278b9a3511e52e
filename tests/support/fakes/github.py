"""GitHub as `gh` shows it to the scripts of our workflows: one JSON file, and a folder of artifacts.

Run as `gh` with FORGE naming the folder. What it doesn't know it refuses, as it does without a token.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

REPOSITORY = "acme/audiences"
BOT = "github-actions[bot]"
TOKEN = "a job's token"
EMPTY = {"comments": [], "labels": {}, "statuses": [], "pulls": {}, "runs": {}, "reviews": {}}


class Forge:
    """GitHub's stored data; every command reads and rewrites it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "forge.json"
        self.kept = json.loads(self.file.read_text()) if self.file.exists() else deepcopy(EMPTY)

    def save(self) -> None:
        self.file.write_text(json.dumps(self.kept, indent=1))

    @property
    def log(self) -> Path:
        """Return the requests and responses, one per line."""
        return self.folder / "log.jsonl"

    def artifact(self, run: str, name: str) -> Path:
        return self.folder / "artifacts" / run / name

    def ran(self, run: str, attempt: str, described: dict[str, object]) -> None:
        """An attempt at a run of a workflow: what decides whether its statuses are heard."""
        known = {"run_attempt": int(attempt), "head_repository": {"full_name": REPOSITORY}}
        self.kept["runs"][f"{run}/attempts/{attempt}"] = {**known, **described}
        self.save()

    def tip(self, branch: str) -> dict[str, object]:
        origin = self.folder.with_name("origin.git")
        asked = ["git", "-C", str(origin), "rev-parse", branch]
        done = subprocess.run(asked, check=True, capture_output=True, text=True)
        return {"name": branch, "commit": {"sha": done.stdout.strip()}}

    def comments(self, pull: str) -> list[str]:
        return [one["body"] for one in self.kept["comments"] if one["pull"] == pull]

    def commented(self, number: str, text: str) -> dict[str, object]:
        comment = self.kept["comments"][int(number)]
        comment["body"] = text
        return public(comment)

    def labels(self, pull: str) -> list[str]:
        return self.kept["labels"].get(pull, [])

    def label(self, pull: str, names: list[str]) -> list[dict[str, str]]:
        self.kept["labels"].setdefault(pull, []).extend(names)
        return named(self.labels(pull))

    def unlabel(self, pull: str, name: str) -> list[dict[str, str]]:
        self.labels(pull).remove(name)
        return named(self.labels(pull))

    def statuses(self, sha: str) -> list[dict[str, str]]:
        """Return the statuses, newest first."""
        return [one for one in reversed(self.kept["statuses"]) if one["sha"] == sha]

    def say_status(self, sha: str, who: str, said: dict[str, str]) -> dict[str, object]:
        self.kept["statuses"].append({**said, "sha": sha, "creator": {"login": who}, "created_at": now()})
        return public(self.kept["statuses"][-1])

    def merge(self, commit: str, number: int, head: str, base: str = "main") -> None:
        pull = {
            "number": number,
            "merged_at": now(),
            "head": {"sha": head},
            "base": {"ref": base},
        }
        self.kept["pulls"].setdefault(commit, []).append(pull)
        self.save()

    def approve(self, number: int, who: str, sha: str) -> None:
        review = {"user": {"login": who}, "state": "APPROVED", "commit_id": sha}
        self.kept["reviews"].setdefault(str(number), []).append(review)
        self.save()


def now() -> str:
    """To the microsecond, where GitHub's ends with the second: a test merges in the same one."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def public(kept: dict[str, object]) -> dict[str, object]:
    """Return the entry without our own keys."""
    return {name: one for name, one in kept.items() if name not in {"pull", "sha"}}


def named(labels: list[str]) -> list[dict[str, str]]:
    return [{"name": one} for one in labels]


def spoken(forge: Forge, method: str, path: str, body: dict | None):
    """Answer one call with all documented keys, and record it."""
    from ci_api_contract import Interface  # beside this file, which is a program here

    said = {"method": method, "path": f"/{path}", "body": body, "answered": False}
    try:
        answer = Interface.of("github").completed(method, f"/{path}", api(forge, method, path, body or {}))
        said |= {"answered": True, "answer": answer}
    finally:
        with forge.log.open("a") as log:
            log.write(f"{json.dumps(said)}\n")
    return answer


def api(forge: Forge, method: str, path: str, body: dict):
    """Answer one call of GitHub's REST API."""
    address = urlsplit(path.removeprefix(f"repos/{REPOSITORY}/"))
    known = {
        ("GET", r"issues/(\d+)/comments"): lambda pull: [
            public(one) for one in forge.kept["comments"] if one["pull"] == pull
        ],
        ("POST", r"issues/(\d+)/comments"): lambda pull: say(forge, pull, body["body"]),
        ("PATCH", r"issues/comments/(\d+)"): lambda number: forge.commented(number, body["body"]),
        ("GET", r"issues/(\d+)/labels"): lambda pull: named(forge.labels(pull)),
        ("POST", r"issues/(\d+)/labels"): lambda pull: forge.label(pull, body["labels"]),
        ("DELETE", r"issues/(\d+)/labels/(.+)"): lambda pull, name: forge.unlabel(pull, unquote(name)),
        ("GET", r"commits/([0-9a-f]{40})/statuses"): lambda sha: [public(one) for one in forge.statuses(sha)],
        ("POST", r"statuses/([0-9a-f]{40})"): lambda sha: forge.say_status(sha, BOT, body),
        ("GET", r"commits/([0-9a-f]{40})/pulls"): lambda sha: forge.kept["pulls"].get(sha, []),
        ("GET", r"pulls/(\d+)/reviews"): lambda number: forge.kept["reviews"].get(number, []),
        ("GET", r"actions/runs/(\d+/attempts/\d+)"): lambda run: forge.kept["runs"].get(run) or missing(),
        ("GET", r"branches/(.+)"): lambda branch: forge.tip(unquote(branch)),
    }  # fmt: skip
    for (verb, pattern), answer in known.items():
        if verb == method and (found := re.fullmatch(pattern, address.path)):
            answered = answer(*found.groups())
            return page(answered, parse_qs(address.query)) if address.query else answered
    raise SystemExit(f"gh: no such call: {method} {path}")


def missing() -> None:
    raise SystemExit("gh: Not Found (HTTP 404)")


def say(forge: Forge, pull: str, text: str) -> dict[str, object]:
    comments = forge.kept["comments"]
    comments.append({"id": len(comments), "pull": pull, "body": text, "user": {"login": BOT}})
    return public(comments[-1])


def page(items: list, query: dict[str, list[str]]) -> list:
    size, number = int(query["per_page"][0]), int(query["page"][0])
    return items[size * (number - 1) : size * number]


def download(forge: Forge, run: str, options: dict[str, str]) -> None:
    artifact = forge.artifact(run, options["--name"])
    if not artifact.is_dir() or options["--repo"] != REPOSITORY:
        raise SystemExit("gh: no artifact matches any of the names or patterns provided")
    shutil.copytree(artifact, options["--dir"])


def main(arguments: list[str]) -> None:
    forge = Forge(Path(os.environ["FORGE"]))
    if os.environ.get("GH_TOKEN") != TOKEN:
        raise SystemExit("gh: set the GH_TOKEN environment variable")
    if arguments[:2] == ["run", "download"]:
        download(forge, arguments[2], dict(zip(arguments[3::2], arguments[4::2], strict=True)))
    elif arguments[:2] == ["api", "--method"]:
        sends = arguments[4:] == ["--input", "-"]
        print(json.dumps(spoken(forge, arguments[2], arguments[3], json.load(sys.stdin) if sends else None)))  # noqa: T201
    else:
        raise SystemExit(f"gh: unknown command {arguments}")
    forge.save()


if __name__ == "__main__":
    main(sys.argv[1:])
