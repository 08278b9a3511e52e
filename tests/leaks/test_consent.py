"""No command and no page shows codes, verifiers, old and new tokens, or their keys.

Every command runs with a credential that somebody consented to, however that ends, with all logs open.
What came to be on the way is searched for everywhere but in its own place.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from leaks.cases import CONSENTED, LOUDNESS, ODD, OFFLINE
from leaks.consent_project import (
    ACCOUNT,
    KEY,
    LISTENING,
    LOGIN,
    SEALED,
    TOKEN,
    ConsentProject,
    consented_copy,
    consenting,
    ended,
    sent_back,
    settled,
    without_the_id,
)
from leaks.injections import (
    CONSENT_LEAKS,
    bug_telling_all,
    chatty,
    debugging_late,
    impatient,
    killed_before_keeping,
    killed_while_keeping,
    no_room,
    no_room_once_answered,
)
from leaks.markers import MARKERS
from leaks.runner import stopped

from reconciler.emulator.faults import TOKEN as TOKEN_CALL
from reconciler.emulator.pipeline import TOKEN_FAULTS

pytestmark = pytest.mark.promise("private")

LOUD = (chatty, debugging_late, impatient)
COMMANDS = (
    ("plan", "sandbox", "-v"),
    ("apply", "sandbox", "--yes", "-v"),
    ("status", "sandbox", "--statistics", "-v"),
    ("explain", "sandbox", "raw/buyers", "-v"),
    ("doctor", "sandbox", "-v"),
    ("auth", "status", "sandbox", "-v"),
)
ROWS = {
    **CONSENTED,
    **{name: OFFLINE[name] for name in ("doctor", "plan", "apply", "status", "explain", "emulator revoke")},
}
UNKNOWN = ("phone/buyers", "call/buyers")
"""Addresses of rows that this project doesn't have."""


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    return settled(tmp_path_factory.getbasetemp())


@pytest.fixture
def project(tmp_path, template):
    with consented_copy(tmp_path, template) as project:
        yield project


@pytest.fixture
def unasked(tmp_path):
    """A project before consent."""
    with consenting(tmp_path) as project:
        yield project


def silent(project: ConsentProject):
    assert project.leaks() == set()
    assert (project.folder / KEY).read_bytes() == MARKERS.signing_key, "verifiers are made of another key"


# -- success ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROWS)
def test_in_success(project, name):
    first, *others = (row for row in ROWS[name] if not set(row) & set(UNKNOWN))
    for row in (*((*first, *one) for one in LOUDNESS), *((*one, "-v") for one in others)):
        done = succeeds(project, row)
        assert done.code == next((code for option, code in ODD.items() if option in row), 0), done.text
    succeeds(project, (*first, "-v"), terminal=True)
    silent(project)
    assert project.open_to_others() == []


def succeeds(project, row, terminal=False):
    """Run a command; paste a code, or type it at a terminal, if it asks for one."""
    planning = ("--plan",) if "--plan" in row else ()
    given = f"{project.redirected(*planning)}\n" if "login" in row else ""
    return project.run(*row, injections=LOUD, terminal=terminal, given=given)


@pytest.mark.parametrize("planning", [(), ("--plan",)])
def test_an_address_tells_the_client_id_once_and_no_secret(unasked, planning):
    """The URL is shared: its state is signed, and it has only a digest of the verifier."""
    done = unasked.run("auth", "url", "sandbox", "criteo", "-v", *planning, injections=LOUD)
    assert MARKERS.found_in(done.said) == {"client_id"}
    assert done.said.count(MARKERS.client_id.encode()) == 1
    assert MARKERS.found_in(without_the_id(done.said)) == set()
    unasked.address(*planning)
    silent(unasked)


# -- how a login ends ---------------------------------------------------------------------------------


def nothing(*_: object) -> None:
    """Change nothing."""


@dataclass(frozen=True)
class Ending:
    """`code` is the exit code of `auth login`. `between` runs after the browser was redirected."""

    code: int
    before: Callable[[ConsentProject], object] = nothing
    address: Callable[[str], str] = str
    press: str = "allow"
    between: Callable[[ConsentProject, str], object] = nothing
    environ: Mapping[str, str] = field(default_factory=dict)


def failing(kind: str, code: int) -> Ending:
    return Ending(code, lambda one: one.emulator.fault(kind, TOKEN_CALL, times=9, seconds=0.0))


def in_their_way(project: ConsentProject) -> None:
    for place in (TOKEN, SEALED):
        (project.folder / place).mkdir(parents=True, mode=0o700)


