"""Bad input and faults, case by case: the message, the exit code, and that nothing was lost.

The cases are in tests/faults; docs/reference/errors.md is the same table for operators.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from faults.case import APPLY, PLAN, Case, Leaves
from faults.page import page
from faults.project import AFTER, PERSONAL, World, customer, email, lying, made, opened, sha256
from faults.table import GROUPS
from support.fakes.disk import Fault, watched

pytestmark = pytest.mark.promise("faults")
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
STRIDE, WORKERS = 7, 2
ROOM = ("free disk space", "make room")
CASES = [case for group in GROUPS for case in group.cases]


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A project that was never applied, and one that has been; each row gets a copy."""
    return {start: made(tmp_path_factory.mktemp(start), start) for start in ("fresh", "applied")}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_nothing_is_lost_when(
    case: Case, templates: dict[str, Path], tmp_path: Path, stack: ExitStack
) -> None:
    world = opened(templates[case.start], tmp_path, case.way, stack)
    written, said = len(world.writes()), []
    world.keep(tmp_path / "kept")
    case.breaks(world)
    broken = lying(world.state)

    ended = world.run(*case.run)
    said.append(ended.said)
    assert ended.code == case.code, ended.said
    assert words(case.says) in words(ended.said)
    assert words(case.hint) in words(ended.said)
    if case.leaves is Leaves.NOTHING:
        assert lying(world.state) == broken
    if case.leaves in {Leaves.NOTHING, Leaves.NOTED}:
        assert len(world.writes()) == written

    repair(world, case)
    for arguments, wanted in ((APPLY, ""), (PLAN, "No changes.")):
        ended = world.run(*arguments)
        said.append(ended.said)
        assert ended.code == 0, ended.said
        assert wanted in ended.said
    assert_arrived(world, case.people, written)
    assert_private(world, said)


def words(text: str) -> str:
    """Without the blanks and line ends that fit a text to a screen."""
    return "".join(text.split())


@pytest.mark.parametrize("worker", range(WORKERS))
def test_nothing_is_lost_when_the_disk_is_full_from_any_write_on(
    worker: int, templates: dict[str, Path], tmp_path: Path, stack: ExitStack
) -> None:
    """A run for every seventh call that changes the disk; the last run meets no fault.

    Each call of the state itself fails in tests/unit/state/test_local_state_survives.py.
    """
    for first in count(1 + worker * STRIDE, WORKERS * STRIDE):
        world = opened(templates["applied"], tmp_path / str(first), "emulator", stack)
        fault, before = Fault(first, calls=1_000), len(world.writes())
        world.disk = partial(watched, fault)
        ended = world.run(*APPLY)
        said = [ended.said]
        if not fault.happened:
            break
        if "2 applied" not in ended.said:  # else only the farewell to the lock failed
            assert ended.code == 10, (first, ended.said)
            assert any(words(way) in words(ended.said) for way in ROOM), (first, ended.said)

        world.disk = nullcontext
        ended = world.run(*APPLY)
        assert ended.code == 0, (first, ended.said)
        assert_arrived(world, AFTER, before)
        assert_private(world, [*said, ended.said])
        shutil.rmtree(world.root)
    assert first > 100


def repair(world: World, case: Case) -> None:
    """Removes the cause; the state is put back only where it was what broke."""
    if world.hostile:
        world.hostile.planned.clear()
    if case.repairs:
        case.repairs(world)
    else:
        world.put_back()


def assert_arrived(world: World, people: range, before: int) -> None:
    """Check that Criteo has exactly the desired members, and got at most one batch per segment twice."""
    assert world.members("email") == {sha256(email(one)) for one in people}
    assert world.members("customer") == {customer(one) for one in people}
    batches = Counter(
        (one.segment_id, one.action, one.digest) for one in world.writes()[before:] if one.action
    )
    repeated = Counter(segment for (segment, _, _), times in batches.items() if times > 1)
    assert set(repeated.values()) <= {1}


def assert_private(world: World, said: list[str]) -> None:
    """No person, secret or token, and no traceback, in all that was said."""
    text = "\n".join(said)
    assert "other" not in {operation for operation, _ in world.seen()}  # no redirection was followed
    tokens = {credential.removeprefix("Bearer ") for _, credential in world.seen() if credential}
    leaked = [one for one in PERSONAL | tokens if one in text]
    assert leaked == []
    assert "Traceback" not in text
    assert "This is a bug" not in text


def test_no_two_rows_are_alike() -> None:
    assert len({case.id for case in CASES}) == len(CASES) >= 60
    assert all(case.says for case in CASES if case.code)


def test_the_page_for_operators_is_this_table(request: pytest.FixtureRequest) -> None:
    """`pytest --update` rewrites it."""
    if request.config.getoption("--update"):
        PAGE.write_text(page(GROUPS), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page(GROUPS)
