"""The daily schedule reports changes outside reconciler and verifies, although audiences change every day.

The steps are taken from the files that `init` writes. The emulator's clock moves from day to day.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from support.cli import REPOSITORY, surroundings
from support.team_repository import ENVIRONMENT, TeamRepository
from support.workflow_runner import SHELL, Runner

from reconciler.emulator import Emulator
from reconciler.emulator.in_process_transport import transport

HANDS = 100
JOBS = ".gitlab/reconciler/reconciler.gitlab-ci.yml"
COMPARED = "No drift in 1 address."


@dataclass(frozen=True)
class Day:
    """How the schedule ended, the text of its drift report, and of what it applied."""

    failed: bool
    said: str
    drift: str
    result: str


@dataclass
class Schedule:
    """One environment on an emulator, in one checkout, and one audience that changes every day."""

    team: TeamRepository
    system: str
    run: Callable[[], tuple[bool, str]]
    day: int = 0

    def begin(self) -> None:
        self.people()
        self.reconciler("apply", "production", "--yes")

    def next_day(self, hours: int = 24) -> Day:
        self.reconciler("emulator", "advance", "production", f"{hours}h")
        self.day += 1
        self.people()
        failed, said = self.run()
        drift, result = (self.team.work / name for name in ("drift.md", "result.md"))
        return Day(failed, said, drift.read_text(), result.read_text())

    def people(self) -> None:
        self.team.people(*range(20 * self.day, 1000 + 25 * self.day))

    @property
    def wanted(self) -> int:
        return 1000 + 5 * self.day

    def remove_by_hand(self) -> None:
        """Remove wanted members outside reconciler."""
        [held] = self.segments()
        with self.emulator() as emulator:
            everybody = emulator.members(held)
            given = emulator.credentials
            some = sorted(everybody)[:HANDS]
            with httpx.Client(
                base_url="https://api.criteo.com", transport=transport(emulator.pipeline)
            ) as http:
                pair = {"client_id": given.client_id, "client_secret": given.client_secret}
                token = http.post("/oauth2/token", data={"grant_type": "client_credentials", **pair}).json()
                http.post(
                    f"/2026-07/retail-media/audience-segments/{held}/contact-list/add-remove",
                    json={"data": {"attributes": {"operation": "remove", "identifiers": some}}},
                    headers={"authorization": f"Bearer {token['access_token']}"},
                ).raise_for_status()
            assert len(emulator.members(held)) == len(everybody) - HANDS

    def segments(self) -> list[str]:
        with self.emulator() as emulator:
            return [one.id for one in emulator.segments()]

    def rates(self) -> list[float]:
        """Return the match rates in the series, the oldest first."""
        files = sorted((self.team.shared / "state/series").glob("*.json"))
        runs = [run for file in files for run in json.loads(file.read_text())["runs"]]
        return [one["match_rate"] for run in runs for one in run["points"] if run["kind"] == "verify"]

    def emulator(self) -> Emulator:
        return Emulator.open(self.team.work / ".reconciler/emulator/production.sqlite")

    def reconciler(self, *arguments: str) -> None:
        command = [self.team.programs / "reconciler", *arguments]
        environ = surroundings(PYTHONPATH=str(REPOSITORY))
        done = subprocess.run(
            command, cwd=self.team.work, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def on_github(root: Path, team: TeamRepository) -> tuple[bool, str]:
    runner = Runner(root, team, {"secrets": team.secrets, "vars": {"RECONCILER_ENVIRONMENTS": "[]"}})
    event = {"event_name": "schedule", "event": {}}
    ended = runner.run_in(team.work, "reconciler-sync.yml", "sync", "main", event)
    return ended.result == "failure", "".join(step.said for step in ended.steps.values())


def on_gitlab(_: Path, team: TeamRepository) -> tuple[bool, str]:
    """Stage by stage; after a failure only what runs always."""
    described = yaml.safe_load((team.work / JOBS).read_text())
    failed, said = False, ""
    for stage in described["stages"]:
        went_well = not failed
        for job, rule in scheduled(described, stage):
            if went_well or rule.get("when") == "always":
                ended = shell(job["script"], team)
                allowed = job.get("allow_failure", {}).get("exit_codes", 0)
                failed, said = failed or ended.returncode not in (0, allowed), said + ended.stdout
    return failed, said


def scheduled(described: dict[str, Any], stage: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for job in described.values():
        if isinstance(job, dict) and job.get("stage") == stage:
            for rule in job["rules"]:
                if rule["if"] == '$CI_PIPELINE_SOURCE == "schedule"':
                    yield job, rule


def shell(script: list[str], team: TeamRepository) -> subprocess.CompletedProcess[str]:
    path = f"{team.programs}:{os.environ['PATH']}"
    environ = surroundings(CI="true", ENVIRONMENT="production", PATH=path, PYTHONPATH=str(REPOSITORY))
    return subprocess.run(
        [*SHELL, "-c", "\n".join(script)],
        cwd=team.work,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


SYSTEMS = {"github": on_github, "gitlab": on_gitlab}


@pytest.fixture(params=SYSTEMS)
def schedule(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Schedule]:
    with TeamRepository.working(tmp_path, request.param) as team:
        environment = team.work / "environments/production/environment.yaml"
        environment.write_text(ENVIRONMENT.format(endpoint="emulator", shared=team.shared))
        (team.work / "environments/production/audiences/lapsed-90d.yaml").unlink()
        team.audience("everybody")
        team.commit("One audience, on an emulator")

        def run() -> tuple[bool, str]:
            numbered = tmp_path / f"day-{len(list(tmp_path.glob('day-*')))}"
            numbered.mkdir()
            return SYSTEMS[request.param](numbered, team)

        schedule = Schedule(team, request.param, run)
        schedule.begin()
        yield schedule


def test_a_change_outside_reconciler_is_reported_the_next_day(schedule: Schedule):
    first = schedule.next_day()
    assert COMPARED in first.drift, first.drift
    assert "be compared" not in first.drift
    second = schedule.next_day()
    assert COMPARED in second.drift, second.drift
    assert not first.failed, first.said
    assert not second.failed, second.said

    schedule.reconciler("emulator", "advance", "production", "8h")
    schedule.remove_by_hand()
    third = schedule.next_day(hours=16)

    assert third.failed
    assert "production: 1 of 1 address failed verification" in " ".join(third.said.split())
    assert "offsite-email/everybody" in third.drift
    assert "Criteo acknowledged 1,010 identifiers and counts 910" in third.said
    place = "file=environments/production/audiences/everybody.yaml,line=4,col=16"
    annotation = f"::error {place},title=offsite-email/everybody%3A changed outside reconciler::"
    assert (annotation in third.said) is (schedule.system == "github"), third.said
    assert "Applied on production" in " ".join(third.result.split()), third.result
    [held] = schedule.segments()
    with schedule.emulator() as emulator:
        assert schedule.wanted - HANDS <= len(emulator.members(held)) < schedule.wanted


def test_what_was_sent_is_verified_once_criteo_computed_it(schedule: Schedule):
    """An early run is no failure; the series has Criteo's counts after the next one."""
    early = schedule.next_day(hours=1)
    assert "Criteo has not computed 1 of 1 address yet" in " ".join(early.said.split())
    assert not early.failed, early.said
    assert schedule.rates() == []
    later = schedule.next_day()
    assert not later.failed, later.said
    [rate] = schedule.rates()
    assert 0 < rate <= 1