def used(project: ConsentProject, redirected: str) -> None:
    listening = ("--plan", "--paste") if "127.0.0.1" in redirected else ()
    assert project.pastes(redirected, *listening).code == 0


def used_and_lost(project: ConsentProject, redirected: str) -> None:
    """Use the code and remove every local trace: only Criteo has the consent."""
    used(project, redirected)
    for place in (TOKEN, SEALED):
        (project.folder / place).unlink(missing_ok=True)


ENDINGS = {
    "success": Ending(0),
    "a denial": Ending(4, press="deny"),
    "another state": Ending(4, address=lambda address: address.replace("&state=", "&state=X")),
    "a code that was used": Ending(4, between=used),
    "a code that Criteo has seen": Ending(4, between=used_and_lost),
    "a code too old": Ending(4, between=lambda one, _: one.emulator.advance(61)),
    "a folder in the token's place": Ending(4, in_their_way),
    "another secret": Ending(4, environ={"CRITEO_SECRET": f"{MARKERS.client_secret}x"}),
    **{kind: failing(kind, 9) for kind in sorted(TOKEN_FAULTS)},
}


WAYS = ("pasted", "typed", "come back")


@pytest.mark.parametrize(
    ("name", "way"),
    [(name, way) for name in ENDINGS for way in WAYS if way != "typed" or name not in TOKEN_FAULTS],
)
def test_a_login_that_ends(unasked, name, way):
    ending = ENDINGS[name]
    ending.before(unasked)
    if way == "come back":
        done = listened(unasked, ending)
    else:
        redirected = sent_back(ending.address(unasked.address()), ending.press)
        ending.between(unasked, redirected)
        done = unasked.pastes(redirected, injections=LOUD, terminal=way == "typed", **ending.environ)
    assert done.code == ending.code, done.text
    unasked.run("auth", "status", "sandbox", "-v", injections=LOUD)
    silent(unasked)


def listened(unasked, ending):
    """The browser's page is kept with the output of commands, and searched."""
    process, address, said = unasked.listens(injections=LOUD, **ending.environ)
    redirected = sent_back(ending.address(address), ending.press)
    ending.between(unasked, redirected)
    page = unasked.comes_back(redirected)
    assert (b"Connected" in page) == (ending.code == 0)
    for value in parse_qs(urlsplit(redirected).query)["state"]:
        assert value.encode() not in page
    return ended(process, said)


@pytest.mark.parametrize("full", [no_room, no_room_once_answered])
@pytest.mark.parametrize("planning", [(), ("--plan", "--paste")], ids=["file", "state"])
def test_a_disk_without_room(unasked, planning, full):
    """At a terminal: no other output can be written."""
    redirected = unasked.redirected(*planning[:1])
    asked = [kind for kind, _ in unasked.made].count("token")
    done = unasked.pastes(redirected, *planning, injections=(*LOUD, full), terminal=True)
    assert done.code == 4
    assert "kept" in done.text
    answered = [kind for kind, _ in unasked.made].count("token") - asked
    assert bool(answered) == (full is no_room_once_answered)
    silent(unasked)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_waiting(unasked, number):
    process, address, _ = unasked.listens(injections=LOUD)
    sent_back(address)
    assert stopped(process, number) == 130
    silent(unasked)


def test_stopped_while_asked(unasked):
    """Ctrl-C, typed instead of a URL."""
    done = unasked.run(*LOGIN, "-v", injections=LOUD, terminal=True, given="\x03")
    assert done.code == 130, done.text
    silent(unasked)


def test_login_without_a_browser_times_out(unasked):
    assert unasked.run(*LISTENING, "--timeout", "1s", injections=LOUD).code == 4
    silent(unasked)


def test_requests_of_others_come_first(unasked):
    """A request for another URL, or without an answer, gets no details and does not end the wait."""
    process, address, said = unasked.listens(injections=LOUD)
    redirected = sent_back(address)
    for stranger in (redirected.replace("/back?", "/favicon.ico?"), redirected.replace("code=", "cod=")):
        unasked.comes_back(stranger)
    unasked.comes_back(redirected)
    assert ended(process, said).code == 0
    silent(unasked)


# -- what comes after ---------------------------------------------------------------------------------


def test_logs_are_open(project):
    """Libraries of HTTP are heard while a token is renewed, or their silence would prove nothing."""
    done = project.run("plan", "sandbox", "-v", injections=LOUD)
    assert b"httpcore.http11" in done.said
    assert b"/oauth2/token" in done.said
    silent(project)


