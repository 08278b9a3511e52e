"""A small valid project, for tests that break one thing."""

from datetime import date
from pathlib import Path

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.manifests import load, load_offline

FILES = {
    "environment.yaml": """\
kind: Environment
name: sandbox
api: {endpoint: emulator, version: "2026-07"}
state: {url: "file:.reconciler/state/sandbox"}
data: {root: data}
seats:
  acme: {accountId: "368477501993431040", retailerId: "3239117063738827231"}
namePrefix: "[sandbox] "
sample: {rows: 1000}
guards: {maxShrink: 20%, maxGrowth: 100%, minMembers: 1, maxInvalid: 10%}
approval: {tolerance: 2%, maxAge: 72h}
""",
    "credentials.yaml": """\
kind: Credential
name: criteo
grant: authorizationCode
clientId: env:CRITEO_CLIENT_ID
clientSecret: env:CRITEO_CLIENT_SECRET
refreshToken: state:criteo
redirectUri: https://hooks.acme.example/criteo
""",
    "destinations.yaml": """\
kind: Destination
name: offsite-email
description: Offsite campaigns
credential: criteo
seat: acme
identifierType: Email
hashing: sha256
access: {adminOnly: false, pii: hashed}
---
kind: Destination
name: onsite-customer
credential: criteo
seat: acme
identifierType: CustomerId
""",
    "audiences/lapsed.yaml": """\
kind: Audience
name: lapsed-90d
title: Lapsed buyers
description: Nothing in 90 days
destinations: [offsite-email, onsite-customer]
source:
  files: ["customers/*.csv"]
  where: "last_order < :today - interval 90 day"
  maxAge: 36h
columns: {Email: email, CustomerId: customer_id}
exclude:
  - {files: ["suppressed.csv"], columns: {Email: email}}
guards: {maxShrink: 10%}
""",
}
CARET = "‸"
TODAY = date(2026, 11, 24)


class Project:
    """The project on disk; `environments/sandbox` is its only environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "environments" / "sandbox"
        for name, text in FILES.items():
            self.write(name, text)
        for name in ("customers/north.csv", "suppressed.csv"):
            path = root / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("email,customer_id\n")

    def write(self, name: str, text: str | bytes) -> str:
        """Write a manifest; return the position of the caret in it, as file:line:column."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            path.write_bytes(text)
            return ""
        before, _, after = text.partition(CARET)
        path.write_bytes((before + after).encode())
        lines = before.split("\n")
        return f"environments/sandbox/{name}:{len(lines)}:{len(lines[-1]) + 1}"

    def edit(self, name: str, old: str, new: str) -> str:
        """Replace the first `old` in a manifest; return the position of the caret in `new`."""
        text = (self.folder / name).read_text()
        assert old in text
        return self.write(name, text.replace(old, new, 1))

    def findings(self) -> tuple[Finding, ...]:
        """Return the findings of `plan` and `apply`, or else of `validate`."""
        try:
            load(self.root, "sandbox")
            load_offline(self.root, "sandbox", today=TODAY)
        except ConfigurationError as error:
            return error.findings
        return ()


def others(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Return findings without the note on the project's grant."""
    return tuple(note for note in notes if "this version authenticates with" not in note)
