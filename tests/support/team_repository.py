"""A team's repository, written by `init`, and a Criteo on a socket."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from support import forked_command
from support.cli import REPOSITORY, WRITES, surroundings
from support.fakes import wsgi_server as loopback
from support.fakes.object_stores import Served, in_a_short_bucket

from reconciler.emulator import Emulator
from reconciler.emulator.wsgi import application

GIT = shutil.which("git") or ""
CREDENTIALS = ("CRITEO_CLIENT", "CRITEO_PLAN_CLIENT")
ENVIRONMENT = """\
kind: Environment
name: production
api: {{endpoint: "{endpoint}", version: "2026-07"}}
state: {{url: "file:{shared}/state"}}
data: {{root: "{shared}/data"}}
seats:
  main: {{accountId: "368477501993431040", retailerId: "3239117063738827231"}}
guards: {{maxShrink: 20%, maxGrowth: 100%, minMembers: 1, maxInvalid: 10%}}
approval: {{tolerance: 2%, maxAge: 72h}}
"""
AUDIENCE = """\
kind: Audience
name: {name}
title: {name}
destinations: [offsite-email]
source: {{files: ["customers/*.csv"]}}
columns: {{Email: email}}
"""


@dataclass
class TeamRepository:
    """State and data are where every checkout reaches them, as buckets would be."""

    origin: Path
    work: Path
    shared: Path
    programs: Path
    emulator: Emulator
    changes: int = 0

    @classmethod
    @contextmanager
    def working(cls, root: Path, ci: str) -> Iterator[Self]:
        """`programs`: what runners have on their path."""
        work, origin, shared, programs = (root / one for one in ("work", "origin.git", "shared", "programs"))
        programs.mkdir()
        forked_command.write_program(programs / "reconciler")
        for name in ("python", "python3"):
            program(programs / name, "")
        with (
            Emulator.open(root / "criteo.sqlite") as emulator,
            loopback.serving(application(emulator.pipeline)) as endpoint,
        ):
            emulator.ensure_account("368477501993431040", ["3239117063738827231"])
            team = cls(origin, work, shared, programs, emulator)
            team._begin(endpoint, ci)
            yield team

    def _begin(self, endpoint: str, ci: str) -> None:
        begin = [
            self.programs / "reconciler",
            "init",
            self.work,
            "--ci",
            ci,
            "--admins",
            "@acme/admins",
            "--owners",
            "@acme/crm",
        ]
        subprocess.run(begin, check=True, env=surroundings(PYTHONPATH=str(REPOSITORY)), capture_output=True)
        shutil.copytree(self.work / "data", self.shared / "data")
        environment = self.work / "environments/production/environment.yaml"
        environment.write_text(ENVIRONMENT.format(endpoint=endpoint, shared=self.shared))
        subprocess.run([GIT, "init", "--quiet", "--bare", "-b", "main", self.origin], check=True)
        self.git("init", "--quiet", "-b", "main")
        self.git("remote", "add", "origin", str(self.origin))
        self.commit("init")
        self.git("push", "--quiet", "origin", "main")
        self.people(*range(1000))

    @property
    def secrets(self) -> dict[str, str]:
        issued = self.emulator.credentials
        ids = {f"{name}_ID": issued.client_id for name in CREDENTIALS}
        return ids | {f"{name}_SECRET": issued.client_secret for name in CREDENTIALS}

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        done = subprocess.run(
            [GIT, *who, *arguments], cwd=self.work, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def checkout(self, folder: Path, commit: str) -> None:
        """A fresh one, with nothing of any other."""
        subprocess.run([GIT, "clone", "--quiet", self.origin, folder], check=True)
        subprocess.run([GIT, "-C", folder, "checkout", "--quiet", "--detach", commit], check=True)

    def people(self, *numbers: int) -> None:
        rows = (f"{one:06d},person{one}@example.com,2020-01-01" for one in numbers)
        file = self.shared / "data/customers/example.csv"
        file.write_text("\n".join(["customer_id,email,last_order", *rows]) + "\n")

    def audience(self, name: str, text: str = "") -> None:
        file = self.work / f"environments/production/audiences/{name}.yaml"
        file.write_text(text or AUDIENCE.format(name=name))

    def push(self, *names: str, **texts: str) -> str:
        """Audiences, on a branch of their own; its last commit."""
        self.changes += 1
        self.git("checkout", "--quiet", "-b", f"change-{self.changes}", "main")
        for name in names:
            self.audience(name)
        for name, text in texts.items():
            self.audience(name, text)
        return self.push_more()

    def push_more(self) -> str:
        commit = self.commit("A change")
        self.git("push", "--quiet", "origin", "HEAD")
        return commit

    def merge(self, head: str) -> str:
        self.git("checkout", "--quiet", "main")
        self.git("merge", "--quiet", "--no-ff", "-m", "Merge", head)
        self.git("push", "--quiet", "origin", "main")
        return self.git("rev-parse", "HEAD")

    def writes(self) -> int:
        """Calls that changed something at Criteo."""
        return sum(call.operation in WRITES for call in self.emulator.history())

    def segments(self) -> dict[str, int]:
        """How many members each has, by its name at Criteo."""
        return {one.name: len(self.emulator.members(one.id)) for one in self.emulator.segments()}


@dataclass(frozen=True)
class Exports:
    """What the team's sources are when they are in a bucket."""

    served: Served
    team: TeamRepository

    @classmethod
    @contextmanager
    def of(cls, team: TeamRepository) -> Iterator[Self]:
        """From now on, in every checkout."""
        with in_a_short_bucket() as served:
            environment = team.work / "environments/production/environment.yaml"
            text = environment.read_text().replace(f"{team.shared}/data", served.url)
            environment.write_text(text)
            team.commit("Read exports where they are")
            team.git("push", "--quiet", "origin", "main")
            yield cls(served, team)

    def people(self, *numbers: int) -> None:
        self.team.people(*numbers)
        for file in (self.team.shared / "data").rglob("*.csv"):
            self.served.store.put(str(file.relative_to(self.team.shared / "data")), file)


def program(file: Path, arguments: str) -> None:
    """One that is Python with these arguments before its own."""
    file.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
    file.chmod(0o755)
