"""API errors do not leak PII: a Criteo that repeats requests, a Criteo that fails, and proxies."""

import secrets
import shutil
import signal
import sqlite3
import time
from functools import partial
from typing import get_args

import pytest
from leaks.consent_project import at_an_echoing_server
from leaks.echoing_server import (
    ANSWERS,
    CONSENTED,
    EXCHANGED,
    OPERATIONS,
    PIECES,
    echoing_server,
    repetitions,
)
from leaks.injections import chatty, debugging, heedless, impatient, known_tokens, slow
from leaks.markers import MARKERS
from leaks.project import applied, applied_copy, edit, leak_project, people
from leaks.runner import LeakRunner, stopped

from reconciler.emulator import Emulator
from reconciler.emulator.faults import TOKEN, Kind
from reconciler.emulator.operations import BY_ID
from reconciler.emulator.pipeline import TOKEN_FAULTS

pytestmark = pytest.mark.promise("private")

APPLY = ("apply", "sandbox", "--yes", "-v")
STATUS = ("status", "sandbox", "--statistics", "-v")
LOUD = (known_tokens, chatty, impatient)
CONSENT_LOUD = (chatty, debugging, impatient)
CALLS = (
    TOKEN,
    "searchAudienceSegments",
    "bulkCreateAudienceSegments",
    "bulkUpdateAudienceSegments",
    "AddRemoveContactListByAudienceSegment",
    "getAudienceSegmentContactListStatistics",
)
"""What the client calls; a fault that none of them met fails its test."""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return applied(tmp_path_factory.getbasetemp())


@pytest.fixture
def issued(monkeypatch):
    """Record issued tokens: the emulator behind the echoing server runs in this process."""
    make = secrets.token_urlsafe
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size=None: f"{MARKERS.token}{make(size)}")


def silent(runner):
    assert runner.leaks() == set()
    assert runner.open_to_others() == []


def renamed(runner):
    """Rename an audience, so that the next apply updates its segment."""
    edit(runner, "buyers.yaml", "title: Buyers", "title: Shoppers")


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_criteo_that_repeats_requests(tmp_path, issued, operation, part):
    with echoing_server(tmp_path / "criteo.sqlite") as server:
        runner = leak_project(tmp_path / "project-root", server.url, only=("raw", "customer", "md5"))
        if operation != "create":
            people(runner, MARKERS.people[1:])
            assert runner.run(*APPLY, injections=LOUD).code == 0
            people(runner, MARKERS.people[:-1])
        if operation == "update":
            renamed(runner)
        kept = tmp_path / "kept"
        shutil.copytree(runner.folder, kept)
        server.operation = operation
        for answer, piece in list(repetitions(operation))[part::4]:
            server.answer, before = partial(repeated, answer, piece), server.repeated
            ended = runner.run(*(STATUS if operation == "statistics" else APPLY), injections=LOUD)
            assert server.repeated > before
            assert "This is a bug" not in ended.text, ended.text
            shutil.rmtree(runner.folder)
            shutil.copytree(kept, runner.folder)
    silent(runner)


def repeated(answer, piece, received):
    return ANSWERS[answer](PIECES[piece](received))


TOKENS = {one: CONSENTED[one] for one in ("the newest refresh token", "the access token")}
PLAN, DOCTOR = ("plan", "sandbox", "-v"), ("doctor", "sandbox", "-v")
HEEDED = ("a 400", "a 403", "a 500", "a 200 with errors")
UNREAD = ("an error of OAuth", "a redirection", "a page", "JSON that breaks off")


def repeating(server, operation, pieces=CONSENTED):
    """Return each reported answer with each piece, and other answers with all pieces at once."""
    server.operation = operation
    heeded = [*HEEDED, "an error of OAuth"] if operation == "token" else HEEDED
    rows = [(answer, piece) for answer in heeded for piece in pieces.values()]
    if pieces is not TOKENS:
        rows += [(answer, CONSENTED["all that was said"]) for answer in UNREAD]
    for answer, piece in rows:
        server.answer, before = partial(echoed, answer, piece), server.repeated
        yield
        assert server.repeated > before, (operation, answer)
    server.operation = ""


def echoed(answer, piece, received):
    return ANSWERS[answer](piece(received))


@pytest.mark.parametrize(
    ("operation", "pieces"),
    [
        ("token", EXCHANGED | CONSENTED),
        ("accounts", TOKENS),
        ("accounts", EXCHANGED),
    ],
    ids=["the exchange", "what follows", "what follows, of the exchange"],
)
def test_a_criteo_that_repeats_what_a_login_sent(tmp_path, operation, pieces):
    with (
        echoing_server(tmp_path / "criteo.sqlite") as server,
        at_an_echoing_server(tmp_path / "project-root", server) as project,
    ):
        for _ in repeating(server, operation, pieces):
            ended = project.pastes(project.redirected(), injections=CONSENT_LOUD)
            assert (ended.code == 0) == (operation == "accounts"), ended.text
            assert "This is a bug" not in ended.text, ended.text
            assert ("a verifier", server.received.consent["code_verifier"]) in project.made
        silent(project)


