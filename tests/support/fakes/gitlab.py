"""GitLab's interface as the scripts of our jobs use it, one project, over a loopback socket."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, jsonify, request
from support.fakes.ci_api_contract import Exchange, Interface

TOKEN = "a project's token"
US = "project_1_bot"


@dataclass
class Forge:
    """GitLab's stored data. `artifacts`: the plan file of each job."""

    notes: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    merged: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    artifacts: dict[str, Path] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    approvers: list[str] = field(default_factory=list)
    tip: str = ""
    log: list[Exchange] = field(default_factory=list)
    """What was asked and answered."""

    def merge(self, commit: str, head: str) -> None:
        self.tip = commit
        merged = {
            "iid": 1,
            "sha": head,
            "state": "merged",
            "target_branch": "main",
            "merged_at": now(),
            "author": {"username": "ada"},
        }
        self.merged[commit] = [merged]


API = "/api/v4"
PROJECT = f"{API}/projects/1"


def now() -> str:
    return datetime.now(UTC).isoformat()


def application(forge: Forge) -> Flask:
    app = Flask(__name__)

    @app.before_request
    def authorize() -> None:
        if request.headers.get("PRIVATE-TOKEN") != TOKEN:
            abort(401)

    @app.after_request
    def remember(response: Response) -> Response:
        path = request.full_path.removeprefix(API).removesuffix("?")
        asked, answer = request.get_json(silent=True), response.get_json(silent=True)
        forge.log.append(Exchange(request.method, path, asked, response.status_code < 300, answer))
        return response

    _of_merge_requests(app, forge)
    _of_commits(app, forge)

    @app.get(f"{API}/user")
    def user() -> Response:
        return _json({"username": US})

    @app.get(f"{PROJECT}/jobs/<job>")
    def job(job: str) -> Response:
        if job not in forge.jobs:
            abort(404)
        return _json(forge.jobs[job])

    @app.get(f"{PROJECT}/repository/branches/main")
    def branch() -> Response:
        return _json({"name": "main", "commit": {"id": forge.tip}})

    @app.get(f"{PROJECT}/jobs/<job>/artifacts/plan.json")
    def artifact(job: str) -> Response:
        if job not in forge.artifacts:
            abort(404)
        return Response(forge.artifacts[job].read_bytes())

    return app


def _of_merge_requests(app: Flask, forge: Forge) -> None:
    @app.get(f"{PROJECT}/merge_requests/1/notes")
    def notes() -> Response:
        return _page(forge.notes)

    @app.post(f"{PROJECT}/merge_requests/1/notes")
    def note() -> Response:
        forge.notes.append({"id": len(forge.notes), "author": {"username": US}, **request.json})
        return _json(forge.notes[-1])

    @app.put(f"{PROJECT}/merge_requests/1/notes/<int:number>")
    def rewrite(number: int) -> Response:
        forge.notes[number] |= request.json
        return _json(forge.notes[number])

    @app.get(f"{PROJECT}/merge_requests/1/approvals")
    def approvals() -> Response:
        return _json({"approved_by": [{"user": {"username": one}} for one in forge.approvers]})

    @app.put(f"{PROJECT}/merge_requests/1")
    def labelled() -> Response:
        forge.labels -= set(request.json["remove_labels"].split(","))
        forge.labels |= set(request.json["add_labels"].split(","))
        return _json({"iid": 1, "labels": sorted(forge.labels)})


def _of_commits(app: Flask, forge: Forge) -> None:
    @app.post(f"{PROJECT}/statuses/<sha>")
    def say(sha: str) -> Response:
        said = dict(request.json)
        said["status"] = said.pop("state")
        known = {"id": len(forge.statuses), "sha": sha, "author": {"username": US}, "created_at": now()}
        forge.statuses.append({**known, **said})
        return _json(forge.statuses[-1])

    @app.get(f"{PROJECT}/repository/commits/<sha>/statuses")
    def statuses(sha: str) -> Response:
        return _page([one for one in forge.statuses if one["sha"] == sha])

    @app.get(f"{PROJECT}/repository/commits/<sha>/merge_requests")
    def merge_requests(sha: str) -> Response:
        return _page(forge.merged.get(sha, []))


def _page(items: list[Any]) -> Response:
    size, number = int(request.args["per_page"]), int(request.args["page"])
    return _json(items[size * (number - 1) : size * number])


def _json(known: Any) -> Response:
    """Respond with all documented keys."""
    path = request.path.removeprefix(API)
    return jsonify(Interface.of("gitlab").completed(request.method, path, known))
