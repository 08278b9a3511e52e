"""A moved file is found by its documents, and merged at one path."""

import pytest

from reconciler.manifests.moved_files import at_common_paths, common_paths
from reconciler.manifests.promotable import Named, Promotable

A, B, C = (Named("Audience", name) for name in "abc")


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "paths"),
    [
        ({"a": (A,)}, {"a": (A,)}, {"a": (A,)}, {}),
        ({"a": (A,)}, {"a": (A,)}, {"x": (A,)}, {"a": "x"}),
        ({"a": (A,)}, {"x": (A,)}, {"a": (A,)}, {"a": "x"}),
        ({"a": (A,)}, {"x": (A,)}, {"x": (A,)}, {"a": "x"}),
        ({"a": (A,)}, {"x": (A,)}, {"y": (A,)}, {"a": "x", "y": "x"}),
        ({"a": (A,)}, {}, {"x": (A,)}, {"a": "x"}),
        ({"a": (A,)}, {"a": (A,)}, {"x": (B,)}, {}),
        ({"a": (A, B)}, {"a": (A, B)}, {"x": (A,), "y": (B,)}, {}),
        ({"a": (A, B)}, {"a": (A, B)}, {"x": (B, A)}, {"a": "x"}),
        ({"a": ()}, {"a": ()}, {"x": ()}, {}),
        ({"a": (A,)}, {"a": (A,), "x": (B,)}, {"x": (A,)}, {}),
        ({"a": (A,)}, {"x": (A,)}, {"a": (A,), "x": (C,)}, {}),
        ({"a": (A,)}, {"x": (A,)}, {"y": (A,), "x": (C,)}, {}),
        ({"a": (A,), "b": (B,)}, {"a": (A,), "b": (B,)}, {"y": (A,), "x": (B,)}, {"a": "y", "b": "x"}),
    ],
)
def test_the_path_of_a_moved_file(
    base: Promotable, ours: Promotable, theirs: Promotable, paths: dict[str, str]
) -> None:
    assert common_paths(base, ours, theirs) == paths


def test_files_are_placed_at_their_common_paths() -> None:
    assert at_common_paths({"a": 1, "b": 2}, {"a": "x"}) == {"x": 1, "b": 2}
