"""Cases as folders in tests/golden/validate: a project, and all of its output."""

from pathlib import Path

import pytest
from support.manifest_project import TODAY

from reconciler.core.errors import ConfigurationError
from reconciler.manifests import load_offline

pytestmark = pytest.mark.promise("refused-early")

FOLDER = Path(__file__).parents[2] / "golden" / "validate"
CASES = sorted(path for path in FOLDER.iterdir() if path.is_dir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_findings_are_word_for_word(case: Path, request: pytest.FixtureRequest) -> None:
    """`--update` rewrites expected.txt, where pytest has that option."""
    with pytest.raises(ConfigurationError) as caught:
        load_offline(case, "sandbox", today=TODAY)
    output = "".join(f"{line}\n" for line in [str(caught.value), *map(str, caught.value.findings)])
    expected = case / "expected.txt"
    if request.config.getoption("--update", default=False):
        expected.write_text(output, encoding="utf-8")
    assert output == expected.read_text(encoding="utf-8")
