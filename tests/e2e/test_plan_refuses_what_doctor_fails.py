"""`plan` and `apply` refuse an environment that `doctor` fails, with the same exit code and message."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.utils import formatdate
from pathlib import Path

import pytest
from faults.project import World, made, opened
from support.cli import Ended
from support.faulty_proxy import RETAILERS, SEARCH, TOKEN, Strike, Visit, problem, says

pytestmark = pytest.mark.promise("refused-early")

ACCOUNT, RETAILER = "368477501993431040", "3239117063738827231"
ALL = ("token", "search", "retailers", "create", "update", "members", "statistics", "other")


@pytest.fixture(scope="module", params=["fresh", "applied"])
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture
def world(template: Path, tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield opened(template, tmp_path, "http", stack)


def run(world: World, *arguments: str) -> Ended:
    ended = world.run(*arguments)
    return Ended(ended.code, " ".join(ended.said.split()))


def retailer(world: World) -> None:
    world.edit("environment.yaml", RETAILER, "7")


def account(world: World) -> None:
    world.edit("environment.yaml", ACCOUNT, "41")


def dated(hours: float) -> Strike:
    """The call is carried out, and its answer has the date of another hour."""

    def answer(visit: Visit, content: bytes) -> None:
        found = visit.carried_out(content)
        date = formatdate(time.time() + 3600 * hours, usegmt=True)
        visit.answer(found.status_code, found.content, Date=date)

    return answer


def clock(hours: float) -> Callable[[World], None]:
    def set_clock(world: World) -> None:
        for operation in ALL:
            world.strikes(operation, dated(hours))

    return set_clock


@pytest.mark.parametrize(
    ("breaks", "code", "words"),
    [
        pytest.param(retailer, 3, "the account has no such retailer", id="retailer"),
        pytest.param(account, 4, "Criteo answers 403 insufficient-account-permissions", id="account"),
        pytest.param(clock(2), 3, "this machine's clock is 119 minutes behind Criteo's", id="slow clock"),
        pytest.param(clock(-3), 3, "this machine's clock is 180 minutes ahead of Criteo's", id="fast clock"),
    ],
)
def test_plan_and_apply_refuse_what_doctor_rules_out(
    world: World, breaks: Callable[[World], None], code: int, words: str
) -> None:
    written = len(world.writes())
    breaks(world)
    for command in (("doctor", "sandbox"), ("plan", "sandbox"), ("apply", "sandbox", "--yes")):
        ended = run(world, *command)
        assert ended.code == code, ended.said
        assert words in ended.said, ended.said
        if command[0] != "doctor":
            assert "API calls" not in ended.said, "a refused plan has no price"
            assert "run again" not in ended.said.lower()
            assert "rerun the command" not in ended.said
    assert len(world.writes()) == written


def test_a_refusal_names_the_account_the_retailer_and_the_fix(world: World) -> None:
    retailer(world)
    said = run(world, "plan", "sandbox").said
    assert f"retailer {ACCOUNT}/7: the account has no such retailer" in said
    assert "check accountId and retailerId in environment.yaml" in said


@pytest.mark.parametrize(
    ("strike", "again"),
    [
        (problem(403, "insufficient-scope", "authorization"), False),
        (problem(400, "validation-failed"), False),
        (says(404, "{}"), False),
        (says(410, "{}"), False),
        (says(429), True),
        (says(500), True),
    ],
)
def test_an_apply_advises_to_run_again_only_where_that_may_help(
    world: World, strike: Strike, again: bool
) -> None:
    for operation in ("create", "members"):
        world.strikes(operation, strike)
    said = run(world, "apply", "sandbox", "--yes").said
    assert ("rerun the command" in said) is again, said


def test_an_address_asked_for_by_name_is_refused_for_what_rules_out_another(world: World) -> None:
    """A retailer that is wrong for one destination rules the whole environment out."""
    rest = (world.manifests / "environment.yaml").read_text()
    assert rest.count(RETAILER) == 1
    retailer(world)
    ended = run(world, "plan", "sandbox", "--only", "offsite-email/buyers")
    assert ended.code == 3, ended.said


def test_what_doctor_looks_at_costs_a_plan_one_call_for_each_account(world: World) -> None:
    before = len(world.seen())
    assert run(world, "plan", "sandbox").code == 0
    calls = Counter(operation for operation, _ in world.seen()[before:])
    assert calls == {TOKEN: 1, SEARCH: 1, RETAILERS: 1}


@pytest.mark.parametrize(
    "strike",
    [
        pytest.param(problem(403, "insufficient-scope", "authorization"), id="no permission"),
        pytest.param(problem(404, "not-found"), id="404"),
        pytest.param(says(503), id="503"),
        pytest.param(says(200, "{}"), id="no list"),
    ],
)
def test_a_list_of_retailers_that_stays_closed_stops_no_plan_and_is_asked_for_once(
    world: World, strike: Strike
) -> None:
    world.strikes(RETAILERS, strike)
    before = len(world.seen())
    ended = run(world, "plan", "sandbox")
    assert ended.code == 0, ended.said
    calls = Counter(operation for operation, _ in world.seen()[before:])
    assert calls[RETAILERS] == 1


@pytest.mark.parametrize("hours", [0.9, -0.9])
def test_a_clock_within_an_hour_stops_no_plan(world: World, hours: float) -> None:
    clock(hours)(world)
    assert run(world, "plan", "sandbox").code == 0


def test_a_date_that_is_none_stops_no_plan(world: World) -> None:
    for operation in ALL:
        world.strikes(operation, _undated)
    assert run(world, "plan", "sandbox").code == 0


def _undated(visit: Visit, content: bytes) -> None:
    found = visit.carried_out(content)
    visit.answer(found.status_code, found.content, Date="Mon, 99 Foo 10000 99:99:99 GMT")
