"""What promotion does to manifests, case by case, word for word: tests/golden/promote."""

from pathlib import Path

import pytest
from golden.promotion_cases import CASES, Transcript
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
