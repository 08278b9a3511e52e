"""What promotion does to manifests, case by case, word for word: tests/golden/promote."""

from pathlib import Path

import pytest
from golden.promotion_cases import CASES, Transcript, conflict, promoted_once
from support.promotion_repository import PromotionRepository

pytestmark = pytest.mark.promise("promotion")

FOLDER = Path(__file__).parents[1] / "golden" / "promote"


@pytest.mark.parametrize("name", CASES)
def test_a_promotion_gives_this(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    log = Transcript(PromotionRepository.make(tmp_path))
    CASES[name](log)
    file = FOLDER / f"{name}.txt"
    if request.config.getoption("--update"):
        file.write_text(log.text)
    assert log.text == file.read_text()


def test_each_golden_file_has_a_case() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == CASES.keys()


def test_the_text_of_a_conflict_names_its_files(tmp_path: Path) -> None:
    log = Transcript(PromotionRepository.make(tmp_path))
    conflict(log)
    log.promote("--abort")
    assert log.promote("--markdown", "text.md") == 8
    text = (tmp_path / "text.md").read_text()
    assert "#### Conflicts" in text
    assert "- `audiences/lapsed.yaml`" in text
    assert "Nothing differs" not in text


def test_the_text_of_other_comments_states_that_no_definition_changes(tmp_path: Path) -> None:
    repository = promoted_once(log := Transcript(PromotionRepository.make(tmp_path)))
    repository.edit("sandbox", "audiences/lapsed.yaml", "# for readers", "# for all readers")
    repository.commit()
    assert log.promote("--markdown", "text.md") == 0
    assert "No definition changes." in (tmp_path / "text.md").read_text()
