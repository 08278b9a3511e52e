"""The documentation states what was never tried, and no example applies unapproved changes to production."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCAFFOLD = ROOT / "reconciler/scaffold/templates"
WRITTEN = [
    *(ROOT / "docs").rglob("*.md"), ROOT / "README.md", *SCAFFOLD.rglob("*.md"), *SCAFFOLD.rglob("*.yml"),
]  # fmt: skip
APPLY = re.compile(r"reconciler apply (?:production|\"?\$\w+\"?)[^\n`]*--yes[^\n`]*")


def section(text: str, heading: str) -> str:
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].strip()


def test_not_yet_begins_with_criteo():
    written = section((ROOT / "README.md").read_text(), "Not yet")
    assert written.startswith("**No call to the real Criteo API has been made.**")
    for evidence in ("SDK", "`make fidelity`", "docs/explanation/fidelity.md", "double of Vault", "moto"):
        assert evidence in written


def words(path: str) -> str:
    return " ".join((ROOT / path).read_text().split())


@pytest.mark.parametrize("page", ["docs/how-to/connect-criteo.md", "docs/explanation/fidelity.md"])
def test_doubles_are_named(page: str):
    written = words(page)
    assert "tests/support/fakes/vault.py" in written
    assert "moto" in written
    assert "real service" in written


def test_the_docs_state_when_a_kill_costs_a_consent():
    written = words("docs/how-to/connect-criteo.md")
    assert "killed between the token request and the stored response, that token is lost" in written
    assert "consent is needed again" in written


def test_the_docs_state_that_an_advance_of_the_emulator_expires_tokens():
    written = (ROOT / "docs/how-to/simulate-drift.md").read_text()
    row = written.partition("`reconciler emulator advance")[2].partition("\n")[0]
    assert "tokens and consents expire" in row


def test_no_example_applies_to_production_without_an_approval():
    found = [line for page in WRITTEN for line in APPLY.findall(page.read_text())]
    assert len(found) >= 5
    approved = ("--approved", "--members-only", '"${approved[@]}"')
    assert [line for line in found if not any(one in line for one in approved)] == []


def test_the_pictures_of_the_readme_are_made_here_and_load_nothing():
    """`make pictures` makes them; `make bench` makes the chart of another page."""
    shown = re.findall(r"!\[[^\]]+\]\((docs/pictures/[^)]+)\)", (ROOT / "README.md").read_text())
    assert sorted(shown) == sorted(
        str(one.relative_to(ROOT)) for one in (ROOT / "docs/pictures").glob("plan.*")
    )
    drawn = (ROOT / "docs/pictures/plan.svg").read_text(encoding="utf-8")
    assert "reconciler" in drawn
    assert re.findall(r"url\((?!#)|href=", drawn) == []
    assert 10_000 < (ROOT / "docs/pictures/plan.png").stat().st_size < 200_000
