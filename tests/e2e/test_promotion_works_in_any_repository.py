"""Promotion in a folder of a repository, with odd names, line endings and staged files; and after a crash."""

from pathlib import Path

import pytest
from golden.promotion_cases import LAPSED, Transcript, conflict, promoted_once
from support.promotion_repository import PromotionRepository, audience

from reconciler.core.errors import ConfigurationError
from reconciler.git.program import Completed, Git
from reconciler.operations.promote import PromotionRequest, abort, carry_out, prepare

pytestmark = pytest.mark.promise("promotion")

ODD = "audiences/läpsed 'q\" 90d.yaml"


def status(repository: PromotionRepository) -> list[str]:
    return repository.git("-c", "core.quotePath=false", "status", "--short", "-z").split("\0")[:-1]


def test_a_project_in_a_folder_of_the_repository(tmp_path: Path) -> None:
    repository = PromotionRepository.make(tmp_path / "my project")
    (repository.root / ".git").rename(tmp_path / ".git")
    repository.write("sandbox", ODD, audience("lapsed"))
    repository.commit()
    log = Transcript(repository)
    log.promoted()
    for name in ("sandbox", "production"):
        repository.edit(name, ODD, "title: Lapsed", f"title: {name}")
    repository.commit()
    before = repository.texts("production")
    assert log.promote() == 8
    within = "my project/environments/production"
    assert status(repository) == [f"UU {within}/{ODD}", f"M  {within}/promotion.lock"]
    assert (
        "<<<<<<< production\ntitle: production\n=======\ntitle: sandbox\n>>>>>>> sandbox\n"
        in repository.read("production", ODD)
    )
    assert log.promote("--abort") == 0
    assert (status(repository), repository.texts("production")) == ([], before)


def test_line_endings_of_the_working_tree_are_kept(tmp_path: Path) -> None:
    repository = PromotionRepository.make(tmp_path)
    (tmp_path / ".gitattributes").write_text("*.yaml text eol=crlf\n")
    repository.write("sandbox", LAPSED, audience("lapsed"))
    repository.commit()
    Transcript(repository).promoted()
    written = (repository.folder("production") / LAPSED).read_bytes()
    assert written.count(b"\r\n") == written.count(b"\n") > 0
    assert status(repository) == []


def test_a_commit_has_nothing_else(tmp_path: Path) -> None:
    repository = promoted_once(log := Transcript(PromotionRepository.make(tmp_path)))
    repository.edit("sandbox", LAPSED, "title: Lapsed", "title: Lapsed buyers")
    repository.commit()
    (tmp_path / "other").touch()
    repository.git("add", "other")
    assert log.promote("--commit") == 0
    assert status(repository) == ["A  other"]
    committed = repository.git("show", "--format=", "--name-only", "HEAD").split()
    assert committed == [f"environments/production/{one}" for one in (LAPSED, "promotion.lock")]


def test_a_repository_with_sha256_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("GIT_DEFAULT_HASH", "sha256")
        repository = promoted_once(log := Transcript(PromotionRepository.make(tmp_path)))
    repository.move("sandbox", LAPSED, "audiences/moved.yaml")
    repository.commit()
    before = repository.texts("production")
    assert log.promote() == 0
    assert log.promote("--abort") == 0
    assert (status(repository), repository.texts("production")) == ([], before)
    log.promoted()
    assert log.promote("--check") == 0


def test_the_variables_of_another_repository_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook of git has such variables."""
    repository = promoted_once(Transcript(PromotionRepository.make(tmp_path / "work")))
    repository.edit("sandbox", LAPSED, "title: Lapsed", "title: Lapsed buyers")
    repository.commit()
    other = PromotionRepository.make(tmp_path / "other").root
    foreign = {
        "GIT_DIR": other / ".git",
        "GIT_WORK_TREE": other,
        "GIT_INDEX_FILE": other / ".git" / "index",
        "GIT_OBJECT_DIRECTORY": other / ".git" / "objects",
        "GIT_ICASE_PATHSPECS": 1,
    }
    with monkeypatch.context() as patched:
        for name, value in foreign.items():
            patched.setenv(name, str(value))
        prepared = prepare(repository.root, PromotionRequest("sandbox", "production"), None)
        carry_out(prepared)
    assert status(repository) == [f"M  environments/production/{one}" for one in (LAPSED, "promotion.lock")]


def test_markers_with_a_base_name_it(tmp_path: Path) -> None:
    repository = PromotionRepository.make(tmp_path)
    repository.git("config", "merge.conflictStyle", "zdiff3")
    conflict(Transcript(repository))
    text = repository.read("production", LAPSED)
    assert "<<<<<<< production\n" in text
    assert "||||||| sandbox as last promoted\n" in text


def test_a_branch_named_like_an_option_is_a_branch(tmp_path: Path) -> None:
    repository = promoted_once(Transcript(PromotionRepository.make(tmp_path)))
    branch = f"--output={tmp_path}/written"
    repository.git("update-ref", f"refs/heads/{branch}", "HEAD")
    prepared = prepare(tmp_path, PromotionRequest("sandbox", "production", branch=branch), None)
    assert not prepared.changed
    assert not (tmp_path / "written").exists()


class CrashError(Exception):
    """A kill."""


@pytest.mark.parametrize("clean", [True, False], ids=["clean", "conflict"])
def test_a_crash_at_any_call_of_git_is_undone(
    tmp_path: Path, clean: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Transcript(PromotionRepository.make(tmp_path))
    if clean:
        promoted_once(log)
        log.repository.edit("sandbox", LAPSED, "title: Lapsed", "title: Lapsed buyers")
        log.repository.write("sandbox", "audiences/new.yaml", audience("new"))
        log.repository.remove("sandbox", "audiences/loyal.yaml")
        log.repository.commit()
    else:
        conflict(log)
        log.promote("--abort")
    before = log.repository.texts("production")
    prepared = prepare(tmp_path, PromotionRequest("sandbox", "production"), None)
    ask, calls, crash_at = Git.ask, 0, 0

    def crashing(self: Git, *arguments: str, given: bytes = b"") -> Completed:
        nonlocal calls
        calls += 1
        if calls == crash_at:
            raise CrashError
        return ask(self, *arguments, given=given)

    while True:
        calls, crash_at = 0, crash_at + 1
        with monkeypatch.context() as patched:
            patched.setattr(Git, "ask", crashing)
            try:
                carry_out(prepared)
            except CrashError:
                pass
            else:
                break
        try:
            abort(tmp_path, "production")
        except ConfigurationError:
            assert crash_at <= 2  # nothing was written yet
        assert (status(log.repository), log.repository.texts("production")) == ([], before)
    assert crash_at > 4
