"""Each check fails by itself, at an emulator behind a socket: the output of `doctor`, and its exit code."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest
from faults.project import World, made, opened
from support.cli import Ended, Project
from support.consenting_user import BACK, ConsentingUser
from support.emulator import Client
from support.faulty_proxy import Strike, Visit, problem, says

from reconciler.emulator import Emulator
from reconciler.emulator.in_process_transport import transport
from reconciler.emulator.switches import EVERY_SCOPE
from reconciler.state.local_store import LocalStore

ACCOUNT, RETAILER = "368477501993431040", "3239117063738827231"
ME_AND_ACCOUNTS, SEARCHES = "other", "search"
CREDENTIAL = f"""\
kind: Credential
name: criteo
grant: authorizationCode
clientId: env:ID
clientSecret: env:SECRET
refreshToken: {{reference}}
redirectUri: {BACK}
"""


@dataclass
class Broken:
    """A project whose checks all pass until one is broken."""

    world: World

    def doctor(self, *arguments: str) -> Ended:
        ended = self.world.run("doctor", "sandbox", "--quiet", *arguments)
        secret = self.world.environ.get("SECRET")
        assert secret is None or secret not in ended.said
        return Ended(ended.code, " ".join(ended.said.split()))

    def emulator(self) -> Emulator:
        return self.world.project.emulator()

    def granted(self, *scopes: str) -> None:
        with self.emulator() as emulator:
            emulator.configure(replace(emulator.switches, scopes=scopes))

    def edit(self, name: str, old: str, new: str) -> None:
        self.world.edit(name, old, new)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("doctor"), "fresh")


@pytest.fixture
def broken(template: Path, tmp_path: Path) -> Iterator[Broken]:
    with ExitStack() as stack:
        yield Broken(opened(template, tmp_path, "http", stack))


def test_every_check_passes(broken: Broken) -> None:
    ended = broken.doctor()
    assert ended.code == 0, ended.said
    assert "All checks passed." in ended.said
    for link in ("clientId: read from env", "Criteo issues one", "its segments can be read", "it is there"):
        assert link in ended.said
    assert not broken.world.writes()


def test_the_repository_s_own_environments_hold(tmp_path: Path) -> None:
    project = Project.examples(tmp_path)
    assert "All checks passed." in project.run("doctor", "sandbox").said
    said = project.run("doctor", "production", "--emulate", "--data-root", "examples/data").said
    assert "the emulator issues its own" in said
    assert "All checks passed." in said
    assert not (tmp_path / ".reconciler" / "state" / "production").exists()


def test_machines_read_it(broken: Broken) -> None:
    broken.granted("RetailMedia_Audience_Manage")
    said = broken.doctor("--json").said
    document, _ = json.JSONDecoder().raw_decode(
        said[said.index("{") :]
    )  # the log's head is on standard error
    assert (document["format_version"], document["environment"], document["exit_code"]) == (2, "sandbox", 0)
    verdicts = {(one["check"], one["status"]) for one in document["checks"]}
    assert ("retailer", "warning") in verdicts
    assert ("sources", "ok") in verdicts


def test_what_plan_needs_leaves_the_lock_alone(broken: Broken) -> None:
    ended = broken.doctor("--plan")
    assert ended.code == 0, ended.said
    assert "reading: addresses in it: 0" in ended.said
    assert "writing" not in ended.said
    assert not broken.world.state.exists()


def withdrawn(broken: Broken) -> None:
    with broken.emulator() as emulator:
        emulator.withdraw_account(ACCOUNT)


def struck(operation: str, strike: Strike) -> Callable[[Broken], None]:
    return lambda broken: broken.world.strikes(operation, strike)


def edited(name: str, old: str, new: str) -> Callable[[Broken], None]:
    return lambda broken: broken.edit(name, old, new)


def variable(name: str, value: str | None) -> Callable[[Broken], None]:
    def change(broken: Broken) -> None:
        broken.world.environ.pop(name)
        broken.world.environ |= {name: value} if value else {}

    return change


def granted(*scopes: str) -> Callable[[Broken], None]:
    return lambda broken: broken.granted(*scopes)


def unreachable(broken: Broken) -> None:
    assert broken.world.hostile
    broken.edit("environment.yaml", broken.world.hostile.url, "http://127.0.0.1:9")


def corrupted(broken: Broken) -> None:
    broken.world.state.mkdir(parents=True)
    (broken.world.state / "head.json").write_text("nothing of the kind")


def late(minutes: float) -> Callable[[Broken], None]:
    """The local clock is wrong; responses have the right time."""

    def set_clock(broken: Broken) -> None:
        def answer(visit: Visit, content: bytes) -> None:
            date = formatdate(time.time() + 60 * minutes, usegmt=True)
            visit.answer(200, visit.carried_out(content).content, Date=date)

        broken.world.strikes(ME_AND_ACCOUNTS, answer)

    return set_clock


READ_ONLY = [scope for scope in EVERY_SCOPE if "Audience" not in scope]
NOT_ASKED = "skipped: token, application, clock, audiences, account, retailer, rate limit"


@pytest.mark.parametrize(
    ("breaks", "code", "says"),
    [
        pytest.param(
            edited("rest.yaml", "seat: acme", "seat: nobody"),
            3,
            ["there is no seat of that name", "skipped: secrets, consent, token"],
            id="a manifest",
        ),
        pytest.param(
            variable("SECRET", None),
            4,
            ["clientSecret: the environment variable SECRET is not set", "export SECRET", NOT_ASKED],
            id="a secret that is not there",
        ),
        pytest.param(
            variable("SECRET", "wrong"),
            4,
            [
                "✗ token Criteo gave no token (the token endpoint answers 401 invalid_client)",
                "credential criteo reads clientId from env:ID, clientSecret from env:SECRET",
                "skipped: application, clock",
            ],
            id="a wrong secret",
        ),
        pytest.param(
            unreachable,
            9,
            ["✗ token", "can't be reached (nothing listens there)", "check api.endpoint"],
            id="nobody listens",
        ),
        pytest.param(
            struck(ME_AND_ACCOUNTS, says(503)),
            9,
            ["✓ token", "✗ application", "Criteo answers 503", "skipped: clock, audiences"],
            id="no answer to a good token",
        ),
        pytest.param(
            struck(ME_AND_ACCOUNTS, says(404, "{}")),
            9,
            ["✗ application", "Criteo answers 404", "✓ audiences", "! account", "✓ retailer"],
            id="an address that isn't there",
        ),
        pytest.param(
            withdrawn,
            4,
            [
                f"✗ audiences {ACCOUNT}: searching account {ACCOUNT} for a segment: Criteo answers 403",
                "insufficient-account-permissions",
                "open the application's consent URL",
                f"✗ account {ACCOUNT}: it is not among the accounts",
                "skipped: retailer",
            ],
            id="consent",
        ),
        pytest.param(
            struck(SEARCHES, problem(403, "forbidden", "authorization")),
            4,
            [
                "Criteo answers 403 forbidden",
                "if the account never consented",
                "if the permission is missing",
            ],
            id="consent or a permission",
        ),
        pytest.param(
            granted(*READ_ONLY),
            4,
            ["Criteo answers 403 insufficient-scope", "`Audiences: Manage`", "✓ account", "✓ retailer"],
            id="the permission for audiences",
        ),
        pytest.param(
            granted("RetailMedia_Audience_Manage"),
            0,
            [
                "! account",
                "give it `Accounts: Read` to have this checked",
                "! retailer",
                "give it `Campaign: Read` to have this checked",
                "2 warnings.",
            ],
            id="permissions that nothing else needs",
        ),
        pytest.param(
            edited("environment.yaml", ACCOUNT, "41"),
            4,
            ["✗ audiences 41:", "✗ account 41:", "check accountId in environment.yaml"],
            id="an account",
        ),
        pytest.param(
            edited("environment.yaml", RETAILER, "7"),
            3,
            [f"✗ retailer {ACCOUNT}/7: the account has no such retailer", "check accountId and retailerId"],
            id="a retailer",
        ),
        pytest.param(
            late(5),
            0,
            ["! clock this machine's clock is 4 minutes behind Criteo's", "set the clock"],
            id="a clock that is late",
        ),
        pytest.param(
            late(-180.5),
            3,
            ["✗ clock this machine's clock is 180 minutes ahead of Criteo's", "by NTP"],
            id="a clock that is wrong",
        ),
        pytest.param(
            edited("environment.yaml", '"2026-07"', '"2025-10"'),
            0,
            ["! version support of 2025-10 ended", "! retailer", "not checked: listing retailers"],
            id="a version that has ended",
        ),
        pytest.param(corrupted, 10, ["✗ state reading:", "head.json", "skipped: state"], id="the state"),
        pytest.param(
            lambda broken: broken.world.people.unlink(),
            3,
            ["✗ sources environments/sandbox/buyers.yaml", "no file matches people.csv in data"],
            id="a source",
        ),
        pytest.param(
            lambda broken: shutil.rmtree(broken.world.data),
            3,
            ["✓ token", "✗ sources environments/sandbox/buyers.yaml", "there is no folder", "--data-root"],
            id="all sources",
        ),
        pytest.param(
            edited("environment.yaml", "root: data", "root: s3://acme/exports"),
            10,
            [
                "✗ sources environments/sandbox/environment.yaml",
                "can't list s3://acme/exports: there is no login for it",
                "AWS_ACCESS_KEY_ID",
            ],
            id="sources that nobody may read",
        ),
    ],
)
def test_what_is_broken_is_named(
    broken: Broken, breaks: Callable[[Broken], None], code: int, says: list[str]
) -> None:
    breaks(broken)
    ended = broken.doctor()
    assert ended.code == code, ended.said
    for one in says:
        assert one in ended.said, ended.said
    assert "All checks passed." not in ended.said
    assert "run `reconciler doctor`" not in ended.said
    assert not broken.world.writes()


def test_an_unknown_environment_is_a_link_too(broken: Broken) -> None:
    ended = broken.world.run("doctor", "sandbx")
    assert ended.code == 3
    assert "there is no environment of that name" in ended.said


def test_a_held_state_is_a_warning_that_names_its_holder(broken: Broken) -> None:
    store = LocalStore(broken.world.root / ".reconciler/state/sandbox", "sandbox")
    with store.lock("the other run"):
        ended = broken.doctor()
    assert ended.code == 0, ended.said
    assert "! state writing: sandbox: another run holds the state: the other run" in ended.said


# -- consents ----------------------------------------------------------------------------------


def consenting(broken: Broken, reference: str, *, kept: bool) -> Path:
    """Let the credential use a consent; its refresh token is in a file, or missing."""
    rest = broken.world.manifests / "rest.yaml"
    _, *others = rest.read_text().split("---\n")
    rest.write_text("---\n".join([CREDENTIAL.format(reference=reference), *others]))
    file = broken.world.root / "secrets" / "token"
    file.parent.mkdir()
    if kept:
        with (
            broken.emulator() as emulator,
            httpx.Client(transport=transport(emulator.pipeline), base_url="http://emulator.invalid") as http,
        ):
            file.write_text(ConsentingUser(Client(emulator, http)).consents()["refresh_token"])
        file.chmod(0o600)
    return file


def test_a_consent_of_unknown_age_holds_and_is_known_from_then_on(broken: Broken) -> None:
    consenting(broken, "file:secrets/token", kept=True)
    ended = broken.doctor()
    assert ended.code == 0, ended.said
    assert "✓ consent place: the refresh token can be replaced" in ended.said
    assert "✓ consent age: the refresh token is of" in ended.said, "asking for a token has renewed it"
    assert "10 calls a minute" in ended.said
    assert "All checks passed." in broken.doctor().said


def test_a_refresh_token_that_is_not_there_names_the_login(broken: Broken) -> None:
    consenting(broken, "file:secrets/token", kept=False)
    ended = broken.doctor()
    assert ended.code == 4, ended.said
    expected = "✗ secrets refreshToken: no consent is kept yet: the secret file secrets/token can't be read"
    assert expected in ended.said
    assert "ask for consent: `reconciler auth login sandbox criteo`" in ended.said
    assert "✓ consent place" in ended.said
    assert "skipped: consent, token" in ended.said


def test_a_place_that_cant_be_written_spends_no_token(broken: Broken) -> None:
    file = consenting(broken, "file:secrets/token", kept=True)
    file.with_name(".token.lock").mkdir()
    ended = broken.doctor()
    assert ended.code == 4, ended.said
    assert "✗ consent place: the refresh token can't be kept" in ended.said
    assert "✓ secrets refreshToken: read from file" in ended.said
    assert "✗ consent place" in ended.said
    assert "skipped: token" in ended.said
    assert not broken.world.seen()


def test_a_consent_that_was_withdrawn_is_reported_by_its_token(broken: Broken) -> None:
    consenting(broken, "file:secrets/token", kept=True)
    with broken.emulator() as emulator:
        emulator.revoke_consents()
    ended = broken.doctor()
    assert ended.code == 4, ended.said
    assert "✗ token Criteo no longer takes the refresh token" in ended.said
    assert "`reconciler auth login sandbox criteo`" in ended.said
