"""Plan, apply and plan again end without changes, whether or not spellings of an e-mail are one member."""

from pathlib import Path
from typing import Any

import pytest
from support.cli import Project
from support.emulator import sha256

from reconciler.emulator import Switches

pytestmark = pytest.mark.promise("any-criteo")
ANY_CRITEO: list[dict[str, Any]] = [
    {"forms_equivalent": False},
    {"forms_equivalent": True, "failures": "http-400", "names_reusable": False, "rate_headers": False},
]


def addresses(*numbers: int) -> list[str]:
    return [f"person{number}@example.com" for number in numbers]


@pytest.mark.parametrize("switches", ANY_CRITEO, ids=lambda switches: ",".join(map(str, switches.values())))
def test_a_segment_whose_hashing_changes_gets_the_right_members(
    tmp_path: Path, switches: dict[str, Any]
) -> None:
    """From hashed to plain: a new segment takes the place of the old, and both forms never mix in one."""
    project = Project.make(tmp_path)
    with project.emulator() as emulator:
        emulator.configure(Switches(**switches))
    project.people(*range(100))
    project.run("apply", "sandbox", "--yes")
    project.people(*range(5, 103))
    project.run("apply", "sandbox", "--yes")
    assert project.members("email") == set(map(sha256, addresses(*range(5, 103))))

    rest = tmp_path / "environments" / "sandbox" / "rest.yaml"
    rest.write_text(rest.read_text().replace("hashing: sha256", "hashing: none\naccess: {pii: raw}"))
    project.run("apply", "sandbox", "--yes")
    assert "No changes." in project.run("plan", "sandbox").said
    with project.emulator() as emulator:
        held = [emulator.members(one.id) for one in emulator.segments() if one.name == "Buyers (email)"]
    plain = addresses(*range(5, 103))
    assert held == [set(map(sha256, plain)) if switches["forms_equivalent"] else set(plain)]
