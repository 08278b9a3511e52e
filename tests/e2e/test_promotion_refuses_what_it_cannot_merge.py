"""Whatever stands in the way of a promotion is reported with its fix, and nothing is written."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from support import forked_command
from support.cli import surroundings
from support.promotion_repository import SURROUNDINGS, PromotionRepository, audience

pytestmark = pytest.mark.promise("promotion")

LAPSED = "audiences/lapsed.yaml"
LOCK = "environments/production/promotion.lock"


@pytest.fixture
def repository(tmp_path: Path) -> PromotionRepository:
    """One audience was promoted."""
    made = PromotionRepository.make(tmp_path / "work")
    made.write("sandbox", LAPSED, audience("lapsed"))
    made.commit()
    promote(made, code=0)
    made.commit("Promote")
    return made


def promote(repository: PromotionRepository, *options: str, code: int, **environ: str) -> str:
    arguments = ("promote", "sandbox", "production", *options)
    ended, said = forked_command.run(repository.root, arguments, surroundings(**SURROUNDINGS, **environ))
    assert ended == code, said
    return said


def files(made: PromotionRepository) -> dict[Path, bytes]:
    """Return all files of production, tracked or not."""
    return {path: path.read_bytes() for path in made.folder("production").rglob("*") if path.is_file()}


def dirty_source(made: PromotionRepository) -> str:
    made.edit("sandbox", LAPSED, "title: Lapsed", "title: Gone")
    return "environments/sandbox: the folder has changes that are not committed"


def untracked_file_in_the_target(made: PromotionRepository) -> str:
    made.write("production", "audiences/own.yaml", audience("own"))
    return "environments/production: the folder has changes that are not committed"


def unmerged_index(made: PromotionRepository) -> str:
    made.edit("sandbox", LAPSED, "title: Lapsed", "title: Gone")
    made.edit("production", LAPSED, "title: Lapsed", "title: Lost")
    made.commit()
    promote(made, code=8)
    return "the index has files in conflict"


def merge_in_progress(made: PromotionRepository) -> str:
    made.git("switch", "--quiet", "--create", "change")
    made.edit("sandbox", LAPSED, "title: Lapsed", "title: Gone")
    made.commit()
    made.git("switch", "--quiet", "main")
    made.git("merge", "--quiet", "--no-commit", "--no-ff", "change")
    return "a merge, a rebase, a cherry-pick or a revert is in progress"


def not_on_the_target_branch(made: PromotionRepository) -> str:
    made.git("switch", "--quiet", "--create", "change")
    made.edit("sandbox", LAPSED, "title: Lapsed", "title: Gone")
    made.commit()
    return "environments/sandbox as it is here was never on main"


def lost_base(made: PromotionRepository) -> str:
    text = (made.root / LOCK).read_text()
    blob = made.git("rev-parse", "HEAD:environments/sandbox/audiences/lapsed.yaml").strip()
    assert blob in text
    made.edit("sandbox", LAPSED, "title: Lapsed", "title: Gone")
    made.edit("production", LAPSED, "title: Lapsed", "title: Gone")
    made.git("checkout", "--quiet", "--orphan", "fresh")
    made.commit()
    made.git("branch", "--quiet", "-D", "main")
    made.git("branch", "--quiet", "-m", "main")
    made.git("reflog", "expire", "--expire=now", "--all")
    made.git("gc", "--quiet", "--prune=now")
    return "git has lost audiences/lapsed.yaml as it was last promoted"


def lock_edited_by_hand(made: PromotionRepository) -> str:
    file = made.root / LOCK
    file.write_text(file.read_text().replace('"source": "sandbox"', '"source": "staging"'))
    made.commit()
    return "the checksum does not match the content: the file is damaged or was edited by hand"


def kinds_in_one_file(made: PromotionRepository) -> str:
    credential = made.read("sandbox", "credentials.yaml")
    made.remove("sandbox", "credentials.yaml")
    made.write("sandbox", "all.yaml", f"{credential}---\n{audience('loyal')}")
    made.commit()
    return "belong to one environment (Credential), and kinds that are promoted (Audience)"


def link_in_the_source(made: PromotionRepository) -> str:
    outside = made.folder("sandbox").parent.parent / "linked.yaml"
    outside.write_text(audience("linked"))
    (made.folder("sandbox") / "audiences" / "linked.yaml").symlink_to(outside)
    made.commit()
    return "environments/sandbox/audiences/linked.yaml: this is a link, and no file"


def invalid_result(made: PromotionRepository) -> str:
    made.write("sandbox", "audiences/loyal.yaml", audience("loyal"))
    made.write("production", "audiences/own.yaml", audience("loyal", title="Own"))
    made.commit()
    return "the merged manifests of production are invalid, so nothing was written"


def file_of_the_environment(made: PromotionRepository) -> str:
    made.write("sandbox", "extra.yaml", audience("loyal"))
    text = made.read("production", "credentials.yaml")
    made.remove("production", "credentials.yaml")
    made.write("production", "extra.yaml", text)
    made.commit()
    return (
        "environments/production/extra.yaml belongs to its environment, and a promoted file has the same path"
    )


def ignore(made: PromotionRepository, *patterns: str) -> None:
    (made.root / ".gitignore").write_text("\n".join((".reconciler/", *patterns, "")))


def ignored_file_of_the_target(made: PromotionRepository) -> str:
    """git does not track it, so nothing could bring it back."""
    ignore(made, "environments/production/audiences/loyal.yaml")
    made.write("sandbox", "audiences/loyal.yaml", audience("loyal"))
    made.commit()
    made.write("production", "audiences/loyal.yaml", audience("loyal", title="Local"))
    return "environments/production/audiences/loyal.yaml: git ignores this file, and the promotion would"


def ignored_file_in_place_of_a_folder(made: PromotionRepository) -> str:
    ignore(made, "environments/production/audiences/local")
    made.write("sandbox", "audiences/local/loyal.yaml", audience("loyal"))
    made.commit()
    made.write("production", "audiences/local", "notes")
    return "environments/production/audiences/local: git ignores this file, and the promotion would"


def ignored_folder_in_place_of_a_file(made: PromotionRepository) -> str:
    ignore(made, "environments/production/audiences/loyal.yaml/")
    made.write("sandbox", "audiences/loyal.yaml", audience("loyal"))
    made.commit()
    made.write("production", "audiences/loyal.yaml/notes.txt", "notes")
    return "environments/production/audiences/loyal.yaml: git ignores this file, and the promotion would"


def ignored_link_in_place_of_a_folder(made: PromotionRepository) -> str:
    ignore(made, "environments/production/audiences/local")
    made.write("sandbox", "audiences/local/loyal.yaml", audience("loyal"))
    made.commit()
    elsewhere = made.root / "data"
    (made.folder("production") / "audiences" / "local").symlink_to(elsewhere)
    return "environments/production/audiences/local: git ignores this file, and the promotion would"


def invalid_source(made: PromotionRepository) -> str:
    made.edit("sandbox", LAPSED, "title: Lapsed", "titel: Lapsed")
    made.commit()
    return "a problem in environments/sandbox"


OBSTACLES: tuple[Callable[[PromotionRepository], str], ...] = (
    dirty_source,
    untracked_file_in_the_target,
    unmerged_index,
    merge_in_progress,
    not_on_the_target_branch,
    lost_base,
    lock_edited_by_hand,
    kinds_in_one_file,
    link_in_the_source,
    invalid_result,
    file_of_the_environment,
    ignored_file_of_the_target,
    ignored_file_in_place_of_a_folder,
    ignored_folder_in_place_of_a_file,
    ignored_link_in_place_of_a_folder,
    invalid_source,
)


@pytest.mark.parametrize("obstacle", OBSTACLES, ids=lambda one: one.__name__)
def test_an_obstacle_is_reported_and_nothing_is_written(
    repository: PromotionRepository, obstacle: Callable[[PromotionRepository], str]
) -> None:
    problem = obstacle(repository)
    before = repository.git("status", "--short"), files(repository)
    said = " ".join(promote(repository, code=3).split())
    assert problem in said
    assert "→" in said
    assert (repository.git("status", "--short"), files(repository)) == before


def test_a_shallow_clone_is_refused(repository: PromotionRepository, tmp_path: Path) -> None:
    shallow = PromotionRepository(tmp_path / "shallow")
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.root}", str(shallow.root))
    said = promote(shallow, code=3)
    assert "this clone is shallow" in said
    assert "git fetch --unshallow" in said


@pytest.mark.parametrize(
    ("prints", "problem"),
    [("git version 2.44.1", "`promote` needs git 2.45; this is git 2.44"), ("what", "this is git unknown")],
)
def test_an_old_git_is_refused(
    repository: PromotionRepository, tmp_path: Path, prints: str, problem: str
) -> None:
    program = tmp_path / "programs" / "git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{prints}'\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    assert problem in promote(repository, code=3, PATH=path)


def test_a_folder_without_git_is_refused(repository: PromotionRepository) -> None:
    (repository.root / ".git").rename(repository.root / "git")
    assert "needs a git repository" in promote(repository, code=3)


def test_a_repository_of_another_user_is_refused(repository: PromotionRepository) -> None:
    said = promote(repository, code=3, GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert "which refuses to read this repository" in said
    assert "safe.directory" in said


def test_a_branch_with_another_commit_is_not_overwritten(repository: PromotionRepository) -> None:
    repository.edit("sandbox", LAPSED, "title: Lapsed", "title: Gone")
    repository.commit()
    tree = repository.git("rev-parse", "HEAD:environments/sandbox").strip()
    repository.git("branch", f"promote-sandbox-to-production-{tree[:8]}", "HEAD~1")
    assert "exists already" in promote(repository, "--commit", code=3)
    assert not repository.git("status", "--short")


def test_a_refused_commit_can_be_repeated_or_undone(repository: PromotionRepository, tmp_path: Path) -> None:
    hook = tmp_path / "hooks" / "pre-commit"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IEXEC)
    repository.edit("sandbox", LAPSED, "title: Lapsed", "title: Gone")
    repository.commit()
    repository.git("config", "core.hooksPath", str(hook.parent))
    said = " ".join(promote(repository, "--commit", code=3).split())
    assert "git did not commit the result to promote-sandbox-to-production-" in said
    assert "git commit -- environments/production" in said
    promote(repository, "--abort", code=0)
    assert not repository.git("status", "--short")
    repository.git("config", "--unset", "core.hooksPath")
    assert "Committed to the branch" in promote(repository, "--commit", code=0)


def test_another_source_is_refused(repository: PromotionRepository) -> None:
    staging = repository.folder("staging")
    staging.mkdir()
    for file in repository.folder("sandbox").glob("*.yaml"):
        (staging / file.name).write_text(file.read_text().replace("name: sandbox", "name: staging"))
    repository.commit()
    ended, said = forked_command.run(
        repository.root,
        ("promote", "staging", "production"),
        surroundings(**SURROUNDINGS),
    )
    assert (ended, "the environment is promoted from sandbox" in said) == (3, True)


def test_an_unknown_environment_is_reported_once(repository: PromotionRepository) -> None:
    code, said = forked_command.run(
        repository.root, ("promote", "sandbx", "production"), surroundings(**SURROUNDINGS)
    )
    assert (code, said.count("sandbx"), "Warning" in said) == (3, 1, False)
    assert "did you mean `sandbox`?" in said
