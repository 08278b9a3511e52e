"""A project in its own folder, and the real command line run on it."""

import os
import pty
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support import forked_command

from reconciler.emulator import Emulator, Request

REPOSITORY = Path(__file__).parents[2]
WRITES = frozenset(
    {
        "bulkCreateAudienceSegments",
        "bulkUpdateAudienceSegments",
        "bulkDeleteAudienceSegments",
        "AddRemoveContactListByAudienceSegment",
        "ClearContactListByAudienceSegment",
    }
)
ENVIRONMENT = """\
kind: Environment
name: sandbox
api: {{endpoint: {endpoint}, version: "2026-07", batchSize: {batch_size}}}
state: {{url: "file:.reconciler/state/sandbox"}}
data: {{root: data}}
seats:
  acme: {{accountId: "368477501993431040", retailerId: "3239117063738827231"}}
guards: {{maxShrink: 20%, maxGrowth: 100%, minMembers: 1, maxInvalid: 10%}}
"""
REST = """\
kind: Credential
name: criteo
grant: clientCredentials
clientId: {client_id}
clientSecret: {client_secret}
---
kind: Destination
name: email
credential: criteo
seat: acme
identifierType: Email
hashing: sha256
---
kind: Destination
name: customer
credential: criteo
seat: acme
identifierType: CustomerId
"""
AUDIENCE = """\
kind: Audience
name: buyers
title: Buyers
destinations: [email, customer]
source: {files: ["people.csv"]}
columns: {Email: email, CustomerId: id}
"""


@dataclass(frozen=True)
class Ended:
    """The end of a command. Color and cursor codes are removed from its output."""

    code: int
    said: str


@dataclass(frozen=True)
class Project:
    """One environment `sandbox`, one audience `buyers`, one source `people.csv`."""

    root: Path

    @classmethod
    def make(
        cls,
        root: Path,
        endpoint: str = "emulator",
        client_id: str = "env:ID",
        client_secret: str = "env:SECRET",
        batch_size: int = 50_000,
    ) -> "Project":
        folder = root / "environments" / "sandbox"
        folder.mkdir(parents=True)
        (root / "data").mkdir()
        environment = ENVIRONMENT.format(endpoint=endpoint, batch_size=batch_size)
        (folder / "environment.yaml").write_text(environment)
        (folder / "rest.yaml").write_text(REST.format(client_id=client_id, client_secret=client_secret))
        (folder / "buyers.yaml").write_text(AUDIENCE)
        return cls(root)

    @classmethod
    def examples(cls, root: Path) -> "Project":
        """The repository's own environments and data."""
        for folder in ("environments", "examples"):
            shutil.copytree(REPOSITORY / folder, root / folder)
        return cls(root)

    def people(self, *numbers: int) -> None:
        lines = ["email,id", *(f"person{number}@example.com,c{number}" for number in numbers)]
        (self.root / "data" / "people.csv").write_text("\n".join(lines) + "\n")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "reconciler", *arguments]

    def run(self, *arguments: str, code: int = 0, given: str = "", **environ: str) -> Ended:
        """Run one command to its end without a terminal, and check its exit code."""
        ended, said = forked_command.run(
            self.root, arguments, surroundings(**environ), given=given.encode("utf-8", "surrogateescape")
        )
        assert ended == code, said
        return Ended(ended, said)

    def streams(self, *arguments: str, given: str = "", **environ: str) -> forked_command.Streams:
        """Run one command to its end, and return its streams apart."""
        return forked_command.streams(self.root, arguments, surroundings(**environ), given.encode())

    def run_in_new_interpreter(self, *arguments: str, code: int = 0, **environ: str) -> Ended:
        """The same in a new interpreter, for PYTHONPATH and the like."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=surroundings(**environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return Ended(done.returncode, done.stdout)

    def at_terminal(self, *arguments: str, typed: str = "") -> Ended:
        """The same at a terminal, where counts are exact. `typed` is entered beforehand."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self.root,
            env=surroundings(COLUMNS="160"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        os.write(ours, typed.encode())
        said = b""
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:
                break
            if not piece:
                break
            said += piece
        os.close(ours)
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode()).replace("\r\n", "\n")
        return Ended(process.wait(timeout=60), plain)

    def completed(self, *words: str) -> list[str]:
        """Return bash's completions of the last word."""
        line = " ".join(["reconciler", *words])
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; sys.argv[0] = 'reconciler'; from reconciler.cli import main; main()",
            ],
            cwd=self.root,
            env=surroundings(
                _RECONCILER_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words))
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return [one.partition(",")[2] for one in done.stdout.splitlines() if one]

    def emulator(self) -> Emulator:
        return Emulator.open(self.root / ".reconciler" / "emulator" / "sandbox.sqlite")

    def history(self) -> tuple[Request, ...]:
        with self.emulator() as emulator:
            return emulator.history()

    def writes(self) -> list[Request]:
        return [call for call in self.history() if call.operation in WRITES]

    def members(self, channel: str) -> frozenset[str]:
        """Return the members of one destination at Criteo."""
        with self.emulator() as emulator:
            [segment] = [one for one in emulator.segments() if f"({channel})" in one.name]
            return emulator.members(segment.id)

    def serial(self) -> str:
        return (self.root / ".reconciler" / "state" / "sandbox" / "head.json").read_text()


def surroundings(**environ: str) -> dict[str, str]:
    """Return the variables of a command: ours, without CI and color variables of the test runner."""
    whose = {"CI", "GITHUB_ACTIONS", "NO_COLOR"}
    kept = {name: value for name, value in os.environ.items() if name not in whose}
    return kept | {"PYTHONWARNINGS": "error"} | environ
