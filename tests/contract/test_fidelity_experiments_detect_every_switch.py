"""Each experiment reports what the emulator does, and changes only its own segments."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.emulator import ACCOUNT, OTHER_RETAILER, RETAILER, TEN_O_CLOCK, sha256

from fidelity.lab import Unseen
from fidelity.run import EVERY, Report, Row, run
from fidelity.settings import PREFIX, REQUIRED, Settings, Unfit, read
from reconciler.emulator import Emulator, Switches
from reconciler.emulator.in_process_transport import transport

pytestmark = pytest.mark.promise("any-criteo")
ROOT = Path(__file__).parents[2]
SECONDS_TO_A_COMPUTATION = 2 * 3600 + 1


@dataclass
class Clock:
    """Sleeps at once; a second of real time is nothing."""

    time: float = TEN_O_CLOCK + 7.25

    def __call__(self) -> float:
        return self.time

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Bench:
    emulator: Emulator
    clock: Clock
    settings: Settings
    http: httpx.BaseTransport

    def run(self, **changes: Any) -> dict[str, Row]:
        return {row.experiment.name: row for row in self.report(**changes).rows}

    def report(self, **changes: Any) -> Report:
        return run(replace(self.settings, **changes), self.clock, self.http)


@contextmanager
def bench(folder: Path, **switches: Any) -> Iterator[Bench]:
    """An account with a computed list of its own, whose members must not change."""
    clock = Clock()
    with Emulator.open(folder / "criteo.db", switches=Switches(**switches), clock=clock) as emulator:
        emulator.ensure_account(ACCOUNT, [RETAILER, OTHER_RETAILER])
        issued = emulator.credentials
        settings = Settings(
            endpoint="http://localhost",
            token_url="http://localhost/oauth2/token",
            client_id=issued.client_id,
            client_secret=issued.client_secret,
            account_id=ACCOUNT,
            retailer_id=RETAILER,
            other_retailer_id=OTHER_RETAILER,
            notes=folder / "notes" / "fidelity.json",
        )
        yield Bench(emulator, clock, settings, transport(emulator.pipeline))


def seed(bench: Bench) -> str:
    """Create a foreign list with matches."""
    http = httpx.Client(base_url="http://localhost", transport=bench.http)
    given = {"client_id": bench.settings.client_id, "client_secret": bench.settings.client_secret}
    token = http.post("/oauth2/token", data={"grant_type": "client_credentials", **given}).json()
    http.headers["authorization"] = f"Bearer {token['access_token']}"
    root = "/2026-07/retail-media"
    item = {"name": "Theirs", "retailerId": RETAILER, "contactList": {"identifierType": "CustomerId"}}
    body = {"data": [{"attributes": item}]}
    made = http.post(f"{root}/accounts/{ACCOUNT}/audience-segments/create", json=body).json()
    segment = str(made["data"][0]["id"])
    people = [f"c{number}" for number in range(100)]
    body = {"data": {"attributes": {"operation": "add", "identifiers": people}}}
    http.post(f"{root}/audience-segments/{segment}/contact-list/add-remove", json=body)
    bench.clock.sleep(SECONDS_TO_A_COMPUTATION)
    return segment


NOTHING_ELSE = {"match_rate", "match_rate_scale"}
"""Switches that are seen on lists of others only, which `seed` makes."""
CASES: list[dict[str, Any]] = [
    {},
    {"failures": "errors", "rate_window": "sliding", "trace_key": "traceIdentifier", "names_reusable": False},
    {"failures": "http-400", "rate_window": "bucket", "name_scope": "retailer", "match_rate_scale": "0-1"},
    {"type_mismatch": "invalid", "token_calls_count": True, "invalid_samples": 3, "match_rate": 0.25},
    {"max_identifiers": 777, "max_bulk_items": 7, "token_seconds": 120, "rate_limit": 33, "latency": 0.001},
    {
        "descriptions": "dropped",
        "max_identifiers": 50_001,
        "max_bulk_items": 51,
        "invalid_samples": 0,
        "rate_limit": 8,
    },
]


def expected(switches: Switches, name: str) -> object:
    value = getattr(switches, name)
    return ", ".join(value) if name == "scopes" else value


@pytest.mark.parametrize("case", CASES, ids=lambda case: ",".join(case) or "as we guess")
def test_what_is_seen_is_what_is(case: dict[str, Any], tmp_path: Path) -> None:
    """Every experiment of the first stage, against every switch it is about."""
    with bench(tmp_path, **case) as opened:
        theirs = seed(opened)
        before = opened.emulator.members(theirs)
        rows = opened.run()
        switches = opened.emulator.switches
        for row in rows.values():
            name = row.experiment.switch
            if name not in {"", "max_body_bytes", "latency"}:
                assert row.seen == expected(switches, name), (row.experiment.name, row.detail)
        low, high = map(int, str(rows["max-body-bytes"].seen).split(" to "))
        assert low < switches.max_body_bytes <= high + 100
        latency = rows["latency"].seen
        assert isinstance(latency, float)
        assert latency >= switches.latency
        assert (rows["name-comparison"].seen, rows["longest-name"].seen) == ("case, spaces", "256")
        assert [segment.name for segment in opened.emulator.segments()] == ["Theirs"]
        assert opened.emulator.members(theirs) == before


NEEDS_A_PERSON = {
    "rate_limit_per_account",
    "code_seconds",
    "pkce_required",
    "loopback_redirects",
    "redirect_uris",
    "rotate_refresh_tokens",
    "reuse_revokes",
    "refresh_token_days",
}
"""Consent is given by hand, so the page says how to see these by hand."""


def test_every_switch_has_an_experiment() -> None:
    """And every experiment that names a switch names one that exists."""
    named = [experiment.switch for experiment in EVERY if experiment.switch]
    assert sorted(named) == sorted({field.name for field in fields(Switches)} - NEEDS_A_PERSON)
    tried = {name for case in CASES for name in case} | {"max_body_bytes", "rate_headers", "scopes"}
    assert tried | {"forms_equivalent", "delete_in_use"} == set(named)


def test_the_page_names_every_switch_and_every_experiment() -> None:
    """With the default of each switch; and every file that it names is there."""
    page = (ROOT / "docs" / "explanation" / "fidelity.md").read_text()
    rows = [[cell.strip(" `") for cell in line.split("|")] for line in page.splitlines() if line[:1] == "|"]
    assumed = {row[2]: (row[3], row[6]) for row in rows if len(row) == 8}
    experiments = {experiment.switch: experiment.name for experiment in EVERY if experiment.switch}
    for field in fields(Switches):
        default = {"scopes": "all four", "redirect_uris": "any"}.get(field.name, str(field.default))
        shown, settled_by = assumed[field.name]
        assert shown == default, field.name
        if field.name in NEEDS_A_PERSON:
            assert len(settled_by) > 20, field.name
        else:
            assert settled_by == experiments[field.name]
    assert {experiment.name for experiment in EVERY} <= {row[-2] for row in rows}
    named = re.findall(r"`((?:tests|docs)/[^`]+)`", page)
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_a_body_limit_is_found(tmp_path: Path) -> None:
    with bench(tmp_path, max_body_bytes=200_000) as opened:
        assert opened.run()["max-body-bytes"].seen == "196608 to 262144"


def test_what_is_not_reported_is_not_made_up(tmp_path: Path) -> None:
    """No headers, no lists of others, no second retailer, no permission to write: each says why."""
    scopes = ("RetailMedia_Audience_Read",)
    with bench(tmp_path, rate_headers=False, scopes=scopes) as opened:
        rows = opened.run(other_retailer_id="")
        assert rows["rate-headers"].seen is False
        assert rows["scopes"].seen == "RetailMedia_Audience_Read"
        for name, why in (
            ("rate-limit", "x-ratelimit-limit is not stated"),
            ("rate-window", "x-ratelimit-reset is not stated"),
            ("match-rate-scale", "no list of this account has matches"),
            ("name-scope", "CRITEO_FIDELITY_OTHER_RETAILER_ID"),
            ("max-identifiers", "no segment could be made: 403 insufficient-scope"),
        ):
            assert rows[name].seen is None
            assert why in rows[name].detail


@pytest.mark.parametrize("forms_equivalent", [False, True])
@pytest.mark.parametrize("delete_in_use", ["allowed", "refused"])
def test_what_needs_a_computation_is_seen_on_return(
    forms_equivalent: bool, delete_in_use: str, tmp_path: Path
) -> None:
    """Lists are created, an audience is built manually, half a day passes; then everything is removed."""
    with bench(tmp_path, forms_equivalent=forms_equivalent, delete_in_use=delete_in_use) as opened:
        report = opened.report(stage="leave")
        assert (len(opened.emulator.segments()), report.left_behind) == (3, ())
        too_early = opened.settings.notes.read_bytes()
        assert opened.settings.notes.stat().st_mode & 0o777 == 0o600
        used = next(one for one in opened.emulator.segments() if one.name.endswith(" used"))
        opened.emulator.seed_audience(ACCOUNT, RETAILER, "By hand", [used.id])
        opened.clock.sleep(SECONDS_TO_A_COMPUTATION)
        report = opened.report(stage="return")
        rows = {row.experiment.name: row for row in report.rows}
        assert rows["forms-equivalent"].seen == forms_equivalent
        assert rows["delete-in-use"].seen == delete_in_use
        assert rows["members-are-a-set"].seen is True
        refused = delete_in_use == "refused"
        assert [one.id for one in opened.emulator.segments()] == list(report.left_behind)
        assert list(report.left_behind) == ([used.id] if refused else [])
        assert (opened.settings.notes.exists() and opened.settings.notes.read_bytes() == too_early) == refused


def test_an_early_return_changes_nothing(tmp_path: Path) -> None:
    """And may be tried again; so may one without an audience, which says what is missing."""
    with bench(tmp_path) as opened:
        opened.report(stage="leave")
        with pytest.raises(Unseen, match="not computed yet"):
            opened.report(stage="return")
        assert len(opened.emulator.segments()) == 3
        opened.clock.sleep(SECONDS_TO_A_COMPUTATION)
        rows = opened.run(stage="return")
        assert rows["members-are-a-set"].seen is True
        assert "build an audience" in rows["delete-in-use"].detail
        assert opened.emulator.segments() == ()


def test_a_return_needs_what_was_left_in_this_account(tmp_path: Path) -> None:
    with bench(tmp_path) as opened:
        with pytest.raises(Unseen, match="no lists were left"):
            opened.report(stage="return")
        opened.report(stage="leave")
        for old, new in ((ACCOUNT, "1"), ("reconciler-fidelity-", "x")):
            notes = opened.settings.notes.read_text()
            opened.settings.notes.write_text(notes.replace(old, new))
            with pytest.raises(Unseen, match="another account"):
                opened.report(stage="return")
            opened.settings.notes.write_text(notes)
        assert len(opened.emulator.segments()) == 3


def test_all_is_cleaned_up_after_a_failure(tmp_path: Path) -> None:
    """Also a segment of a create without a response."""
    with bench(tmp_path) as opened:
        opened.emulator.fault("timeout-after", "bulkCreateAudienceSegments", times=3)
        opened.emulator.fault("500-before", "AddRemoveContactListByAudienceSegment", times=2)
        rows = opened.run()
        assert rows["failures"].detail == "no answer: ReadTimeout"
        assert opened.emulator.segments() == ()


def test_what_cannot_be_cleaned_up_is_named(tmp_path: Path) -> None:
    with bench(tmp_path) as opened:
        opened.emulator.fault("500-before", "bulkDeleteAudienceSegments", times=99)
        report = opened.report()
        assert set(report.left_behind) == {one.id for one in opened.emulator.segments()}
        assert report.left_behind


def busiest(bench: Bench) -> int:
    """The most calls that any minute saw, tokens included."""
    calls = [call.arrived_at for call in bench.emulator.history()]
    return max(sum(1 for other in calls if one <= other < one + 60) for one in calls)


UNTOLD_YET = 3
"""Calls until the first answer that says what the limit is: two tokens and one more."""


@pytest.mark.parametrize("limit", [4, 10, 60])
def test_it_keeps_to_half_of_the_limit(limit: int, tmp_path: Path) -> None:
    """Others may share the application: none of them meets a 429 for our sake."""
    with bench(tmp_path, rate_limit=limit, rate_window="sliding", token_calls_count=True) as opened:
        opened.run()
        assert 429 not in {call.status for call in opened.emulator.history()}
        assert busiest(opened) <= max(limit // 2, UNTOLD_YET)


def test_it_keeps_to_ten_calls_a_minute_if_no_limit_is_reported(tmp_path: Path) -> None:
    with bench(tmp_path, rate_headers=False) as opened:
        opened.run()
        assert busiest(opened) == 10


def test_a_429_is_waited_out(tmp_path: Path) -> None:
    with bench(tmp_path) as opened:
        opened.emulator.fault("429", "bulkCreateAudienceSegments", seconds=20)
        started = opened.clock.now()
        assert opened.run()["failures"].seen == "warnings"
        assert opened.clock.now() - started > 20


# -- the command ------------------------------------------------------------------------------------

GIVEN = {
    "ENDPOINT": "https://criteo.invalid",
    "TOKEN_URL": "https://criteo.invalid/oauth2/token",
    "CLIENT_ID": "an-id",
    "CLIENT_SECRET": "a-secret",
    "ACCOUNT_ID": ACCOUNT,
    "RETAILER_ID": RETAILER,
    "TEST_ACCOUNT": ACCOUNT,
}


def variables(**changes: str) -> dict[str, str]:
    return {PREFIX + name: value for name, value in (GIVEN | changes).items()}


@pytest.mark.parametrize("name", REQUIRED)
def test_it_does_not_start_without(name: str) -> None:
    with pytest.raises(Unfit, match=f"{PREFIX}{name} is missing"):
        read(variables(**{name: ""}))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ENDPOINT": "http://api.criteo.com"}, "ENDPOINT must begin with https"),
        ({"TOKEN_URL": "http://127.0.0.1.example.com"}, "TOKEN_URL must begin with https"),
        ({"ENDPOINT": "https://user:secret@api.criteo.com"}, "ENDPOINT must begin with https"),
        ({"ENDPOINT": "api.criteo.com"}, "ENDPOINT must begin with https"),
        ({"ACCOUNT_ID": "../1", "TEST_ACCOUNT": "../1"}, "ACCOUNT_ID must be digits"),
        ({"TEST_ACCOUNT": "1"}, "which account is the test's?"),
        ({"STAGE": "later"}, "STAGE must be one of"),
    ],
)
def test_it_does_not_start_with(changes: dict[str, str], why: str) -> None:
    with pytest.raises(Unfit, match=re.escape(why)):
        read(variables(**changes))


def test_it_starts_at_criteo_and_on_this_machine() -> None:
    assert read(variables()).root == "https://criteo.invalid/2026-07/retail-media"
    assert "a-secret" not in repr(read(variables()))
    for host in ("localhost:1", "127.0.0.1:1", "[::1]:1"):
        assert read(variables(ENDPOINT=f"http://{host}", TOKEN_URL=f"http://{host}/token")).endpoint


def command(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fidelity"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "*"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_refuses_with_64_and_says_what_is_missing() -> None:
    process = command({})
    _, said = process.communicate(timeout=60)
    assert process.returncode == 64
    assert said.count(" is missing: ") == len(REQUIRED)


@contextmanager
def served(folder: Path) -> Iterator[tuple[Emulator, dict[str, str]]]:
    switches = Switches(max_identifiers=100, invalid_samples=2)
    with Emulator.open(folder / "criteo.db", switches=switches) as emulator:
        emulator.ensure_account(ACCOUNT, [RETAILER])
        issued = emulator.credentials
        pair = {"CLIENT_ID": issued.client_id, "CLIENT_SECRET": issued.client_secret}
        with emulator.serving() as url:
            yield emulator, variables(ENDPOINT=url, TOKEN_URL=f"{url}/oauth2/token", **pair)


def test_the_command_prints_a_table_and_leaks_nothing(tmp_path: Path) -> None:
    """Over a socket. Differences from the assumptions are highlighted."""
    with served(tmp_path) as (emulator, environment):
        emulator.configure(replace(emulator.switches, rate_limit=1000))
        process = command(environment)
        table, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert "| max-identifiers | How many identifiers may one call carry? | 50000 | **100** |" in table
        assert (
            "| invalid-samples | How many invalid identifiers does an answer repeat? | 10 | **2** |" in table
        )
        assert "| failures | Where is a failed item of a bulk call reported? | warnings | warnings |" in table
        assert emulator.segments() == ()
        issued = emulator.credentials
        for secret in (issued.client_id, issued.client_secret, "Bearer", "@example.com", "no address"):
            assert secret not in table + said
        assert sha256("person1@example.com") not in table + said


def test_a_stopped_command_cleans_up(tmp_path: Path) -> None:
    """130, and the account is as it was."""
    with served(tmp_path) as (emulator, environment):
        emulator.configure(replace(emulator.switches, rate_limit=1000, latency=0.02))
        process = command(environment)
        while not emulator.segments():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert emulator.segments() == ()
