"""With `admins`, an apply changes an `adminOnly` destination only under an approval that an admin gave."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.cli import Project

pytestmark = pytest.mark.promise("approved")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """`email` is reserved, `customer` is not."""
    made = Project.make(tmp_path)
    made.people(*range(100))
    folder = made.root / "environments" / "sandbox"
    environment = folder / "environment.yaml"
    environment.write_text(environment.read_text() + "admins: [mona, lisa]\n")
    rest = folder / "rest.yaml"
    rest.write_text(
        rest.read_text().replace("hashing: sha256\n", "hashing: sha256\naccess: {adminOnly: true}\n")
    )
    return made


def plan(project: Project) -> tuple[str, ...]:
    project.run("plan", "sandbox", "--out", "plan.json")
    digest = json.loads((project.root / "plan.json").read_text())["digest"]
    return ("--approved", "plan.json", "--approved-digest", digest)


def apply(project: Project, *arguments: str, code: int = 0) -> str:
    return " ".join(project.run("apply", "sandbox", "--yes", *arguments, code=code).said.split())


def last(project: Project) -> dict[str, Any]:
    return dict(json.loads(project.run("audit", "sandbox", "--json").said)["runs"][-1])


def test_an_admin_must_approve_and_the_rest_is_applied_without(project: Project) -> None:
    said = apply(project, "--actor", "mona", code=8)  # an actor grants nothing
    assert "no admin has approved this change" in said
    assert "have the plan approved by one of lisa, mona" in said
    assert len(project.members("customer")) == 100
    said = apply(project, "--only", "email/buyers", code=5)
    assert "an admin's approval is missing; nothing was sent" in said

    approval = plan(project)
    apply(project, *approval, "--approved-by", "ada", code=5)
    apply(project, *approval, "--approved-by", "-", code=5)
    apply(project, *approval, code=5)
    apply(project, *approval, "--approved-by", "ada,Lisa")
    assert len(project.members("email")) == 100
    used = last(project)["end"]["approvals"]
    assert [one["approved_by"] for one in used] == [["ada", "Lisa"]]

    project.people(*range(1, 100))
    apply(project, "--members-only")
    assert len(project.members("email")) == 99


def test_members_wait_until_an_admin_has_approved_their_definition_once(project: Project) -> None:
    environment = project.root / "environments" / "sandbox" / "environment.yaml"
    text = environment.read_text()
    environment.write_text(text.replace("admins: [mona, lisa]\n", ""))
    apply(project)
    environment.write_text(text)
    project.people(*range(1, 100))
    apply(project, "--members-only", code=8)
    assert (len(project.members("email")), len(project.members("customer"))) == (100, 99)
    apply(project, *plan(project), "--approved-by", "mona")
    project.people(*range(2, 100))
    apply(project, "--members-only")
    assert (len(project.members("email")), len(project.members("customer"))) == (98, 98)


def test_a_reserved_destination_stays_reserved_when_it_leaves_the_manifests(project: Project) -> None:
    apply(project, *plan(project), "--approved-by", "mona")
    audience = project.root / "environments" / "sandbox" / "buyers.yaml"
    audience.write_text(audience.read_text().replace("[email, customer]", "[customer]"))
    apply(project, code=5)
    project.run("teardown", "sandbox", "--yes", "--confirm", "sandbox", "--only", "email/buyers", code=5)
    apply(project, *plan(project), "--approved-by", "mona")


def test_only_an_admin_ends_the_reservation(project: Project) -> None:
    apply(project, *plan(project), "--approved-by", "mona")
    rest = project.root / "environments" / "sandbox" / "rest.yaml"
    rest.write_text(rest.read_text().replace("adminOnly: true", "adminOnly: false"))
    apply(project, code=5)
    project.people(*range(1, 100))
    apply(project, "--members-only", code=8)
    assert (len(project.members("email")), len(project.members("customer"))) == (100, 99)
    apply(project, *plan(project), "--approved-by", "mona")
    project.people(*range(2, 100))
    apply(project)
    assert len(project.members("email")) == 98


def test_wrong_logins_are_refused_before_anything_is_read(project: Project) -> None:
    approval = plan(project)
    for logins in ("", "ada,,mona", "mona@example.com"):
        assert "names no logins" in apply(project, *approval, "--approved-by", logins, code=64)
    said = apply(project, *approval, "--approved-by", "mona", "--approved-by", "mona", code=64)
    assert "one --approved-by for each --approved" in said
    assert "one --approved-by for each --approved" in apply(project, "--approved-by", "mona", code=64)
