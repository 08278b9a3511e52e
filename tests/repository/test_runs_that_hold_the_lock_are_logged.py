"""The lock of a state is taken in one place, which appends to the audit log."""

import re
from pathlib import Path

from reconciler.core.audit.model import RunCommand

REPOSITORY = Path(__file__).parents[2]
HOLDS = re.compile(r"\bstore\.(?:lock|break_lock)\(")
LOGGED = REPOSITORY / "reconciler" / "commands" / "support" / "audited.py"
COMMANDS = REPOSITORY / "reconciler" / "commands"


def sources(folder: Path) -> dict[Path, str]:
    return {path: path.read_text() for path in folder.rglob("*.py")}


def test_the_lock_is_taken_beside_the_log_only() -> None:
    """Breaking the lock of another run is the one exception: it appends without the lock."""
    holding = {path for path, text in sources(REPOSITORY / "reconciler").items() if HOLDS.search(text)}
    breaks = COMMANDS / "state" / "lock.py"
    assert holding == {LOGGED, breaks}
    before, found, _ = breaks.read_text().partition("space.store.break_lock(")
    assert found
    assert "with logged(" in before.splitlines()[-2]


def test_each_command_of_the_log_is_a_command_and_has_a_test_of_its_entry() -> None:
    used = set(re.findall(r"Caller\.of\(\s*RunCommand\.(\w+)", "".join(sources(COMMANDS).values())))
    assert used == {one.name for one in RunCommand}
    tests = "".join(sources(REPOSITORY / "tests" / "e2e").values())
    for one in RunCommand:
        assert re.search(rf'\("{one}", |\["command"\][^=]*== \(?"{one}"', tests), one
