"""A project with a consented credential: a code proved by PKCE, then tokens that rotate.

The writing application keeps its token in a file and gets its code by pasting; the one under `plan:`
keeps it sealed beside the state, and listens for the browser.
"""

import re
import secrets
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from leaks.echoing_server import EchoingServer
from leaks.markers import MARKERS
from leaks.project import edit, leak_project, people
from leaks.runner import PATIENCE, CapturedOutput, Command, LeakRunner
from support.consenting_user import Form

from reconciler.core.consent.authorization_url import _verifier
from reconciler.emulator import Emulator, Switches, accesstokens, refreshtokens
from reconciler.emulator import authorization_codes as codes

ACCOUNT, RETAILER = "368477501993431040", "3239117063738827231"
PLENTY = 10_000
ONLY = ("raw", "customer", "md5")
TOKEN, SEALED, KEY = ".reconciler/token", ".reconciler/state/sandbox/secrets/plan", ".reconciler/auth.key"
CREDENTIAL = f"""\
kind: Credential
name: criteo
grant: authorizationCode
clientId: env:CRITEO_ID
clientSecret: env:CRITEO_SECRET
refreshToken: file:{TOKEN}
redirectUri: https://hooks.acme.example/criteo
pkce: true
plan:
  grant: authorizationCode
  clientId: env:CRITEO_ID
  clientSecret: env:CRITEO_SECRET
  refreshToken: state:plan
  redirectUri: http://127.0.0.1:PORT/back
  pkce: true
"""
PEOPLE = frozenset({"a person", "a person, reversed", "a hash"})
MAY_HOLD: Mapping[str, AbstractSet[str]] = {
    ".reconciler/state": PEOPLE,
    ".reconciler/cache": PEOPLE,
    ".reconciler/emulator": {*PEOPLE, "client_id", "client_secret"},
    "data": PEOPLE,
    TOKEN: {"refresh_token"},
    KEY: {"signing_key"},
}
"""Of the project: everything else holds nothing. State is sealed, and the emulator keeps digests."""
LOGIN = ("auth", "login", "sandbox", "criteo")
LISTENING = (*LOGIN, "--plan", "-v", "--timeout", "30s")
PRINTED = re.compile(rb"(http\S+/request\?\S+)\n")
SHOWN = re.compile(rb"(/request\?response_type=code&client_id=)%s(?=&)" % MARKERS.client_id.encode())
"""The one place where a client id is shown: the address that somebody opens to consent."""


@dataclass
class ConsentProject(LeakRunner):
    """A project and its emulator on a socket. Output is searched for every value made meanwhile."""

    emulator: Emulator = field(kw_only=True)
    made: list[tuple[str, str]] = field(default_factory=list)
    _addressing: set[Path] = field(default_factory=set)

    def leaks(self) -> set[str]:
        self.markers = replace(MARKERS, made=tuple(self.made))
        return super().leaks()

    def open_to_others(self) -> list[str]:
        kept = [self.folder / place for place in (TOKEN, SEALED, KEY)]
        opened = [one for one in kept if one.is_file() and stat.S_IMODE(one.stat().st_mode) & 0o077]
        return [*super().open_to_others(), *map(str, opened)]

    # -- consent ------------------------------------------------------------------------------

    def address(self, *more: str) -> str:
        """Return the first line of `auth url`."""
        ended = self.run("auth", "url", "sandbox", "criteo", *more)
        assert ended.code == 0, ended.text
        return self._noted(ended.said)

    def redirected(self, *more: str, press: str = "allow") -> str:
        """Return the redirect URL after `auth url` and a decision."""
        return sent_back(self.address(*more), press)

    def pastes(self, redirected: str, *more: str, **how: object) -> CapturedOutput:
        return self.run(*LOGIN, "-v", *more, given=f"{redirected}\n", **how)  # type: ignore[arg-type]

    def listens(self, **how: object) -> tuple[ForkServerProcess, str, Path]:
        """Start `auth login`, and yield the printed URL and the output."""
        process, said = self.start(*LISTENING, **how)  # type: ignore[arg-type]
        deadline = time.monotonic() + PATIENCE
        while not (said.exists() and PRINTED.search(said.read_bytes())):
            assert process.is_alive(), said.read_bytes()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process, self._noted(said.read_bytes()), said

    def comes_back(self, redirected: str) -> bytes:
        """Follow the redirect as a browser; its page is searched, too."""
        page = httpx.get(redirected, trust_env=False)
        shown = repr(page.headers.raw).encode() + page.content
        (self.root / "said" / f"page-{secrets.token_hex(4)}").write_bytes(shown)
        return shown

    def logs_in(self, **how: object) -> CapturedOutput:
        """Log in through the loopback URL."""
        process, address, said = self.listens(**how)
        self.comes_back(sent_back(address))
        return ended(process, said)

    def consents(self) -> None:
        """Consent for both applications."""
        assert self.pastes(self.redirected()).code == 0
        done = self.logs_in()
        assert done.code == 0, done.text

    def _noted(self, said: bytes) -> str:
        """Record the URL; its verifier follows from the markers' key."""
        [address] = PRINTED.findall(said)
        self.proved(address.decode())
        return address.decode()

    def proved(self, address: str) -> None:
        [state] = parse_qs(urlsplit(address).query)["state"]
        self.made.append(("a verifier", _verifier(MARKERS.signing_key, state)))

    # -- what is searched ---------------------------------------------------------------------

    def _command(self, arguments: Sequence[str], *rest: object, **more: object) -> Command:
        command = super()._command(arguments, *rest, **more)  # type: ignore[arg-type]
        if arguments[:2] in (("auth", "url"), ("auth", "login")):
            self._addressing.add(command.said)
        return command

    def _files(self) -> Iterator[Path]:
        return (file for file in self.root.rglob("*") if file.is_file())

    def _read(self, file: Path) -> bytes:
        """Read output without the one allowed client ID."""
        content = super()._read(file)
        return without_the_id(content) if file in self._addressing else content

    def _kept_in(self, file: Path) -> AbstractSet[str]:
        homes = (kinds for place, kinds in MAY_HOLD.items() if file.is_relative_to(self.folder / place))
        return next(homes, frozenset())


