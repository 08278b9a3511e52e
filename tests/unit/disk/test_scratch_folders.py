"""Scratch folders of killed processes are removed, and nothing else."""

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from reconciler.disk import scratch_dir as scratch
from reconciler.disk.scratch_dir import ScratchDir, remove_unused

pytestmark = pytest.mark.promise("private")


def test_what_a_killed_process_left_is_removed_at_once_and_what_is_in_use_is_not(tmp_path):
    for name in ("rows", "spilled"):
        left = tmp_path / f"scratch-{name}"
        (left / name).mkdir(parents=True)
        (left / name / "rows.parquet").write_text("x")
        (left / "sorted.parquet").write_text("x")
        (left / "lock").touch()
    (tmp_path / "scratch-empty").mkdir()
    one = ScratchDir(tmp_path)
    assert list(tmp_path.iterdir()) == [one.folder]
    other = ScratchDir(tmp_path)
    assert one.folder.exists()
    for used in (one, other):
        used.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_recognized_until_it_is_removed(tmp_path, monkeypatch):
    """Killed while it removes a folder, a process leaves one that the next removes."""

    def killed(*_, **__):
        raise KeyboardInterrupt

    one = ScratchDir(tmp_path)
    (one.folder / "a").mkdir()
    (one.folder / "z").write_text("x")
    with monkeypatch.context() as patched:
        patched.setattr(scratch.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            one.remove()
    assert (one.folder / "lock").exists()
    os.close(one._lock)
    remove_unused(tmp_path, "scratch-")
    assert list(tmp_path.iterdir()) == []


def test_other_folders_are_not_removed(tmp_path):
    """The folder for temporary files is shared with everyone."""
    mine, linked = tmp_path / "scratch-mine", tmp_path / "elsewhere"
    for folder in (mine, linked):
        folder.mkdir()
        (folder / "work").write_text("x")
    (linked / "lock").touch()
    (tmp_path / "scratch-link").symlink_to(linked)
    (tmp_path / "scratch-file").write_text("x")
    remove_unused(tmp_path, "scratch-")
    assert (mine / "work").exists()
    assert (linked / "work").exists()
    assert (tmp_path / "scratch-file").exists()


def test_a_folder_removed_before_its_lock_is_created_again(tmp_path, monkeypatch):
    made = []

    def meddled(**given):
        made.append(Path(tempfile.mkdtemp(**given)))
        if len(made) == 1:
            remove_unused(tmp_path, "scratch-")
        return str(made[-1])

    monkeypatch.setattr(scratch, "tempfile", SimpleNamespace(mkdtemp=meddled))
    one = ScratchDir(tmp_path)
    assert [path.exists() for path in made] == [False, True]
    assert one.folder == made[1]
    one.remove()
