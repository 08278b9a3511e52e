"""The addresses that a change touches follow from the manifests of its base revision."""

import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.core.changed_definitions import definitions, touched
from reconciler.core.errors import ConfigurationError
from reconciler.core.model import Address
from reconciler.manifests import load_without_sources
from reconciler.manifests.revision import load_at

GIT = shutil.which("git") or ""
EXAMPLE = Path("environments/sandbox")
GOLD = "audiences/loyalty-gold.yaml"


class Repository:
    """A project below the root of its repository, as `main` has it, with a branch checked out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.project = root / "marketing"
        shutil.copytree(EXAMPLE, self.project / EXAMPLE)
        self.git("init", "--quiet", "-b", "main")
        self.commit()
        self.git("checkout", "--quiet", "-b", "change")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        done = subprocess.run(
            [GIT, *who, *arguments], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "A change")
        return self.git("rev-parse", "HEAD")

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.project / EXAMPLE / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def touched_since(self, revision: str) -> set[str]:
        now = definitions(load_without_sources(self.project, "sandbox").segments)
        then = load_at(self.project, "sandbox", revision)
        before = definitions(then.segments) if then else {}
        return {one.audience for one in touched({*now, *before}, before, now)}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_nothing_is_touched_where_no_definition_changed(repository: Repository):
    (repository.project / EXAMPLE / GOLD).write_text(
        f"# a comment\n{(repository.project / EXAMPLE / GOLD).read_text()}"
    )
    assert repository.touched_since("main") == set()


def test_an_audience_that_was_edited_is_touched_committed_or_not(repository: Repository):
    repository.edit(GOLD, "title: ", "title: New ")
    assert repository.touched_since("main") == {"loyalty-gold"}
    repository.commit()
    assert repository.touched_since("main") == {"loyalty-gold"}
    assert repository.touched_since("HEAD^1") == {"loyalty-gold"}


def test_what_others_changed_since_is_not_touched(repository: Repository):
    repository.git("checkout", "--quiet", "main")
    repository.edit("audiences/high-value.yaml", "title: ", "title: Theirs ")
    repository.commit()
    repository.git("checkout", "--quiet", "change")
    repository.edit(GOLD, "title: ", "title: Mine ")
    repository.commit()
    assert repository.touched_since("main") == {"loyalty-gold"}


def test_a_removed_audience_is_touched(repository: Repository):
    (repository.project / EXAMPLE / GOLD).unlink()
    assert repository.touched_since("main") == {"loyalty-gold"}


def test_an_environment_that_was_edited_touches_all_that_it_names(repository: Repository):
    repository.edit("environment.yaml", '"[sandbox] "', '"[new] "')
    assert len(repository.touched_since("main")) == 4


@pytest.mark.parametrize("before", ["absent", "broken"])
def test_all_is_touched_where_there_was_nothing_to_compare_with(repository: Repository, before: str):
    every = repository.touched_since("main")
    repository.git("checkout", "--quiet", "main")
    folder = repository.project / EXAMPLE
    kept = repository.root / "kept"
    shutil.move(folder, kept)
    if before == "broken":
        folder.mkdir(parents=True)
        (folder / "environment.yaml").write_text("kind: Nothing")
    commit = repository.commit()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.move(kept, folder)
    repository.commit()
    assert every == set()
    assert load_at(repository.project, "sandbox", commit) is None
    assert len(repository.touched_since(commit)) == 4


@pytest.mark.parametrize("revision", ["no-such-branch", "--upload-pack=x", "", "HEAD:marketing"])
def test_a_revision_that_is_not_there_is_refused_and_not_repeated(repository: Repository, revision: str):
    with pytest.raises(ConfigurationError, match="git finds no such revision here") as refused:
        load_at(repository.project, "sandbox", revision)
    assert not revision or revision not in str(refused.value)


def test_a_history_that_is_cut_off_is_compared_at_the_revision_itself(repository: Repository, tmp_path: Path):
    repository.edit(GOLD, "title: ", "title: Mine ")
    commit = repository.commit()
    shallow = tmp_path / "shallow"
    repository.git("clone", "--quiet", "--depth", "1", f"file://{tmp_path}", str(shallow), "-b", "change")
    base = repository.git("rev-parse", "main")
    subprocess.run([GIT, "fetch", "--quiet", "--depth", "1", "origin", base], cwd=shallow, check=True)
    then = load_at(shallow / "marketing", "sandbox", base)
    assert then
    assert commit != base
    assert definitions(then.segments)[Address("offsite-email", "loyalty-gold")]


def test_without_git_the_option_is_refused(repository: Repository, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigurationError, match="`--base` needs git, which is not installed"):
        load_at(repository.project, "sandbox", "main")


def test_the_repository_of_the_folder_is_compared(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A hook of git sets variables that name another repository."""
    repository.edit(GOLD, "title: ", "title: Mine ")
    repository.commit()
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run([GIT, "init", "--quiet"], cwd=other, check=True)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert repository.touched_since("main") == {"loyalty-gold"}
