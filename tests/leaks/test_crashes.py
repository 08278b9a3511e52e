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
from leaks.project import applied, lived_in
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
def aviary(tmp_path, template) -> LeakRunner:
    return lived_in(tmp_path, template)


def silent(aviary):
    assert aviary.leaks() == set()
    assert aviary.open_to_others() == []


def crashed(aviary, *arguments, place, kind="a chain with a note", terminal=False):
    plants = (known_tokens, chatty, partial(bug, place, kind))
    ended = aviary.run(*arguments, plants=plants, terminal=terminal)
    assert ended.code == REPORTED.get(kind, 1), ended.text
    if kind not in REPORTED:
        assert "This is a bug" in ended.text
        assert "in raising" in ended.text


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_bug_in_any_command_at_any_loudness(aviary, command):
    for loudness in ("-q", "--no-color", "-v"):
        crashed(aviary, *command, loudness, place="flags")
    crashed(aviary, *command, "-v", place="flags", terminal=True)
    silent(aviary)


@pytest.mark.parametrize("place", PLACES)
def test_a_bug_at_any_place(aviary, place):
    crashed(aviary, "apply", "sandbox", "--emulate", "--yes", "-v", place=place)
    silent(aviary)


@pytest.mark.parametrize("place", ["building members", "a request body"])
@pytest.mark.parametrize("kind", BUGS)
def test_a_bug_of_any_kind(aviary, kind, place):
    """In the main thread, and in one of those that send."""
    crashed(aviary, *APPLY, place=place, kind=kind)
    silent(aviary)


@pytest.mark.parametrize("trouble", [bug_in_a_thread, bug_in_a_finalizer, careless_library])
def test_what_no_handler_of_ours_sees(aviary, trouble):
    for terminal in (False, True):
        ended = aviary.run(
            *APPLY, plants=(known_tokens, chatty, partial(after_start, trouble)), terminal=terminal
        )
        assert "zq" not in ended.text
    silent(aviary)


def test_a_bug_while_serving(aviary):
    plants = (chatty, partial(bug, "issuing a token", "a chain with a note"), partial(interrupted_soon, 3.0))
    process, said = aviary.start("emulator", "serve", "sandbox", "--port", "0", "-v", plants=plants)
    while not (
        found := [word for word in said.read_text().split() if word.startswith("http:")]
        if said.exists()
        else []
    ):
        time.sleep(0.02)
        assert process.is_alive()
    form = {"client_id": aviary.canaries.client_id, "client_secret": aviary.canaries.client_secret}
    answer = httpx.post(f"{found[0]}/oauth2/token", data=form, trust_env=False)
    assert answer.status_code == 500
    assert aviary.canaries.heard_in(answer.content) == set()
    process.join(10)
    assert process.exitcode == 0
    silent(aviary)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("where", ["its own", "a throw-away"])
def test_an_end_from_outside(aviary, number, where):
    """What a killed run leaves is private, lies where people may lie, and goes with the next run."""
    with Emulator.open(aviary.folder / ".reconciler/emulator/sandbox.sqlite") as emulator:
        emulator.configure(replace(Switches(), latency=0.1))
    emulate = ("--emulate",) if where == "a throw-away" else ()
    process, said = aviary.start(*APPLY, *emulate, plants=(known_tokens, chatty))
    while b"add-remove" not in (said.read_bytes() if said.exists() else b""):
        time.sleep(0.02)
        assert process.is_alive()
    code = stopped(process, number)
    assert code in {-signal.SIGKILL, 130, 8, 0}
    left = list((aviary.root / "tmp").iterdir())
    assert all(one.stat().st_mode & 0o077 == 0 for one in left)
    if left:
        assert number == signal.SIGKILL
        assert where == "a throw-away"
        assert aviary.leaks() != set()
    aviary.run("status", "sandbox")
    assert list((aviary.root / "tmp").iterdir()) == []
    silent(aviary)


SITE = """
import logging, sys
logging.basicConfig(stream=sys.stderr, level=logging.NOTSET)
"""


def test_an_interpreter_in_development_mode(aviary, tmp_path):
    """Warnings, resources, and every logger at its loudest, from the interpreter's first moment on."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE)
    loud = {"PYTHONPATH": str(tmp_path / "site"), "PYTHONDEVMODE": "1", "PYTHONWARNINGS": "always"}
    with (aviary.root / "said" / "developer").open("wb") as said:
        ended = subprocess.run(
            [sys.executable, "-m", "reconciler", *APPLY],
            cwd=aviary.folder,
            env=aviary.surroundings(**loud),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            check=False,
            timeout=60,
        )
    assert ended.returncode == 0
    silent(aviary)
