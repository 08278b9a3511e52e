"""After a crash or a kill, frames are printed without messages, and no temporary file remains.

Bugs are planted whose messages, notes, causes and locals hold people, secrets and tokens.
"""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import httpx
import pytest
from leaks.injections import (
    BUGS,
    PLACES,
    after_start,
    bug,
    bug_in_a_finalizer,
    bug_in_a_thread,
    careless_library,
    chatty,
    interrupted_soon,
    known_tokens,
)
from leaks.project import applied, applied_copy
from leaks.runner import LeakRunner, stopped

from reconciler.emulator import Emulator, Switches

pytestmark = pytest.mark.promise("private")

APPLY = ("apply", "sandbox", "--yes", "-v")
COMMANDS = (
    ("validate",),
    ("plan", "sandbox"),
    ("apply", "sandbox", "--yes"),
    ("status", "sandbox"),
    ("explain", "sandbox", "raw/buyers"),
    ("doctor", "sandbox"),
    ("auth", "url", "sandbox", "criteo"),
    ("auth", "login", "sandbox", "criteo"),
    ("auth", "status", "sandbox"),
    ("emulator", "serve", "sandbox"),
    ("emulator", "reset", "sandbox"),
    ("emulator", "advance", "sandbox", "1h"),
    ("emulator", "fault", "sandbox", "429"),
)
REPORTED = {"an error of the system": 10, "an error of SQLite": 10}
"""What is known well enough to be no bug."""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return applied(tmp_path_factory.getbasetemp())


@pytest.fixture
def runner(tmp_path, template) -> LeakRunner:
    return applied_copy(tmp_path, template)


def silent(runner):
    assert runner.leaks() == set()
    assert runner.open_to_others() == []


def crashed(runner, *arguments, place, kind="a chain with a note", terminal=False):
    injections = (known_tokens, chatty, partial(bug, place, kind))
    ended = runner.run(*arguments, injections=injections, terminal=terminal)
    assert ended.code == REPORTED.get(kind, 1), ended.text
    if kind not in REPORTED:
        assert "This is a bug" in ended.text
        assert "in raising" in ended.text


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_bug_in_any_command_at_any_loudness(runner, command):
    for loudness in ("-q", "--no-color", "-v"):
        crashed(runner, *command, loudness, place="flags")
    crashed(runner, *command, "-v", place="flags", terminal=True)
    silent(runner)


@pytest.mark.parametrize("place", PLACES)
def test_a_bug_at_any_place(runner, place):
    crashed(runner, "apply", "sandbox", "--emulate", "--yes", "-v", place=place)
    silent(runner)


@pytest.mark.parametrize("place", ["building members", "a request body"])
@pytest.mark.parametrize("kind", BUGS)
def test_a_bug_of_any_kind(runner, kind, place):
    """In the main thread, and in one of those that send."""
    crashed(runner, *APPLY, place=place, kind=kind)
    silent(runner)


@pytest.mark.parametrize("trouble", [bug_in_a_thread, bug_in_a_finalizer, careless_library])
def test_what_no_handler_of_ours_sees(runner, trouble):
    for terminal in (False, True):
        ended = runner.run(
            *APPLY, injections=(known_tokens, chatty, partial(after_start, trouble)), terminal=terminal
        )
        assert "zq" not in ended.text
    silent(runner)


def test_a_bug_while_serving(runner):
    injections = (
        chatty,
        partial(bug, "issuing a token", "a chain with a note"),
        partial(interrupted_soon, 3.0),
    )
    process, said = runner.start("emulator", "serve", "sandbox", "--port", "0", "-v", injections=injections)
    while not (
        found := [word for word in said.read_text().split() if word.startswith("http:")]
        if said.exists()
        else []
    ):
        time.sleep(0.02)
        assert process.is_alive()
    form = {"client_id": runner.markers.client_id, "client_secret": runner.markers.client_secret}
    answer = httpx.post(f"{found[0]}/oauth2/token", data=form, trust_env=False)
    assert answer.status_code == 500
    assert runner.markers.found_in(answer.content) == set()
    process.join(10)
    assert process.exitcode == 0
    silent(runner)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("where", ["its own", "a throw-away"])
def test_an_end_from_outside(runner, number, where):
    """The leftovers of a killed run are private, in documented places, and removed by the next run."""
    with Emulator.open(runner.folder / ".reconciler/emulator/sandbox.sqlite") as emulator:
        emulator.configure(replace(Switches(), latency=0.1))
    emulate = ("--emulate",) if where == "a throw-away" else ()
    process, said = runner.start(*APPLY, *emulate, injections=(known_tokens, chatty))
    while b"add-remove" not in (said.read_bytes() if said.exists() else b""):
        time.sleep(0.02)
        assert process.is_alive()
    code = stopped(process, number)
    assert code in {-signal.SIGKILL, 130, 8, 0}
    left = list((runner.root / "tmp").iterdir())
    assert all(one.stat().st_mode & 0o077 == 0 for one in left)
    if left:
        assert number == signal.SIGKILL
        assert where == "a throw-away"
        assert runner.leaks() != set()
    runner.run("status", "sandbox")
    assert list((runner.root / "tmp").iterdir()) == []
    silent(runner)


SITE = """
import logging, sys
logging.basicConfig(stream=sys.stderr, level=logging.NOTSET)
"""


def test_an_interpreter_in_development_mode(runner, tmp_path):
    """Warnings, resources, and every logger at its loudest, from the interpreter's first moment on."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE)
    loud = {"PYTHONPATH": str(tmp_path / "site"), "PYTHONDEVMODE": "1", "PYTHONWARNINGS": "always"}
    with (runner.root / "said" / "developer").open("wb") as said:
        ended = subprocess.run(
            [sys.executable, "-m", "reconciler", *APPLY],
            cwd=runner.folder,
            env=runner.surroundings(**loud),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            check=False,
            timeout=60,
        )
    assert ended.returncode == 0
    silent(runner)
