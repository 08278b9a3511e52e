"""What `doctor` says of the keys of snapshots, and which snapshots are to be rewritten."""

import pytest

from reconciler.core.doctor.checks import CheckStatus
from reconciler.core.doctor.seals import seals
from reconciler.core.errors import ConfigurationError
from reconciler.core.state.model import SnapshotSeals

pytestmark = pytest.mark.promise("sealed")

OK, WARNING, FAILURE = CheckStatus.OK, CheckStatus.WARNING, CheckStatus.FAILURE


@pytest.mark.parametrize(
    ("current", "keys", "found"),
    [
        ("", [], []),
        ("", ["", "", None], []),
        ("", ["", "cd"], [(WARNING, "sealed, though no `snapshotKey` is named: 1 with key cd")]),
        ("ab", [], [(OK, "sealed: 0 with key ab")]),
        ("ab", ["ab", "ab"], [(OK, "sealed: 2 with key ab")]),
        (
            "ab",
            ["ab", "", "cd", "ef", None],
            [
                (OK, "sealed: 1 with key ab"),
                (WARNING, "plain snapshots: 1"),
                (WARNING, "sealed with an earlier key: 1 with key cd"),
                (WARNING, "sealed with an earlier key: 1 with key ef"),
            ],
        ),
    ],
)
def test_each_key_is_counted(
    current: str, keys: list[str | None], found: list[tuple[CheckStatus, str]]
) -> None:
    stored = SnapshotSeals(current, dict(zip("12345", keys, strict=False)))
    results = seals(stored, "sandbox")
    assert [(one.status, one.message) for one in results] == found
    assert all("`reconciler state reseal sandbox`" in one.remedy for one in results if one.status is WARNING)


def test_a_key_that_cannot_be_read_fails() -> None:
    [result] = seals(ConfigurationError("a key can't be read", remedy="give it"), "sandbox")
    assert (result.status, result.code) == (FAILURE, 3)


def test_all_that_would_be_written_otherwise_is_outdated() -> None:
    stored = SnapshotSeals("ab", {"1": "ab", "2": "", "3": "cd", "4": None})
    assert stored.outdated == ("2", "3", "4")
    assert stored.counts == {"ab": 1, "": 1, "cd": 1}
