"""The state is personal data: no other user can read it, and git ignores it."""

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from support.fakes.disk import watched

from reconciler.core.members import SnapshotRef
from reconciler.core.model import Address, Hashing, IdentifierType, SegmentKey
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.disk.private_dir import private_directory
from reconciler.state.local_store import LocalStore

pytestmark = pytest.mark.promise("private")

KEY = SegmentKey("1", "2", IdentifierType.EMAIL, Hashing.SHA256)
ONE = SnapshotRef("0001", 1)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def use(directory: Path) -> None:
    cache = directory.parent / "cache"
    cache.write_text("members")
    cache.chmod(0o644)
    with LocalStore(directory, "sandbox").lock("me") as writer:
        writer.store_snapshot(ONE, str(cache))
        writer.write(ResourceState(Address("email", "lapsed"), SegmentState(KEY, confirmed=ONE)))
    cache.unlink()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_every_file_is_0600_and_every_folder_0700(tmp_path: Path, mask: int) -> None:
    home = tmp_path / ".reconciler"
    with umask(mask):
        private_directory(home / "state")
        use(home / "state" / "sandbox")
    made = [home, *home.rglob("*")]
    assert {path.name for path in made} >= {"head.json", "key", "lock", "0001", "email.lapsed.json"}
    assert {mode(path) for path in made if path.is_dir()} == {0o700}
    assert {mode(path) for path in made if path.is_file()} == {0o600}


def test_a_home_that_stood_open_is_closed(tmp_path: Path) -> None:
    directory = tmp_path / ".reconciler" / "state" / "sandbox"
    directory.mkdir(parents=True)
    for path in (directory, *list(directory.parents)[:2]):
        path.chmod(0o755)
    private_directory(directory)
    assert {mode(path) for path in (directory, *list(directory.parents)[:2])} == {0o700}
    assert mode(tmp_path) == mode(tmp_path.parent)


def test_a_folder_outside_the_home_keeps_its_mode_and_what_is_made_in_it_is_private(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0o755)
    with umask(0o777):
        private_directory(theirs / "deep" / "state")
    use(theirs / "deep" / "state")
    private_directory(theirs)
    assert mode(theirs) == 0o755
    assert {mode(path) for path in theirs.rglob("*") if path.is_dir()} == {0o700}
    assert not list(tmp_path.rglob(".gitignore"))


def test_a_way_through_the_parent_folder_does_not_close_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / ".reconciler").mkdir(parents=True)
    project.chmod(0o755)
    private_directory(project / ".reconciler" / ".." / "state")
    assert mode(project) == 0o755
    assert mode(project / "state") == 0o700


def test_git_sees_nothing(tmp_path: Path) -> None:
    home = tmp_path / ".reconciler"
    use(private_directory(home / "state") / "sandbox")
    run = partial(subprocess.run, cwd=tmp_path, capture_output=True, check=True)
    run(["git", "init"])
    assert run(["git", "status", "--porcelain", "--untracked-files=all"]).stdout == b""


def test_git_ignores_the_folder_before_anything_is_written(tmp_path: Path) -> None:
    ignore = tmp_path / ".reconciler" / ".gitignore"
    seen: list[bool] = []
    with watched(lambda call: seen.append(ignore.exists() and ignore.read_bytes() == b"*\n")):
        private_directory(tmp_path / ".reconciler" / "cache")
    made_home = seen.index(True)
    assert made_home <= 4  # mkdir, chmod, sync, then the file
    assert not (set(seen[made_home:]) - {True})


def test_an_ignore_file_cut_short_is_written_again_and_an_own_one_is_left(tmp_path: Path) -> None:
    ignore = private_directory(tmp_path / ".reconciler") / ".gitignore"
    for found, left in ((b"", b"*\n"), (b"*\n!readme\n", b"*\n!readme\n")):
        ignore.write_bytes(found)
        private_directory(tmp_path / ".reconciler" / "cache")
        assert ignore.read_bytes() == left


def test_reading_makes_nothing(tmp_path: Path) -> None:
    reader = LocalStore(tmp_path / ".reconciler" / "state", "sandbox").reader()
    assert reader.head() is None
    assert reader.resources() == ()
    assert len(reader.key()) == 32
    assert not list(tmp_path.iterdir())


def test_the_copy_of_a_snapshot_does_not_change_with_the_cache(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.write_text("members")
    with LocalStore(tmp_path / "state", "sandbox").lock("me") as writer:
        writer.store_snapshot(ONE, str(cache))
        cache.write_text("other")
        assert Path(writer.snapshot_file(ONE)).read_text() == "members"