@pytest.mark.parametrize(
    ("operation", "command", "pieces"),
    [
        ("token", PLAN, CONSENTED),
        ("search", PLAN, CONSENTED),
        ("application", DOCTOR, TOKENS),
        ("accounts", DOCTOR, TOKENS),
        ("retailers", DOCTOR, TOKENS),
    ],
    ids=["token", "search", "application", "accounts", "retailers"],
)
def test_a_criteo_that_repeats_what_a_renewal_sent(tmp_path, operation, command, pieces):
    with (
        echoing_server(tmp_path / "criteo.sqlite") as server,
        at_an_echoing_server(tmp_path / "project-root", server) as project,
    ):
        project.consents()
        for _ in repeating(server, operation, pieces):
            ended = project.run(*command, injections=CONSENT_LOUD)
            assert "This is a bug" not in ended.text, ended.text
            assert ("refresh_token", server.received.consent["refresh_token"]) in project.made
        silent(project)


def test_a_repetition_is_found_where_nothing_withholds_it(tmp_path):
    with (
        echoing_server(tmp_path / "criteo.sqlite") as server,
        at_an_echoing_server(tmp_path / "project-root", server) as project,
    ):
        project.consents()
        server.operation, server.answer = (
            "search",
            partial(echoed, "a 400", TOKENS["the newest refresh token"]),
        )
        project.run(*PLAN, injections=(*CONSENT_LOUD, heedless))
        assert {one.partition(" in ")[0] for one in project.leaks()} == {"refresh_token"}


def test_the_kinds_of_faults_are_all_tried():
    assert set(get_args(Kind)) == {kind for call in CALLS for kind in possible(call)}


def possible(call):
    return TOKEN_FAULTS if call == TOKEN else BY_ID[call].faults()


@pytest.mark.parametrize(
    ("call", "kind"), [(call, kind) for call in CALLS for kind in sorted(possible(call))]
)
def test_a_criteo_that_fails(tmp_path, template, kind, call):
    runner: LeakRunner = applied_copy(tmp_path, template)
    renamed(runner)
    if call == "bulkCreateAudienceSegments":
        shutil.rmtree(runner.folder / ".reconciler" / "state")
        runner.run("emulator", "reset", "sandbox")
    before = runner.run("emulator", "fault", "sandbox", kind, "--operation", call, "--for", "0s", "-v")
    assert before.code == 0
    command = STATUS if call.startswith("get") else (*APPLY, "--only", "raw/buyers", "--only", "md5/buyers")
    ended = runner.run(*command, injections=LOUD, terminal=call.startswith("AddRemove"))
    assert "This is a bug" not in ended.text
    assert faulted(runner)
    silent(runner)


def faulted(runner):
    with Emulator.open(runner.folder / ".reconciler/emulator/sandbox.sqlite") as emulator:
        return any(one.fault for one in emulator.history())


@pytest.mark.parametrize("way", ["HTTPS_PROXY", "ALL_PROXY", "no proxy at all"])
def test_a_proxy_with_a_login(tmp_path, way):
    login = f"{MARKERS.proxy_user}:{MARKERS.proxy_password}"
    address = f"127.0.0.1:9/{login}" if way == "no proxy at all" else f"http://{login}@127.0.0.1:9"
    name = "HTTPS_PROXY" if way == "no proxy at all" else way
    runner = leak_project(tmp_path, "https://criteo.invalid")
    for command in (APPLY, ("plan", "sandbox", "-v"), ("explain", "sandbox", "raw/buyers", "-v")):
        ended = runner.run(*command, injections=LOUD, **{name: address})
        assert ended.code != 0
    silent(runner)


@pytest.mark.parametrize("name", ["CI_JOB_URL", "BUILD_URL", "GITHUB_SERVER_URL"])
def test_a_holder_of_the_lock_that_signs_with_a_login(tmp_path, name):
    """The holder of the lock is shown to a run that finds the state locked."""
    address = f"https://{MARKERS.proxy_user}:{MARKERS.proxy_password}@ci.example/7?token={MARKERS.token}"
    runner = leak_project(tmp_path)
    holder, _ = runner.start(
        *APPLY, injections=(known_tokens, slow), GITHUB_RUN_ID="7" if "HUB" in name else "", **{name: address}
    )
    while not (runner.folder / ".reconciler/state/sandbox/lock").exists() or not signed(runner):
        time.sleep(0.02)
        assert holder.is_alive()
    ended = runner.run(*APPLY)
    assert ended.code == 7
    assert "ci.example" in ended.text
    stopped(holder, signal.SIGTERM)
    silent(runner)


def signed(runner):
    return (runner.folder / ".reconciler/state/sandbox/lock").read_text()


def test_the_witness_holds_no_person(template):
    database = sqlite3.connect(template / "project/.reconciler/emulator/sandbox.sqlite")
    rows = database.execute("SELECT * FROM history").fetchall()
    assert len(rows) > 10
    assert MARKERS.found_in(repr(rows).encode()) == set()
