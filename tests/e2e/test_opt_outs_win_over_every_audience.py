"""Members of a suppression list are in no segment, and a damaged list lets none of them in."""

import hashlib
import json
from pathlib import Path

import pytest
from support.cli import Project

pytestmark = pytest.mark.promise("lists")

ENVIRONMENT = "environments/sandbox/environment.yaml"
SUPPRESS = """\
suppress:
  lists:
    - {name: opt-outs, files: ["opt-outs.csv"], columns: {Email: mail}}
"""
OPTED_OUT = range(1, 61)
MEMBERS_ONLY = ("apply", "sandbox", "--yes", "--members-only")
GUARDS = "guards: {maxGrowth: 1000%, maxShrink: 100%}\n"


def emails(*numbers: int) -> list[str]:
    return [f"person{number}@example.com" for number in numbers]


def listed(project: Project, values: list[str], name: str = "opt-outs.csv", head: str = "mail") -> None:
    (project.root / "data" / name).write_text("\n".join([head, *values]) + "\n")


def edited(project: Project, file: str, before: str, after: str) -> None:
    path = project.root / file
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def suppressing(root: Path, declared: str = SUPPRESS) -> Project:
    made = Project.make(root)
    environment = root / ENVIRONMENT
    environment.write_text(environment.read_text() + declared)
    buyers = root / "environments" / "sandbox" / "buyers.yaml"
    buyers.write_text(buyers.read_text() + GUARDS)
    made.people(*range(1, 101))
    listed(made, emails(*OPTED_OUT))
    return made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Applied with sixty of a hundred people on the list; then another member of the source is new."""
    made = suppressing(tmp_path)
    made.run("apply", "sandbox", "--yes")
    assert len(made.members("email")) == len(made.members("customer")) == 40
    made.people(*range(1, 102))
    return made


def said(project: Project, *arguments: str, code: int = 0) -> str:
    return " ".join(project.run(*arguments, code=code).said.split())


DAMAGE = {
    "cut to its header": ([], "mail", "the suppression list opt-outs holds no usable identifier"),
    "cut to ten rows": (
        emails(*range(1, 11)),
        "mail",
        "suppression list opt-outs are missing since it was last applied (limit 5%, maxSuppressionShrink)",
    ),
    "with the wrong column": (
        emails(*OPTED_OUT),
        "telephone",
        f"{ENVIRONMENT}:11:66: there is no such column",
    ),
    "with values of another type": (
        [str(number) for number in OPTED_OUT],
        "mail",
        "the suppression list opt-outs holds no usable identifier",
    ),
    "gone": (None, "mail", "no file"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_suppression_list_is_refused_by_plan_nightly_run_and_approved_apply(
    project: Project, damage: str
) -> None:
    project.run("plan", "sandbox", "--out", "plan.json")
    values, head, problem = DAMAGE[damage]
    if values is None:
        (project.root / "data" / "opt-outs.csv").unlink()
    else:
        listed(project, values, head=head)
    before = project.writes(), project.members("email"), project.members("customer")
    for command in (
        ("plan", "sandbox"),
        MEMBERS_ONLY,
        ("apply", "sandbox", "--yes", "--approved", "plan.json"),
    ):
        text = said(project, *command, code=5)
        assert problem in text, text
        assert "person" not in text
    assert (project.writes(), project.members("email"), project.members("customer")) == before


def test_an_approval_with_a_list_does_not_cover_a_list_that_was_cut_since(tmp_path: Path) -> None:
    """Before the first apply there is no list to compare with but the approved one."""
    project = suppressing(tmp_path)
    project.run("plan", "sandbox", "--out", "plan.json")
    listed(project, emails(*range(1, 11)))
    text = said(project, "apply", "sandbox", "--yes", "--approved", "plan.json", code=6)
    assert "members of the suppression list opt-outs (Email): approved 60, now 10" in text
    assert "at most 5% fewer (maxSuppressionShrink)" in text
    assert not project.writes()


def test_every_hashing_of_an_opt_out_is_recognised(project: Project) -> None:
    values = [
        hashlib.sha256(one.encode()).hexdigest() if number % 2 else one.upper()
        for number, one in enumerate(emails(*OPTED_OUT))
    ]
    listed(project, values)
    project.run(*MEMBERS_ONLY)
    assert len(project.members("email")) == len(project.members("customer")) == 41


def test_the_nightly_run_removes_new_opt_outs(project: Project) -> None:
    listed(project, emails(*OPTED_OUT, 61, 62))
    project.run(*MEMBERS_ONLY)
    assert "c61" not in project.members("customer")
    assert len(project.members("email")) == 39


def test_opting_back_in_says_how_many_members_may_be_sent_again(project: Project) -> None:
    listed(project, emails(*range(1, 58)))
    text = " ".join(project.at_terminal("plan", "sandbox").said.split())
    assert "Suppression list: opt-outs (Email): 60 → 57 members, 3 missing, who may be sent again" in text
    project.run(*MEMBERS_ONLY)
    assert len(project.members("email")) == 44


def test_an_unchanged_list_is_in_every_form_of_the_plan_too(project: Project) -> None:
    project.run(
        *("plan", "sandbox", "--out", "plan.json", "--markdown", "plan.md", "--html", "plan.html"), code=0
    )
    [row] = json.loads((project.root / "plan.json").read_text())["document"]["lists"]
    assert (row["kind"], row["name"], row["before"], row["after"]) == ("suppression", "opt-outs", 60, 60)
    for name in ("plan.md", "plan.html"):
        text = (project.root / name).read_text()
        assert "Suppression lists" in text
        assert "opt-outs (Email): 60 members" in text
    assert "Suppression list: opt-outs (Email): 60 members" in said(project, "plan", "sandbox")


def test_suppressed_and_excluded_rows_are_counted_apart(project: Project) -> None:
    listed(project, emails(60, 61, 62), "friends.csv")
    edited(project, "environments/sandbox/buyers.yaml", GUARDS, GUARDS + EXCLUDE)
    project.run("apply", "sandbox", "--yes")
    found = json.loads(project.run("explain", "sandbox", "email/buyers", "--json").said)
    assert [(one["reason"], one["count"]) for one in found["dropped"]] == [
        ("suppressed", 60),
        ("excluded", {"less_than": 10}),
    ]
    assert [(one["kind"], one["name"]) for one in found["lists"]] == [
        ("suppression", "opt-outs"),
        ("exclusion", None),
    ]
    assert len(project.members("email")) == 39


EXCLUDE = 'exclude:\n  - {files: ["friends.csv"], columns: {Email: mail}}\n'


# ---- the definition


def test_a_removed_list_needs_an_approval(project: Project) -> None:
    edited(project, ENVIRONMENT, SUPPRESS, "")
    before = project.members("email")
    assert "its definition is not the one that was applied" in said(project, *MEMBERS_ONLY, code=6)
    assert project.members("email") == before
    text = said(project, "plan", "sandbox")
    assert "opt-outs (Email): list removed; up to 60 members may be added" in text


def test_opt_outs_of_an_added_list_leave_without_an_approval(project: Project) -> None:
    another = '    - {name: complaints, files: ["complaints.csv"], columns: {Email: mail}}\n'
    listed(project, emails(70, 71), "complaints.csv")
    edited(project, ENVIRONMENT, SUPPRESS, SUPPRESS + another)
    project.run(*MEMBERS_ONLY, code=8)
    members = project.members("customer")
    assert len(members) == 38
    assert not members & {"c70", "c71", "c101"}


# ---- lists that can't be matched


PHONES = "    - {name: calls, files: [calls.csv], columns: {PhoneNumber: phone}}\n"


def test_a_list_without_a_shared_type_blocks_all_but_exempt_addresses(project: Project) -> None:
    listed(project, ["+33612345678"], "calls.csv", head="phone")
    edited(project, ENVIRONMENT, SUPPRESS, SUPPRESS + PHONES)
    text = said(project, "plan", "sandbox", code=5)
    assert (
        "the suppression list calls can't be matched: it shares no identifier type with the audience" in text
    )
    assert "name email/buyers under `suppress.exempt` in environments/sandbox/environment.yaml" in text
    edited(project, ENVIRONMENT, PHONES, PHONES + "  exempt: [email/buyers]\n")
    project.run("apply", "sandbox", "--yes", code=8)
    assert len(project.members("email")) == 41
    assert len(project.members("customer")) == 40


def test_an_md5_list_and_a_sha256_source_block_all_but_exempt_addresses(tmp_path: Path) -> None:
    project = suppressing(tmp_path)
    people = enumerate(emails(*range(1, 101)))
    rows = [f"{hashlib.sha256(one.encode()).hexdigest()},c{number}" for number, one in people]
    (project.root / "data" / "people.csv").write_text("\n".join(["email,id", *rows]) + "\n")
    md5 = [hashlib.md5(one.encode(), usedforsecurity=False).hexdigest() for one in emails(*OPTED_OUT)]
    listed(project, md5)
    text = said(project, "plan", "sandbox", code=5)
    problem = "opt-outs can't be matched: its Email values and those of the source are hashed in different"
    assert problem in text
    edited(project, ENVIRONMENT, SUPPRESS, SUPPRESS + "  exempt: [customer/buyers]\n")
    project.run("apply", "sandbox", "--yes", code=8)
    assert len(project.members("customer")) == 100
    assert "email/buyers" not in project.run("state", "show", "sandbox").said


def test_an_exempt_address_still_loses_the_members_of_lists_that_match(project: Project) -> None:
    edited(project, ENVIRONMENT, SUPPRESS, SUPPRESS + "  exempt: [email/buyers, customer/buyers]\n")
    project.run("apply", "sandbox", "--yes")
    assert len(project.members("email")) == 41


def test_exempt_addresses_exist_and_names_are_unique(tmp_path: Path) -> None:
    again = '    - {name: opt-outs, files: ["opt-outs.csv"], columns: {Email: mail}}\n'
    project = suppressing(tmp_path, SUPPRESS + again + "  exempt: [email/buyer]\n")
    text = said(project, "validate", "sandbox", code=3)
    assert "this name is taken by another suppression list, at environments/sandbox/environment.yaml:" in text
    assert "no audience has this address → did you mean `email/buyers`?" in text


def test_a_missing_file_and_a_country_without_phones_are_found_offline(tmp_path: Path) -> None:
    project = suppressing(tmp_path, SUPPRESS.replace("Email: mail}", "Email: mail}, defaultCountry: FR"))
    (project.root / "data" / "opt-outs.csv").unlink()
    text = said(project, "validate", "sandbox", code=3)
    assert "environment.yaml:11:32: no file below the data root" in text
    assert "defaultCountry is for phone numbers" in text


# ---- segments without another change


def test_opt_outs_leave_forgotten_segments(project: Project) -> None:
    edited(project, "environments/sandbox/buyers.yaml", "[email, customer]", "[customer]")
    edited(project, ENVIRONMENT, "maxShrink: 20%", "maxShrink: 50%")
    project.run("apply", "sandbox", "--yes")
    assert len(project.members("email")) == 40
    listed(project, emails(*OPTED_OUT, 61, 62, 63))
    assert "At 1 other address <10 suppressed members are removed all the same." in said(
        project, "plan", "sandbox", "--detailed-exitcode", code=2
    )
    project.run(*MEMBERS_ONLY)
    assert len(project.members("email")) == 37
    project.run("plan", "sandbox", "--detailed-exitcode")


def test_a_list_that_was_cut_removes_nobody_from_a_forgotten_segment(project: Project) -> None:
    edited(project, "environments/sandbox/buyers.yaml", "[email, customer]", "[customer]")
    project.run("apply", "sandbox", "--yes")
    listed(project, emails(61, 62))
    project.run(*MEMBERS_ONLY, code=5)
    assert len(project.members("email")) == 40


def test_a_list_with_most_members_of_a_forgotten_segment_may_be_the_wrong_file(project: Project) -> None:
    edited(project, "environments/sandbox/buyers.yaml", "[email, customer]", "[customer]")
    project.run("apply", "sandbox", "--yes")
    listed(project, emails(*range(1, 100)))
    text = said(project, *MEMBERS_ONLY, code=8)
    assert "suppressed members are not removed: they are more than 20% of its members" in text
    assert len(project.members("email")) == 40
