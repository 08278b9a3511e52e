"""CODEOWNERS names the admins of each reserved destination as reviewers."""

import os

import pytest
from support.cli import AUDIENCE, REPOSITORY, Project

MADE = ("codeowners", "--admins", "@acme/admins", "--owners", "@acme/marketing", "--owners", "@acme/crm")
RESERVED = """\
kind: Destination
name: vip
credential: criteo
seat: acme
identifierType: Email
hashing: sha256
access: {adminOnly: true}
"""
BEST = AUDIENCE.replace("uyers", "est").replace("[email, customer]", "[vip]")
BLOCK = """\
# reconciler codeowners --admins @acme/admins --owners @acme/marketing --owners @acme/crm
/environments/ @acme/marketing @acme/crm
/.github/ @acme/admins
/.gitlab-ci.yml @acme/admins
/.gitlab/ @acme/admins
/CODEOWNERS @acme/admins
/docs/CODEOWNERS @acme/admins
/environments/sandbox/connections.yaml @acme/admins
/environments/sandbox/credentials.yaml @acme/admins
/environments/sandbox/environment.yaml @acme/admins
/environments/sandbox/overrides.yaml @acme/admins
/environments/sandbox/promotion.lock @acme/admins
/environments/sandbox/rest.yaml @acme/admins
# end of reconciler codeowners
"""


def made(root) -> Project:
    project = Project.make(root)
    project.people(1)
    return project


def test_admins_own_where_and_how_and_others_who(tmp_path):
    assert made(tmp_path).run(*MADE).said == BLOCK


def test_what_is_sent_to_a_reserved_destination_is_reserved(tmp_path):
    project = made(tmp_path)
    sandbox = tmp_path / "environments/sandbox"
    (sandbox / "vip.yaml").write_text(RESERVED)
    (sandbox / "best.yaml").write_text(BEST)
    rules = project.run(*MADE).said.splitlines()
    assert "/environments/sandbox/vip.yaml @acme/admins" in rules
    assert "/environments/sandbox/best.yaml @acme/admins" in rules
    assert not any("buyers.yaml" in rule for rule in rules)


@pytest.mark.parametrize(("name", "rule"), [("audiences", "/audiences/environments/"), ("our [a]", "*")])
def test_a_project_in_a_folder_of_a_repository_is_named_from_its_root(tmp_path, name, rule):
    (tmp_path / ".git").mkdir()
    (tmp_path / name).mkdir()
    rules = made(tmp_path / name).run(*MADE).said.splitlines()
    assert f"{rule} @acme/marketing @acme/crm" in rules
    own = rule if rule == "*" else f"{rule}sandbox/credentials.yaml"
    assert {f"{own} @acme/admins", "/.github/ @acme/admins"} <= set(rules)
    assert not any(one.startswith(("/environments/", "//")) for one in rules)


def test_a_name_that_is_a_pattern_is_owned_with_its_folder(tmp_path):
    project = made(tmp_path)
    odd = tmp_path / "environments/sandbox/destinations * x"
    odd.mkdir()
    (odd / "vip [a].yaml").write_text(RESERVED)
    assert "/environments/sandbox/ @acme/admins" in project.run(*MADE).said.splitlines()


def test_a_file_is_checked_for_the_owners_that_it_names(tmp_path):
    project = made(tmp_path)
    file = tmp_path / "CODEOWNERS"
    file.write_text("* @acme/everyone\n")
    assert "has no rules of reconciler" in project.run("codeowners", "--check", "CODEOWNERS", code=5).said
    with_it = project.run(*MADE).said
    file.write_text(f"* @acme/everyone\n\n{with_it}")
    project.run("codeowners", "--check", "CODEOWNERS")
    (tmp_path / "environments/sandbox/vip.yaml").write_text(RESERVED)
    said = project.run("codeowners", "--check", "CODEOWNERS", code=5).said
    assert "--admins @acme/admins --owners @acme/marketing --owners @acme/crm" in " ".join(said.split())
    file.write_text(f"{project.run(*MADE).said}/environments/ @acme/everyone\n")
    said = project.run("codeowners", "--check", "CODEOWNERS", code=5).said
    assert "the last rule that matches counts" in said


def test_a_pipe_in_place_of_a_file_is_refused_at_once(tmp_path):
    project = Project.make(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "can't be read" in project.run("codeowners", "--check", "pipe", code=3).said


def test_an_owner_can_only_be_an_owner(tmp_path):
    project = made(tmp_path)
    assert "like @acme" in project.run("codeowners", "--admins", "@a b", code=64).said
    assert "--admins" in project.run("codeowners", code=64).said
    assert "can't be read" in project.run("codeowners", "--check", "none", code=3).said


def test_this_repository_keeps_to_it():
    Project(REPOSITORY).run("codeowners", "--check", ".github/CODEOWNERS")
