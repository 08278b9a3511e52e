"""The result of each check, and its fix."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from reconciler.core.api_versions import SUPPORT
from reconciler.core.consent.model import REFRESH_TOKEN_LIFETIME, Consent
from reconciler.core.credential import Application, CredentialRole
from reconciler.core.desired_state import DesiredState
from reconciler.core.doctor.checks import (
    AGE,
    PLACE,
    SKIPPED,
    Check,
    CheckName,
    CheckResult,
    CheckStatus,
    DatabaseLink,
    checks_for,
    exit_code,
    seats_of,
)
from reconciler.core.doctor.results import (
    CheckedSnapshot,
    account,
    age,
    age_in_use,
    application,
    askable,
    audiences,
    clock,
    database,
    invalid,
    lockable,
    ok,
    on_speaking_terms,
    read,
    readable,
    renewable,
    retailed,
    room,
    snapshots,
    sources,
    valid,
    version,
)
from reconciler.core.errors import (
    AuthenticationError,
    ConfigurationError,
    CorruptSnapshotError,
    DeniedError,
    Finding,
    LockedError,
    ReconcilerError,
    RejectedError,
    RemoteError,
    StorageError,
)
from reconciler.core.model import (
    Address,
    Api,
    Audience,
    Environment,
    Hashing,
    IdentifierType,
    Seat,
    SegmentKey,
    SegmentSpec,
    Source,
)
from reconciler.core.remote import CallerIdentity, RateLimit
from reconciler.core.secret import Secret

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LOGIN = "`reconciler auth login production criteo`"
PAIR = ("env:ID", "env:SECRET")
OWN = CredentialRole("criteo", Application("clientCredentials", *PAIR), plan_application=False)
SPOKEN_FOR = CredentialRole(
    "criteo", Application("authorizationCode", *PAIR, "file:token"), plan_application=True
)
ACME, BETA = Seat("1001", "7"), Seat("1002", "7")
OK, WARNING, FAILURE = CheckStatus.OK, CheckStatus.WARNING, CheckStatus.FAILURE
DOWN = RemoteError("Criteo can't be reached", remedy="check the network")


def environment(*seats: Seat) -> Environment:
    named = tuple((f"seat{number}", seat) for number, seat in enumerate(seats))
    return Environment("production", Api("https://api.criteo.com"), "file:state", "data", named)


def spec(name: str, seat: Seat, credential: str) -> SegmentSpec:
    key = SegmentKey(seat.account_id, seat.retailer_id, IdentifierType.EMAIL, Hashing.SHA256)
    audience = Audience(name, name, "", Source(("x.csv",)), ())
    return SegmentSpec(Address("d", name), name, "", key, credential, audience)


def summed(result: CheckResult) -> tuple[CheckStatus, int]:
    assert bool(result.remedy) == (result.status is not OK)
    return result.status, result.code


# -- the chain ---------------------------------------------------------------------------------


def test_an_application_has_its_links_in_order() -> None:
    assert checks_for(OWN, (ACME, BETA), emulated=False) == (
        (CheckName.SECRETS, "clientId"),
        (CheckName.SECRETS, "clientSecret"),
        (CheckName.TOKEN, ""),
        (CheckName.APPLICATION, ""),
        (CheckName.CLOCK, ""),
        (CheckName.AUDIENCES, "1001"),
        (CheckName.AUDIENCES, "1002"),
        (CheckName.ACCOUNT, "1001"),
        (CheckName.ACCOUNT, "1002"),
        (CheckName.RETAILER, "1001/7"),
        (CheckName.RETAILER, "1002/7"),
        (CheckName.RATE, ""),
    )


def test_a_consent_has_a_token_a_place_and_an_age_but_not_at_the_emulator() -> None:
    kept = ((CheckName.SECRETS, "refreshToken"), (CheckName.CONSENT, PLACE), (CheckName.CONSENT, AGE))
    assert checks_for(SPOKEN_FOR, (), emulated=False)[2:5] == kept
    assert checks_for(SPOKEN_FOR, (), emulated=True)[:2] == ((CheckName.SECRETS, ""), (CheckName.TOKEN, ""))


def test_seats_are_those_of_the_credential_and_all_while_there_are_no_segments() -> None:
    segments = (spec("a", ACME, "criteo"), spec("b", ACME, "criteo"), spec("c", BETA, "other"))
    both = environment(ACME, BETA)
    assert seats_of(DesiredState(both, (), segments), "criteo") == (ACME,)
    assert seats_of(DesiredState(both, (), ()), "criteo") == (ACME, BETA)


def test_the_first_failure_along_the_chain_decides() -> None:
    results = (
        CheckResult(OK, ""),
        CheckResult(WARNING, "", "do"),
        SKIPPED,
        CheckResult(FAILURE, "", "do", 9),
        CheckResult(FAILURE, "", "do", 4),
    )
    checks = [Check(CheckName.TOKEN, "", "", one) for one in results]
    assert exit_code(checks) == 9
    assert exit_code(checks[:3]) == 0


# -- this side ---------------------------------------------------------------------------------


def test_manifests() -> None:
    assert summed(valid(DesiredState(environment(), (), (spec("a", ACME, "criteo"),)))) == (OK, 0)
    first, *others = invalid(ConfigurationError("no folder here", remedy="run inside a project"))
    assert first == Check(
        CheckName.MANIFESTS, "", "", CheckResult(FAILURE, "no folder here", "run inside a project", 3)
    )
    assert [one.name for one in others] == [link for link in CheckName if link is not CheckName.MANIFESTS]
    assert all(one.result is SKIPPED for one in others)


def test_findings_are_limited_to_twenty_lines() -> None:
    findings = [Finding(f"a.yaml:{line}:1", "it is wrong", "right it") for line in (*range(1, 31), 30)]
    wrong = [one.result for one in invalid(ConfigurationError("30 problems", findings=findings))][:21]
    assert wrong[0] == CheckResult(FAILURE, "a.yaml:1:1: it is wrong", "right it", 3)
    assert wrong[19].message == "a.yaml:20:1: it is wrong"
    assert wrong[20].message == "and 10 more"


def test_where_a_secret_was_read_is_reported_but_no_command_line() -> None:
    assert readable("file:secrets/acme", Secret("x")).message == "read from file:secrets/acme"
    assert readable("command:pass show --token hunter2", Secret("x")).message == "read from a command"
    lost = readable("file:secrets/acme", AuthenticationError("it is open to others", remedy="chmod 600"))
    assert summed(lost) == (FAILURE, 4)


@pytest.mark.parametrize(
    ("taken", "found"),
    [
        (None, (OK, 0)),
        (LockedError("another run"), (OK, 0)),
        (AuthenticationError("it can't be written", remedy="use file:"), (FAILURE, 4)),
        (StorageError("the disk is full", remedy="make room"), (FAILURE, 10)),
    ],
)
def test_the_place_of_a_refresh_token(taken: ReconcilerError | None, found: tuple[CheckStatus, int]) -> None:
    assert summed(renewable(taken)) == found


@pytest.mark.parametrize(
    ("days", "found"),
    [
        (None, (WARNING, 0)),
        (0, (OK, 0)),
        (149, (OK, 0)),
        (150, (WARNING, 0)),
        (REFRESH_TOKEN_LIFETIME.days - 1, (WARNING, 0)),
        (REFRESH_TOKEN_LIFETIME.days, (FAILURE, 4)),
    ],
)
def test_a_consent_grows_old(days: int | None, found: tuple[CheckStatus, int]) -> None:
    obtained = None if days is None else NOW - timedelta(days=days)
    result = age(Consent(Secret("token"), obtained_at=obtained), NOW, LOGIN)
    assert summed(result) == found
    assert result.status is OK or LOGIN in result.remedy


@pytest.mark.parametrize(
    ("days", "found"), [(0, (OK, 0)), (150, (WARNING, 0)), (REFRESH_TOKEN_LIFETIME.days + 20, (WARNING, 0))]
)
def test_a_token_that_criteo_takes_is_not_over(days: int, found: tuple[CheckStatus, int]) -> None:
    consent = Consent(Secret("token"), obtained_at=NOW - timedelta(days=days))
    result = age_in_use(consent, NOW, LOGIN)
    assert summed(result) == found
    assert result.status is OK or LOGIN in result.remedy


@pytest.mark.parametrize(
    ("resources", "found"),
    [
        ((), [(OK, 0)]),
        (StorageError("it is of another environment", remedy="check state.url"), [(FAILURE, 10)]),
        (
            StorageError("2 resource states", findings=[Finding("", "a", "b"), Finding("", "c", "d")]),
            [(FAILURE, 10), (FAILURE, 10)],
        ),
    ],
)
def test_reading_the_state(
    resources: tuple[()] | ReconcilerError, found: list[tuple[CheckStatus, int]]
) -> None:
    assert [summed(one) for one in read(resources)] == found


def test_snapshots_that_only_earlier_states_name_are_warned_of() -> None:
    wrong = CorruptSnapshotError("snapshot 0123456789ab is damaged", remedy="put it back")
    sound = CheckedSnapshot(None)
    assert [summed(one) for one in snapshots([sound], None)] == [(OK, 0)]
    assert [summed(one) for one in snapshots([sound, CheckedSnapshot(wrong)], None)] == [(FAILURE, 10)]
    earlier = CheckedSnapshot(wrong, (3, 4))
    unread = StorageError("3.json: malformed", remedy="remove it")
    found = snapshots([earlier, CheckedSnapshot(wrong)], unread)
    assert [summed(one) for one in found] == [(FAILURE, 10), (WARNING, 0), (WARNING, 0)]
    assert found[2].message.endswith("only earlier states need it, of serial 3, 4")
    many = [CheckedSnapshot(CorruptSnapshotError(f"snapshot {n} is damaged"), (3,)) for n in range(30)]
    assert summed(snapshots(many, None)[-1]) == (WARNING, 0)


@pytest.mark.parametrize(
    ("taken", "found"),
    [
        (None, (OK, 0)),
        (LockedError("the other run holds it", remedy="wait for it"), (WARNING, 0)),
        (StorageError("the disk is full", remedy="make room"), (FAILURE, 10)),
    ],
)
def test_locking_the_state(taken: ReconcilerError | None, found: tuple[CheckStatus, int]) -> None:
    assert summed(lockable(taken)) == found


def test_sources() -> None:
    gone = Finding("a.yaml:3:9", "no file matches people.csv", "check the path")
    far = ConfigurationError("s3:// can't be read", remedy="mount it")
    checked: list[Sequence[Finding] | ReconcilerError] = [(gone,), (), far, far]
    assert [(one.message, one.code) for one in sources(checked)] == [
        ("a.yaml:3:9: no file matches people.csv", 3),
        ("s3:// can't be read", 3),
    ]
    assert [summed(one) for one in sources([(), ()])] == [(OK, 0)]


# -- Criteo ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "found"),
    [
        ("", (OK, 0)),
        ("RetailMedia", (OK, 0)),
        ("C-Max (Retail Media)", (OK, 0)),
        ("cmax", (OK, 0)),
        ("MarketingSolutions", (WARNING, 0)),
    ],
)
def test_an_application_of_another_service_is_suspicious(
    service: str, found: tuple[CheckStatus, int]
) -> None:
    assert summed(application(CallerIdentity("Acme", service), OWN, LOGIN)) == found


def test_an_application_without_a_name_or_without_an_answer() -> None:
    assert application(CallerIdentity("", ""), OWN, LOGIN).message == "it has no name"
    assert summed(application(DOWN, OWN, LOGIN)) == (FAILURE, 9)
    assert summed(application(DeniedError("403"), OWN, LOGIN)) == (FAILURE, 4)


@pytest.mark.parametrize(
    ("answered", "on"),
    [
        (CallerIdentity("", ""), True),
        (DeniedError("403"), True),
        (RejectedError("404"), True),
        (RejectedError("429", code="too-many-requests"), False),
        (AuthenticationError("401"), False),
        (DOWN, False),
    ],
)
def test_an_unresponsive_api_gets_no_more_requests(
    answered: CallerIdentity | ReconcilerError, on: bool
) -> None:
    assert on_speaking_terms(answered) is on


@pytest.mark.parametrize(
    ("skew", "found"),
    [
        (None, (OK, 0)),
        (timedelta(minutes=-2), (OK, 0)),
        (timedelta(minutes=3), (WARNING, 0)),
        (timedelta(minutes=-60), (WARNING, 0)),
        (timedelta(minutes=61), (FAILURE, 3)),
    ],
)
def test_a_clock(skew: timedelta | None, found: tuple[CheckStatus, int]) -> None:
    assert summed(clock(skew)) == found


def test_a_wrong_clock_is_reported_as_fast_or_slow() -> None:
    assert clock(timedelta(minutes=3)).message == "this machine's clock is 3 minutes behind Criteo's"
    assert clock(timedelta(hours=-26)).message == "this machine's clock is 1,560 minutes ahead of Criteo's"


@pytest.mark.parametrize(
    ("lacking", "role", "remedy"),
    [
        ("consent", OWN, "open the application's consent URL; or check accountId"),
        ("consent", SPOKEN_FOR, f"ask for consent: {LOGIN}; or check accountId"),
        ("permission", OWN, "`Audiences: Manage`"),
        ("permission", SPOKEN_FOR, "`Audiences: Read`"),
        ("", OWN, "if the account never consented"),
        ("", OWN, "if the permission is missing"),
    ],
)
def test_a_denial_is_distinguished_as_far_as_its_code_goes(
    lacking: str, role: CredentialRole, remedy: str
) -> None:
    result = audiences(DeniedError("Criteo answers 403", lacking=lacking), role, LOGIN)  # type: ignore[arg-type]
    assert summed(result) == (FAILURE, 4)
    assert remedy in result.remedy


def test_audiences_that_can_be_read_or_not_at_all() -> None:
    assert summed(audiences(None, OWN, LOGIN)) == (OK, 0)
    assert summed(audiences(DOWN, OWN, LOGIN)) == (FAILURE, 9)


def test_an_account_that_never_consented_is_asked_no_more() -> None:
    assert askable(None)
    assert askable(DeniedError("403", lacking="permission"))
    assert not askable(DeniedError("403", lacking="consent"))
    assert not askable(DeniedError("403"))
    assert not askable(DOWN)


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (True, (OK, 0)),
        (False, (FAILURE, 3)),
        (DeniedError("403"), (WARNING, 0)),
        (DOWN, (WARNING, 0)),
        (RejectedError("404"), (WARNING, 0)),
    ],
)
def test_lists_that_neither_plan_nor_apply_needs(
    there: bool | ReconcilerError, found: tuple[CheckStatus, int]
) -> None:
    assert summed(account(there)) == found
    assert summed(retailed(there)) == found


def test_a_closed_list_is_reported_with_the_permission_that_opens_it() -> None:
    denied = DeniedError("403")
    assert account(denied).remedy == "give it `Accounts: Read` to have this checked"
    assert retailed(denied).remedy == "give it `Campaign: Read` to have this checked"


def test_no_remedy_names_the_running_command() -> None:
    reported = "check clientId, then run `reconciler doctor`: it tests the connection check by check"
    assert application(AuthenticationError("401", remedy=reported), OWN, LOGIN).remedy == "check clientId"
    assert account(RejectedError("401", remedy=reported)).remedy == "check clientId"


@pytest.mark.parametrize(
    ("rate", "status"),
    [
        (None, OK),
        (RateLimit(250, 25), OK),
        (RateLimit(250, 24), WARNING),
        (RateLimit(10, 0), WARNING),
        (RateLimit(10, 9), OK),
    ],
)
def test_room_for_calls(rate: RateLimit | None, status: CheckStatus) -> None:
    assert summed(room(rate)) == (status, 0)


@pytest.mark.parametrize(
    ("name", "day", "reported"),
    [
        ("2026-07", date(2026, 11, 24), "2026-07, supported until 2027-07-21"),
        ("2026-01", date(2026, 11, 24), "2026-01 is deprecated: support ends on 2027-01-27"),
        ("2026-01", date(2027, 1, 27), "support of 2026-01 ended on 2027-01-27"),
        ("2026-02", date(2026, 11, 24), "2026-02 is not known here"),
    ],
)
def test_a_version_of_the_api_ends(name: str, day: date, reported: str) -> None:
    result = version(name, day)
    assert result.message.startswith(reported)
    assert summed(result) == (OK if "until" in reported else WARNING, 0)


def test_a_version_is_deprecated_for_its_last_three_months() -> None:
    for support in SUPPORT.values():
        months = 12 * (support.ends.year - support.deprecated_from.year)
        assert months + support.ends.month - support.deprecated_from.month == 3
        assert support.ends.day == support.deprecated_from.day


# -- databases ---------------------------------------------------------------------------------


def test_a_link_to_a_database_holds_or_names_its_fix() -> None:
    holds = database(DatabaseLink("crm (plan)", "driver", "installed"))
    assert (holds.item, holds.result) == ("crm (plan): driver", ok("installed"))
    fails = database(DatabaseLink("crm", "rights", Finding("a.yaml:1:1", "no right", "grant it")))
    assert (fails.name, fails.item) == (CheckName.DATABASE, "crm: rights")
    assert (fails.result.message, fails.result.remedy) == ("no right", "grant it")
    assert summed(fails.result) == (CheckStatus.FAILURE, 3)
