"""A small loopback server that implements KV version 2 of Vault's HTTP API, for the real hvac.

It is no Vault: none can be installed from the registries that this project builds from. It follows
"KV secrets engine - version 2 (API)" and path_data.go of vault-plugin-secrets-kv: what `cas` allows, what a
missing, a deleted and a forbidden path answer. Policies are reduced to a list of paths that can't be
written. It knows nothing of leases, namespaces or sealing beyond answering with a given status.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, jsonify, request
from support.fakes import wsgi_server as loopback

TOKEN = "hvs.a-token-of-the-test"
MOUNT = "secret"


@dataclass(slots=True)
class Entry:
    """All versions of one path; a deleted version is None."""

    versions: list[dict[str, Any] | None] = field(default_factory=list)


@dataclass(slots=True)
class FakeVault:
    """`read_only`: paths that the token's policy can't write. `status`: answered to every request."""

    entries: dict[str, Entry] = field(default_factory=dict)
    read_only: set[str] = field(default_factory=set)
    status: int = 0
    url: str = ""
    changing: threading.Lock = field(default_factory=threading.Lock)

    def put(self, path: str, **data: Any) -> None:
        self.entries.setdefault(path, Entry()).versions.append(data)

    def newest(self, path: str) -> dict[str, Any] | None:
        return self.entries[path].versions[-1]

    def delete(self, path: str) -> None:
        """Delete the newest version, softly, like `vault kv delete`."""
        self.entries[path].versions[-1] = None

    def read(self, path: str) -> tuple[Response, int]:
        entry = self.entries.get(path)
        if entry is None:
            return refused(404)
        data = entry.versions[-1]
        answer = jsonify(data={"data": data, "metadata": metadata(len(entry.versions), deleted=data is None)})
        return answer, 404 if data is None else 200

    def write(self, path: str, body: dict[str, Any]) -> tuple[Response, int]:
        if path in self.read_only:
            return refused(403, "1 error occurred:\n\t* permission denied\n\n")
        if not isinstance(body.get("data"), dict):
            return refused(400, "no data provided")
        with self.changing:
            before = len(self.entries[path].versions) if path in self.entries else 0
            cas = body.get("options", {}).get("cas")
            if cas is not None and cas != before:
                return refused(400, "check-and-set parameter did not match the current version")
            self.put(path, **body["data"])
            return jsonify(data=metadata(before + 1)), 200

    def answer(self, mount: str, path: str) -> tuple[Response, int]:
        if self.status:
            return refused(self.status, "Vault says something of its own")
        if request.headers.get("X-Vault-Token") != TOKEN:
            return refused(403, "permission denied")
        if mount != MOUNT:
            return refused(404, f'no handler for route "{mount}/data/{path}". route entry not found.')
        if request.method == "GET":
            return self.read(path)
        return self.write(path, request.get_json())


def metadata(version: int, *, deleted: bool = False) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {
        "version": version,
        "created_time": now,
        "deletion_time": now if deleted else "",
        "destroyed": False,
        "custom_metadata": None,
    }


def refused(status: int, *errors: str) -> tuple[Response, int]:
    return jsonify(errors=list(errors)), status


@contextmanager
def serving() -> Iterator[FakeVault]:
    vault, app = FakeVault(), Flask("vault")
    app.add_url_rule("/v1/<mount>/data/<path:path>", view_func=vault.answer, methods=["GET", "POST", "PUT"])
    with loopback.serving(app) as vault.url:
        yield vault