def without_the_id(said: bytes) -> bytes:
    """Remove the client ID once, from the URL: a second occurrence is a leak."""
    return SHOWN.sub(rb"\1", said, count=1)


def ended(process: ForkServerProcess, said: Path) -> CapturedOutput:
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        raise AssertionError("it hangs")
    return CapturedOutput(process.exitcode, said.read_bytes())


def sent_back(address: str, press: str = "allow") -> str:
    """Open the URL as a user, decide, and return the redirect."""
    with httpx.Client(trust_env=False) as http:
        page = Form(http.get(address).text)
        fields = {**page.hidden, "account": page.ticked, "decision": press}
        answer = http.post(urljoin(address, page.action), data=fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


@contextmanager
def consenting(root: Path) -> Iterator[ConsentProject]:
    """A project without consent, and its emulator on a socket."""
    unplaced(root)
    with at_its_criteo(root) as project:
        yield project


def unplaced(root: Path) -> None:
    """Return its manifests without the URL of Criteo."""
    runner = leak_project(root, only=ONLY)
    edit(
        runner,
        "rest.yaml",
        (runner.folder / "environments/sandbox/rest.yaml").read_text().partition("---")[0],
        CREDENTIAL,
    )
    edit(runner, "environment.yaml", "endpoint: emulator", "endpoint: CRITEO/, consentUrl: CRITEO/request")
    for folder in (".reconciler", ".reconciler/emulator"):
        (runner.folder / folder).mkdir(mode=0o700)
    (runner.folder / KEY).write_bytes(MARKERS.signing_key)
    (runner.folder / KEY).chmod(0o600)


@contextmanager
def at_an_echoing_server(root: Path, server: EchoingServer) -> Iterator[ConsentProject]:
    """A project without consent whose Criteo repeats requests."""
    unplaced(root)
    with pytest.MonkeyPatch.context() as patch:
        project = ConsentProject(root, emulator=server.emulator)
        known_issues(patch, project.made)
        place(project, server.url)
        yield project


@contextmanager
def at_its_criteo(root: Path) -> Iterator[ConsentProject]:
    """Serve the emulator of a project, and write its URL into the manifests."""
    switches = Switches(rate_limit=PLENTY, rate_limit_per_account=PLENTY)
    with (
        Emulator.open(root / "project/.reconciler/emulator/sandbox.sqlite", switches=switches) as emulator,
        emulator.serving() as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        takes_our_keys(emulator)
        project = ConsentProject(root, emulator=emulator)
        known_issues(patch, project.made)
        place(project, url)
        yield project


def place(project: ConsentProject, url: str) -> None:
    """Write the URL of Criteo and a redirect port into the manifests."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    edit(project, "environment.yaml", "endpoint: CRITEO/, consentUrl: CRITEO/request",
         f'endpoint: "{url}", consentUrl: "{url}/request"')  # fmt: skip
    edit(project, "rest.yaml", ":PORT/", f":{port}/")


def takes_our_keys(emulator: Emulator) -> None:
    """Use our signing key; the program would generate its own."""
    emulator.ensure_account(ACCOUNT, [RETAILER])
    with emulator._database.session() as session:
        session.put("client_id", MARKERS.client_id)
        session.put("client_secret", MARKERS.client_secret)


def known_issues(patch: pytest.MonkeyPatch, made: list[tuple[str, str]]) -> None:
    """Start every issued value with the marker of its kind, and record it."""
    for module, kind in ((codes, "code"), (refreshtokens, "refresh_token"), (accesstokens, "token")):
        patch.setattr(module, "secrets", SimpleNamespace(token_urlsafe=_issuing(kind, made)))


def _issuing(kind: str, made: list[tuple[str, str]]) -> Callable[[int], str]:
    def issue(size: int) -> str:
        value = getattr(MARKERS, kind) + secrets.token_urlsafe(size)
        made.append((kind, value))
        return value

    return issue


def settled(base: Path) -> Path:
    """The template: consented, and applied without the first members; made once for all of `base`."""
    root = base / "consented"
    if root.exists():
        return root
    with consenting(root) as project:
        people(project, (*MARKERS.people[3:], *MARKERS.misfits), MARKERS.hashes)
        project.consents()
        done = project.run("apply", "sandbox", "--yes")
        assert done.code == 0, done.text
        assert project.leaks() == set()
    shutil.rmtree(root / "said")
    (root / "said").mkdir()
    return root


@contextmanager
def consented_copy(root: Path, template: Path) -> Iterator[ConsentProject]:
    """A copy of it with one member removed and three added."""
    shutil.copytree(template, root, dirs_exist_ok=True)
    folder = root / "project" / "environments" / "sandbox"
    for name, found, instead in (
        (
            "environment.yaml",
            r'endpoint: "\S+", consentUrl: "\S+"',
            "endpoint: CRITEO/, consentUrl: CRITEO/request",
        ),
        ("rest.yaml", r":\d+/back", ":PORT/back"),
    ):
        text = (folder / name).read_text()
        (folder / name).write_text(re.sub(found, instead, text))
    with at_its_criteo(root) as project:
        people(project, (*MARKERS.people[:3], *MARKERS.people[4:], *MARKERS.misfits), MARKERS.hashes)
        yield project