@dataclass(frozen=True)
class Trouble:
    """`codes` are the expected exit codes of the commands, so that the case can't become valid."""

    codes: tuple[int, ...]
    make: Callable[[ConsentProject], object] = nothing
    environ: Mapping[str, str] = field(default_factory=dict)


def an_old_token(project: ConsentProject) -> None:
    """One that was used already, as after a backup."""
    kept = {place: (project.folder / place).read_bytes() for place in (TOKEN, SEALED)}
    for command in ("plan", "apply"):
        assert project.run(command, "sandbox", *(["--yes"] if command == "apply" else [])).code == 0
    for place, content in kept.items():
        assert (project.folder / place).read_bytes() != content
        (project.folder / place).write_bytes(content)


def in_place(change: Callable[[Path], object]) -> Callable[[ConsentProject], None]:
    """Does it to both places."""

    def make(project: ConsentProject) -> None:
        for place in (TOKEN, SEALED):
            change(project.folder / place)

    return make


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir(mode=0o700)


def a_folder_for_a_lock(file: Path) -> None:
    lock = file.with_name(f".{file.name}.lock")
    lock.unlink()
    lock.mkdir(mode=0o700)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def bare(file: Path) -> None:
    """Write a token manually, without the seal that it should have."""
    sealed = file.name == "plan"
    file.write_text(f"{'Bearer' if sealed else MARKERS.refresh_token}\n")


FAILING = {
    kind: Trouble(
        (9, 9, 9, 9, 9, 0), lambda one, kind=kind: one.emulator.fault(kind, TOKEN_CALL, times=99, seconds=0.0)
    )
    for kind in ("429", "500-after", "timeout-after")
}
TROUBLES = {
    "none": Trouble((0, 0, 0, 0, 0, 0)),
    "a consent withdrawn": Trouble((4, 4, 4, 4, 4, 0), lambda one: one.emulator.revoke_consents()),
    "an account withdrawn": Trouble((4, 4, 4, 4, 4, 0), lambda one: one.emulator.withdraw_account(ACCOUNT)),
    "an old token": Trouble((4, 4, 4, 4, 4, 0), an_old_token),
    "a token too old": Trouble((4, 4, 4, 4, 4, 4), lambda one: one.emulator.advance(181 * 86_400)),
    "a folder in its place": Trouble((10, 4, 10, 10, 4, 4), in_place(a_folder)),
    "a folder for a lock": Trouble((4, 4, 4, 4, 4, 0), in_place(a_folder_for_a_lock)),
    "half of it": Trouble((4, 4, 4, 4, 4, 4), in_place(cut)),
    "a bare token": Trouble((4, 4, 4, 4, 4, 4), in_place(bare)),
    "open to others": Trouble((0, 4, 0, 0, 4, 4), in_place(lambda file: file.chmod(0o644))),
    "another secret": Trouble((4, 4, 4, 4, 4, 0), environ={"CRITEO_SECRET": f"{MARKERS.client_secret}x"}),
    "another key": Trouble((4, 0, 4, 4, 4, 4), environ={"RECONCILER_STATE_KEY": f"{'c1dh' * 10}Zqs="}),
    "a secret for a key": Trouble(
        (4, 0, 4, 4, 4, 4), environ={"RECONCILER_STATE_KEY": MARKERS.client_secret}
    ),
    **FAILING,
}


@pytest.mark.parametrize("name", TROUBLES)
def test_commands_in_trouble(project, name):
    trouble = TROUBLES[name]
    trouble.make(project)
    codes = []
    for command in COMMANDS:
        terminal = command is COMMANDS[-2]
        done = project.run(*command, injections=LOUD, terminal=terminal, **trouble.environ)
        assert "This is a bug" not in done.text, done.text
        codes.append(done.code)
    assert tuple(codes) == trouble.codes
    silent(project)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_without_room(project, command):
    """A run that writes the state needs room for its entry in the audit log first (exit 10)."""
    for full in (no_room, no_room_once_answered):
        done = project.run(*command, injections=(*LOUD, full), terminal=True)
        assert "This is a bug" not in done.text
        first = 10 if command[0] == "apply" and full is no_room else 4
        assert done.code == (0 if "auth" in command else first), done.text
    silent(project)


# -- crashes ------------------------------------------------------------------------------------------

