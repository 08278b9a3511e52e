"""Each statement of the documentation about `access` holds."""

import json

import pytest
from support.cli import AUDIENCE, REPOSITORY, Project

DESTINATION = """\
kind: Destination
name: vip
credential: criteo
seat: acme
identifierType: {type}
{rest}
"""
CLAIMS = ("only administrators may", "refused here", "leave only as hashes")
"""What was written about it once, and is not so."""


def project(root, type_: str, *rest: str, column: str = "email") -> Project:
    made = Project.make(root)
    made.people(*range(3))
    folder = root / "environments/sandbox"
    (folder / "vip.yaml").write_text(DESTINATION.format(type=type_, rest="\n".join(rest)))
    audience = AUDIENCE.replace("[email, customer]", "[vip]")
    audience = audience.replace("{Email: email, CustomerId: id}", f"{{{type_}: {column}}}")
    (folder / "buyers.yaml").write_text(audience)
    return made


def sent(project: Project) -> frozenset[str]:
    with project.emulator() as emulator:
        [segment] = emulator.segments()
        return emulator.members(segment.id)


def test_admin_only_gives_the_destination_and_its_audiences_to_the_admins(tmp_path):
    made = project(tmp_path, "Email", "hashing: sha256", "access: {adminOnly: true}")
    rules = made.run("codeowners", "--admins", "@acme/admins", "--owners", "@acme/crm").said.splitlines()
    assert "/environments/sandbox/vip.yaml @acme/admins" in rules
    assert "/environments/sandbox/buyers.yaml @acme/admins" in rules


def test_admin_only_does_not_restrict_commands(tmp_path):
    made = project(tmp_path, "Email", "hashing: sha256", "access: {adminOnly: true}")
    for command in ("validate", "plan", "apply --yes", "drift", "status"):
        name, *flags = command.split()
        made.run(name, "sandbox", *flags)
    assert len(sent(made)) == 3


@pytest.mark.parametrize("access", ["", "access: {}", "access: {pii: hashed}", "access: {adminOnly: true}"])
@pytest.mark.parametrize("type_", ["Email", "PhoneNumber"])
@pytest.mark.parametrize("form", ["", "hashing: none"])
def test_hashed_refuses_plain_addresses_and_numbers(tmp_path, type_, access, form):
    said = " ".join(project(tmp_path, type_, form, access).run("validate", code=3).said.split())
    assert "hashing none sends raw" in said
    assert "`access: {pii: raw}`" in said


@pytest.mark.parametrize("form", ["md5", "sha256", "sha256-of-md5"])
def test_hashed_lets_every_hash_pass(tmp_path, form):
    made = project(tmp_path, "Email", f"hashing: {form}", "access: {pii: hashed}")
    made.run("apply", "sandbox", "--yes")
    assert not any("@" in one for one in sent(made))


def test_raw_sends_addresses_as_they_are(tmp_path):
    made = project(tmp_path, "Email", "hashing: none", "access: {pii: raw}")
    made.run("apply", "sandbox", "--yes")
    assert sent(made) == {f"person{number}@example.com" for number in range(3)}


def test_values_of_other_types_are_not_examined(tmp_path):
    made = project(tmp_path, "CustomerId", "access: {pii: hashed}")
    made.run("apply", "sandbox", "--yes")
    assert sent(made) == {f"person{number}@example.com" for number in range(3)}


def test_schema_and_manual_claim_nothing_else():
    schema = json.loads((REPOSITORY / "schemas/destination.schema.json").read_text())
    access = schema["properties"]["access"]["properties"]
    manual = (REPOSITORY / "docs/reference/manifests.md").read_text()
    rows = [line for line in manual.splitlines() if line.startswith("| `access.")]
    descriptions = [*(one["description"] for one in access.values()), *rows]
    assert len(descriptions) == 4
    assert [one for one in descriptions if any(claim in one.lower() for claim in CLAIMS)] == []
    reserved = [one for one in descriptions if "admins" in one]
    assert reserved
    assert all("refuses its changes without the approval of an admin" in one for one in reserved)
