"""`--json` prints one document that follows its published schema, also when the command fails."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support import schemas
from support.cli import AUDIENCE, Project

pytestmark = pytest.mark.promise("read-right")

MANY = range(1, 41)
ALWAYS = {"format_version", "document_type", "error"}
COMMANDS = [
    ("status", "sandbox"),
    ("status", "sandbox", "--statistics"),
    ("report", "sandbox"),
    ("explain", "sandbox", "email/buyers"),
    ("validate",),
    ("doctor", "sandbox"),
    ("find", "sandbox"),
    ("erase", "sandbox", "--plan"),
    ("state", "show", "sandbox"),
    ("state", "history", "sandbox"),
    ("state", "lock", "list", "sandbox"),
    ("auth", "status", "sandbox"),
    ("audit", "sandbox"),
]


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Applied once; then a few people left, and one address is not written right."""
    project = Project.make(tmp_path_factory.mktemp("applied"))
    project.people(*MANY)
    project.run("apply", "sandbox", "--yes")
    project.people(*MANY[5:], 41, 42)
    people = project.root / "data" / "people.csv"
    people.write_text(people.read_text() + "nobody,\n,c43\n")
    return project


@pytest.fixture
def project(applied: Project, tmp_path: Path) -> Project:
    """The same to break."""
    shutil.copytree(applied.root, tmp_path / "copy")
    return Project(tmp_path / "copy")


def printed(project: Project, *command: str, code: int = 0) -> dict[str, Any]:
    """What is on standard output, checked; whatever else is said is on standard error."""
    done = project.streams(*command, "--json", given="person7@example.com\n\n\x07\n")
    assert done.code == code, done.err
    document = schemas.output(done.out)
    assert (document["error"] or {"exit_code": 0})["exit_code"] == code or command[0] in {"doctor", "auth"}
    return document


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_prints_a_document_that_follows_its_schema(
    applied: Project, command: tuple[str, ...]
) -> None:
    document = printed(applied, *command)
    assert document["error"] is None
    assert document.keys() > ALWAYS


def test_what_the_documents_say_is_what_was_done(applied: Project) -> None:
    [email, _] = printed(applied, "state", "show", "sandbox")["addresses"][::-1]
    assert (email["address"], email["members"], email["uncertain"]) == ("email/buyers", 40, 0)
    explained = printed(applied, "explain", "sandbox", "email/buyers")
    assert explained["rows"] == 40
    assert {one["reason"]: one["count"] for one in explained["dropped"]} == {
        "empty": {"less_than": 10},
        "malformed": {"less_than": 10},
    }
    assert explained["change"] == {
        "kind": "update",
        "adds": {"less_than": 10},
        "removes": {"less_than": 10},
    }
    statuses = {one["status"] for one in printed(applied, "status", "sandbox")["addresses"]}
    assert statuses == {"acknowledged"}
    [environment] = printed(applied, "validate")["environments"]
    assert environment == {"environment": "sandbox", "audiences": 1, "segments": 2, "notes": []}
    assert {one["status"] for one in printed(applied, "doctor", "sandbox")["checks"]} == {"ok"}


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if one[0] in {"status", "report", "state"}], ids=" ".join
)
def test_before_the_first_apply_there_is_a_document_too(tmp_path: Path, command: tuple[str, ...]) -> None:
    project = Project.make(tmp_path)
    assert printed(project, *command)["error"] is None


@pytest.mark.parametrize("command", [*COMMANDS[1:], ("verify", "sandbox")], ids=" ".join)
def test_an_environment_that_is_not_there_is_an_error_in_the_document(
    applied: Project, command: tuple[str, ...]
) -> None:
    elsewhere = ["nosuch" if word == "sandbox" else word for word in command]
    if command == ("validate",):
        elsewhere.append("nosuch")
    document = printed(applied, *elsewhere, code=3)
    if command[0] == "doctor":
        assert document["checks"][0]["status"] == "failure"
    else:
        assert document["error"]["problem"]


def test_every_problem_of_manifests_is_a_finding(project: Project) -> None:
    (project.root / "environments/sandbox/buyers.yaml").write_text(
        AUDIENCE.replace("title: Buyers", "titel: Buyers").replace("[email, customer]", "[nowhere]")
    )
    found = printed(project, "validate", code=3)["error"]["findings"]
    assert {one["where"].rpartition(":")[0].rpartition(":")[0] for one in found} == {
        "environments/sandbox/buyers.yaml"
    }
    assert len(found) > 1


def test_a_damaged_state_is_an_error_in_the_document(project: Project) -> None:
    (project.root / ".reconciler/state/sandbox/head.json").write_text("{}")
    for command in (("state", "show", "sandbox"), ("status", "sandbox")):
        document = printed(project, *command, code=10)
        assert document.keys() == ALWAYS


def test_what_blocks_an_address_is_in_its_explanation(project: Project) -> None:
    project.people(1, 2, 3)
    explained = printed(project, "explain", "sandbox", "email/buyers")
    assert explained["change"] is None
    assert {one["cause"] for one in explained["blocked"]} == {"guard"}


def test_a_failed_check_is_in_the_document(project: Project) -> None:
    (project.root / ".reconciler/state/sandbox/head.json").write_text("{}")
    document = printed(project, "doctor", "sandbox", code=10)
    assert document["exit_code"] == 10
    assert {one["check"] for one in document["checks"] if one["status"] == "failure"} == {"state"}


@pytest.mark.parametrize("command", ["plan", "drift", "apply"])
def test_documents_that_can_be_saved_follow_the_schema_of_plans(project: Project, command: str) -> None:
    yes = ["--yes"] if command == "apply" else []
    project.run(command, "sandbox", *yes, "--json", "--quiet", "--out", "saved.json")
    document = json.loads((project.root / "saved.json").read_text())
    schemas.follows(schemas.SCHEMAS / "plan.schema.json", document)
    assert json.loads(project.run("show", "saved.json", "--json").said) == document


def test_every_published_schema_is_that_of_a_command() -> None:
    described = {one.name.removesuffix(".schema.json") for one in schemas.OUTPUTS.glob("*.json")}
    assert described - {"common"} == {
        kind.replace("_", "-")
        for kind in (
            "status", "explain", "validate", "doctor", "state", "state_history", "state_lock", "auth_status",
            "verification", "diff", "report", "find", "erase", "audit",
        )
    }  # fmt: skip