PLACES = {
    "an address": "reconciler.consent_flow:ConsentFlow.address",
    "what came back": "reconciler.consent_flow:ConsentFlow.complete",
    "a code": "reconciler.connections:ConnectionFactory.redeem",
    "a form": "reconciler.criteo.grants:ClientKeys.form",
    "an answer": "reconciler.criteo.grants:AuthorizationCode._keep",
    "a place": "reconciler.credentials.consent_store:SecretConsentStore.write",
    "sealing": "reconciler.credentials.backends.state:StateBackend.store",
    "a page": "reconciler.commands.auth.login:connected_page",
}
RENEWING = {
    "a form": "reconciler.criteo.grants:ClientKeys.form",
    "what is kept": "reconciler.credentials.consent_store:decode",
    "an answer": "reconciler.criteo.grants:RefreshToken._keep",
    "a place": "reconciler.credentials.consent_store:SecretConsentStore.write",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_bug_in_a_login(unasked, place):
    """Every secret that is at hand is in its words; the browser is answered all the same."""
    injections = (*LOUD, partial(bug_telling_all, PLACES[place]))
    done = (
        unasked.run(*LISTENING, injections=injections)
        if place == "an address"
        else gives_up(unasked, injections)
    )
    assert done.code == 1, done.text
    assert "This is a bug" in done.text
    silent(unasked)


def gives_up(unasked, injections):
    """Let the browser never answer."""
    process, address, said = unasked.listens(injections=injections)
    with suppress(httpx.TransportError):
        unasked.comes_back(sent_back(address))
    return ended(process, said)


@pytest.mark.parametrize("place", RENEWING)
@pytest.mark.parametrize("command", COMMANDS[:2], ids=" ".join)
def test_a_bug_while_renewing(project, command, place):
    injections = (*LOUD, partial(bug_telling_all, RENEWING[place]))
    done = project.run(*command, injections=injections, terminal=True)
    assert done.code == 1, done.text
    assert "This is a bug" in done.text
    silent(project)


@pytest.mark.parametrize("killed", [killed_before_keeping, killed_while_keeping])
def test_killed_between_the_answer_and_our_write_of_a_login(unasked, killed):
    """What may lie there unfinished goes with the next one."""
    process, address, said = unasked.listens(injections=(*LOUD, killed))
    redirected = sent_back(address)
    with pytest.raises(httpx.TransportError):
        unasked.comes_back(redirected)
    assert ended(process, said).code == -signal.SIGKILL
    if killed is killed_before_keeping:
        silent(unasked)
    assert unasked.logs_in(injections=LOUD).code == 0
    silent(unasked)


@pytest.mark.parametrize("killed", [killed_before_keeping, killed_while_keeping])
def test_killed_between_the_answer_and_our_write_of_a_renewal(project, killed):
    for command in COMMANDS[:2]:
        assert project.run(*command, injections=(*LOUD, killed)).code == -signal.SIGKILL
    left = {one.rpartition("/")[2] for one in project.leaks()}
    assert all(one.startswith(".token.") for one in left)
    assert len(left) == (killed is killed_while_keeping), "what is sealed tells nothing"
    for command in COMMANDS:
        assert project.run(*command, injections=LOUD).code in {4, 0}
    silent(project)


SITE = """
import logging, sys
logging.basicConfig(stream=sys.stderr, level=logging.NOTSET)
for name in ("httpx", "httpcore"):
    logging.getLogger(name).addHandler(logging.StreamHandler(sys.stderr))
    logging.getLogger(name).setLevel(logging.DEBUG)
"""


def test_an_interpreter_in_development_mode(unasked, tmp_path):
    """Every logger at its loudest from the interpreter's first moment on, in a process of its own."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE)
    loud = {"PYTHONPATH": str(tmp_path / "site"), "PYTHONDEVMODE": "1", "PYTHONWARNINGS": "always"}
    for command, given in ((LOGIN, unasked.redirected()), (("auth", "status", "sandbox"), "")):
        with (unasked.root / "said" / command[1]).open("wb") as said:
            done = subprocess.run(
                [sys.executable, "-m", "reconciler", *command, "-v"],
                cwd=unasked.folder,
                env=unasked.surroundings(**loud),
                input=given.encode(),
                stdout=said,
                stderr=said,
                check=False,
                timeout=60,
            )
        assert done.returncode == (0 if given else 4)
    silent(unasked)


# -- the search itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("leak", CONSENT_LEAKS)
def test_a_planted_leak_is_found(unasked, leak):
    injection, found = CONSENT_LEAKS[leak]
    unasked.logs_in(injections=(injection,))
    assert any(one.startswith(found) for one in unasked.leaks()), unasked.leaks()
