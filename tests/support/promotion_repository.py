"""A git repository with two environments, and git with fixed names and times."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

GIT = shutil.which("git") or ""
PROMOTABLE = ("audiences", "destinations.yaml")
ENVIRONMENT = """\
kind: Environment
name: {name}
api: {{endpoint: emulator, version: "2026-07"}}
state: {{url: "file:.reconciler/state/{name}"}}
data: {{root: data}}
seats:
  acme: {{accountId: "368477501993431040", retailerId: "3239117063738827231"}}
"""
CREDENTIAL = """\
kind: Credential
name: criteo
grant: clientCredentials
clientId: env:ID
clientSecret: env:SECRET
"""
DESTINATIONS = """\
kind: Destination
name: email
credential: criteo
seat: acme
identifierType: Email
hashing: sha256
"""
SURROUNDINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "2026-11-29T12:00:00Z",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_COMMITTER_DATE": "2026-11-29T12:00:00Z",
}


def audience(name: str, **fields: str) -> str:
    """Return a manifest with an empty line and a comment between fields, so that edits rarely meet."""
    title, where = fields.get("title", name.capitalize()), fields.get("where", "last_order > 1")
    description = fields.get("description", f"All of {name}")
    return (
        f"# the audience {name}\nkind: Audience\nname: {name}\n\n"
        f"# shown at Criteo\ntitle: {title}\n\n# for readers\n\ndescription: {description}\n\n"
        f"# where it is sent\ndestinations: [email]\n\n# where it comes from\n\n"
        f'source:\n  files: ["people.csv"]\n\n  # who is in it\n\n  where: "{where}"\n\n'
        "columns: {Email: email}\n"
    )


@dataclass(frozen=True)
class PromotionRepository:
    """`sandbox` is promoted to `production`. Both begin with no audience, on the branch `main`."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> "PromotionRepository":
        root.mkdir(parents=True, exist_ok=True)
        made = cls(root)
        made.git("init", "--quiet", "--initial-branch=main")
        for name in ("sandbox", "production"):
            made.write(name, "environment.yaml", ENVIRONMENT.format(name=name))
            made.write(name, "credentials.yaml", CREDENTIAL)
        made.write("sandbox", "destinations.yaml", DESTINATIONS)
        (root / "data").mkdir()
        (root / "data" / ".gitkeep").touch()
        (root / ".gitignore").write_text(".reconciler/\n")
        made.commit()
        return made

    def git(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [GIT, *arguments],
            cwd=self.root,
            env={**os.environ, **SURROUNDINGS},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    def commit(self, message: str = "Edit") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")

    def folder(self, environment: str) -> Path:
        return self.root / "environments" / environment

    def write(self, environment: str, path: str, text: str) -> None:
        file = self.folder(environment) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def read(self, environment: str, path: str) -> str:
        return (self.folder(environment) / path).read_text()

    def edit(self, environment: str, path: str, old: str, new: str) -> None:
        text = self.read(environment, path)
        assert old in text
        self.write(environment, path, text.replace(old, new))

    def move(self, environment: str, path: str, new: str) -> None:
        (self.folder(environment) / new).parent.mkdir(parents=True, exist_ok=True)
        (self.folder(environment) / path).rename(self.folder(environment) / new)

    def remove(self, environment: str, path: str) -> None:
        (self.folder(environment) / path).unlink()

    def texts(self, environment: str) -> dict[str, str]:
        """Return the files of an environment that can be promoted, by path."""
        folder = self.folder(environment)
        found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.yaml")}
        return {path: file.read_text() for path, file in sorted(found.items()) if path.startswith(PROMOTABLE)}
