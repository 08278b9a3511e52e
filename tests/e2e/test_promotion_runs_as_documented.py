"""The shell blocks of the page about promotion run in order, and do what its text says."""

import pytest
from support.docs_shell import of_page, printed
from support.promotion_repository import SURROUNDINGS

pytestmark = pytest.mark.promise("promotion")


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block printed."""
    return printed(tmp_path_factory.mktemp("promote"), of_page("docs/how-to/promote.md"), **SURROUNDINGS)


def test_every_block_does_what_the_text_says(steps: list[str]) -> None:
    _, changed, verified, differing, promoted, checked, applied = (" ".join(one.split()) for one in steps)
    assert "2 applied" in changed
    assert "2 verified" in verified
    assert "title: “Lapsed buyers" in differing
    assert "verified on the emulator" in differing
    assert "2 changed" in promoted
    assert "environments/production/promotion.lock" in promoted
    assert "promotion.lock of production is correct" in checked
    assert "2 to create" in applied
    assert "2 applied" in applied
    assert "2 verified" in applied
    assert "Nothing differs" in applied
