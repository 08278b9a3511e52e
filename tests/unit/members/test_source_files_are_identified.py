"""Source files are identified without reading them, so that every change of one is another identity."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support import source_project
from support.source_project import EMAIL, Project

from reconciler.core.reuse import SourceIdentities
from reconciler.members import identities
from reconciler.members.data_root import LocalFolder
from reconciler.members.identities import engine_version, identify

pytestmark = pytest.mark.promise("members")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = source_project.make(tmp_path).reads("people-*.csv").excludes("out.csv")
    made.write("people-1.csv", "email,id\na@example.com,1\n")
    made.write("out.csv", "email\nb@example.com\n")
    return made


def seen(project: Project) -> SourceIdentities:
    return identify(LocalFolder(project.root), [project.audience], None)


def files(project: Project) -> object:
    """Of the audience, None if it has no identity."""
    found = seen(project).files.get("a")
    return found and frozenset(found)


def rewritten_with_its_size_and_time(file: Path) -> None:
    before = file.stat()
    file.write_text(file.read_text().replace("a@", "z@"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced_by_rename(file: Path) -> None:
    new = file.with_suffix(".new")
    new.write_bytes(file.read_bytes())
    os.utime(new, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    new.rename(file)


def replaced_by_a_link(file: Path) -> None:
    new = file.with_name(".kept.csv")
    new.write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(new)


def appended(file: Path) -> None:
    with file.open("a") as text:
        text.write("c@example.com,3\n")


@pytest.mark.parametrize(
    "change", [rewritten_with_its_size_and_time, replaced_by_rename, replaced_by_a_link, appended, Path.touch]
)
def test_every_change_of_a_file_is_another_identity(project: Project, change: Callable[[Path], None]) -> None:
    for name in ("people-1.csv", "out.csv"):
        before = files(project)
        assert files(project) == before
        change(project.root / name)
        assert files(project) != before


def test_a_new_file_that_matches_is_part_of_the_identity(project: Project) -> None:
    before = files(project)
    project.write(".people-2.csv", "unfinished")
    project.write("_people-2.csv", "unfinished")
    assert files(project) == before
    project.write("people-2.csv", "email,id\n")
    assert files(project) != before


@pytest.mark.parametrize("name", ["people-1.csv", "out.csv"])
def test_an_audience_that_lacks_a_file_has_no_identity(project: Project, name: str) -> None:
    (project.root / name).unlink()
    assert files(project) is None


@pytest.mark.parametrize("pattern", ["/etc/hosts", "../data/people-1.csv", "s3://bucket/people.csv"])
def test_files_outside_the_data_root_have_no_identity(project: Project, pattern: str) -> None:
    assert files(project.reads(pattern)) is None


def test_a_link_that_leads_nowhere_has_no_identity(project: Project) -> None:
    (project.root / "people-1.csv").unlink()
    (project.root / "people-1.csv").symlink_to(project.root / "nowhere")
    assert files(project) is None


def test_each_pattern_is_resolved_once(project: Project) -> None:
    asked: list[str] = []

    class Counting(LocalFolder):
        def matching(self, pattern: str) -> list[Path]:
            asked.append(pattern)
            return super().matching(pattern)

    audiences = [replace(project.audience, name=name) for name in "abc"]
    found = identify(Counting(project.root), audiences, 5)
    assert (sorted(found.files), found.sample_rows) == (["a", "b", "c"], 5)
    assert asked == ["people-*.csv", "out.csv"]


def test_the_time_is_taken_before_the_files_are_looked_at(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is written while others are looked at is newer than that."""
    steps: list[str] = []
    monkeypatch.setattr(identities, "time_ns", lambda: steps.append("time") or 7)
    found = LocalFolder.identities
    monkeypatch.setattr(
        LocalFolder, "identities", lambda root, pattern: steps.append(pattern) or found(root, pattern)
    )
    assert seen(project).seen_at == 7
    assert steps == ["time", "people-*.csv", "out.csv"]


def test_the_engine_is_named_with_the_libraries_that_decide_about_members() -> None:
    names = [one.split()[0] for one in engine_version().split(", ")]
    assert names[1:] == ["python", "duckdb", "phonenumbers"]


def test_lists_of_an_audience_are_identified_too(project: Project) -> None:
    alone = replace(project.audience, exclusion_lists=(), columns=((EMAIL, "email"),))
    root = LocalFolder(project.root)
    [(_, both)], [(_, one)] = (
        identify(root, [audience], None).files.items() for audience in (project.audience, alone)
    )
    assert len(both) == len(one) + 1
