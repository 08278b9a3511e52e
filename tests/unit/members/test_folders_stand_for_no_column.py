"""Columns are what files hold: a folder whose name is written like a partition changes no value."""

import pytest
from support.source_project import CUSTOMER, EMAIL, make
from unit.members.test_every_file_has_every_column import FORMATS, person, write

from reconciler.core.model import Hashing

pytestmark = pytest.mark.promise("undamaged")
PEOPLE = [person(number) for number in range(1, 6)]
FOLDERS = ("email=nobody@example.com", "id=0", "day=2026-11-24")


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("kind", FORMATS)
def test_a_folder_changes_no_column_of_a_source(tmp_path, kind, folder):
    project = make(tmp_path)
    (project.root / folder).mkdir()
    write(project, f"{folder}/people.{kind}", PEOPLE)
    project.reads(f"*/people.{kind}", columns={EMAIL: "email", CUSTOMER: "id"})
    assert project.emails() == {str(one["email"]) for one in PEOPLE}
    assert project.ids() == {str(one["id"]) for one in PEOPLE}


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("kind", FORMATS)
def test_a_folder_changes_no_member_of_a_list(tmp_path, kind, folder):
    project = make(tmp_path)
    (project.root / folder).mkdir()
    write(project, "people.csv", PEOPLE)
    write(project, f"{folder}/out.{kind}", PEOPLE[:3])
    project.reads("people.csv", columns={EMAIL: "email"}).excludes(f"*/out.{kind}")
    assert project.emails() == {"p4@example.com", "p5@example.com"}


@pytest.mark.parametrize("folder", ["key=1", "value=1", "class=2", "member=1", "a[b]c", "a*c", "a?c"])
def test_the_path_of_a_project_changes_nothing(tmp_path, folder):
    (tmp_path / folder).mkdir()
    project = make(tmp_path / folder)
    write(project, "people.csv", PEOPLE)
    write(project, "out.csv", PEOPLE[:3])
    project.reads("people.csv", columns={EMAIL: "email"}).excludes("out.csv")
    assert project.emails() == {"p4@example.com", "p5@example.com"}
    (members, target) = project.build((EMAIL, Hashing.SHA256))[0]
    assert (len(members), target.lists[0].matches.excluded.count) == (2, 3)
