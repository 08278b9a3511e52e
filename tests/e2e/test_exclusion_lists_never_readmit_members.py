"""A damaged or shrunken exclusion list blocks its addresses; no member on it is sent."""

import json
from collections.abc import Callable
from hashlib import md5, sha256
from pathlib import Path

import pytest
from support.cli import Project

pytestmark = pytest.mark.promise("lists")

LISTED = range(1, 61)
REFRESH = "--members-only"
AFTER = """\
guards: {maxGrowth: 1000%, maxShrink: 100%}
exclude:
  - {files: ["out.csv"], columns: {Email: mail}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Applied with sixty of a hundred people on the list; then the day after, one of them is no customer."""
    made = Project.make(tmp_path)
    manifest = tmp_path / "environments" / "sandbox" / "buyers.yaml"
    manifest.write_text(manifest.read_text() + AFTER)
    made.people(*range(1, 101))
    listed(made, [f"person{number}@example.com" for number in LISTED])
    made.run("apply", "sandbox", "--yes")
    assert len(made.members("email")) == 40
    made.people(*range(2, 101))
    return made


def listed(project: Project, values: list[str], name: str = "out.csv", head: str = "mail") -> None:
    (project.root / "data" / name).write_text("\n".join([head, *values]) + "\n")


def emails(*numbers: int) -> list[str]:
    return [f"person{number}@example.com" for number in numbers]


def blocked(project: Project, *words: str) -> None:
    """By `plan`, and by an unattended refresh, which sends nothing."""
    before = project.writes(), project.members("email"), project.members("customer")
    for command in (("plan", "sandbox"), ("apply", "sandbox", "--yes", "--members-only")):
        said = " ".join(project.run(*command, code=5).said.split())
        for word in words:
            assert word in said, said
        assert "person" not in said
    assert (project.writes(), project.members("email"), project.members("customer")) == before


def lists_of(project: Project) -> list[tuple[list[str], int]]:
    resource = json.loads(
        (project.root / ".reconciler/state/sandbox/resources/email.buyers.json").read_text()
    )
    return [(one["files"], one["members"]["count"]) for one in resource["lists"]]


NAMED = [f"P <{one}>" for one in emails(*range(1, 55))] + emails(*range(55, 61))
UNUSABLE = "of the values of the exclusion list out.csv can't be used as Email"
NOTHING = "the exclusion list out.csv holds no usable identifier"
LOST = "Email members of the exclusion list out.csv are missing since it was last applied"
LIMIT = "(limit 5%, maxShrink)"
DAMAGE = {
    "nine of ten written with a name": (NAMED, UNUSABLE, "(limit 10%, maxInvalid)"),
    "numbers in place of addresses": ([str(n) for n in LISTED], NOTHING),
    "emptied": ([], NOTHING),
    "blank": ([""] * 60, NOTHING),
    "cut to half": (emails(*range(1, 31)), LOST, LIMIT),
    "as long, with other people": ([f"stranger{n}@example.com" for n in LISTED], LOST, LIMIT),
    "four of sixty lost": (emails(*range(1, 57)), "more than 5% of the Email members", LIMIT),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_list_that_is_damaged_blocks_those_who_use_it(project: Project, damage: str) -> None:
    values, *words = DAMAGE[damage]
    listed(project, values)
    blocked(project, *words)


def test_national_phone_numbers_on_a_list_block(project: Project) -> None:
    manifest = project.root / "environments" / "sandbox" / "buyers.yaml"
    text = manifest.read_text()
    text = text.replace("CustomerId: id}", "CustomerId: id, PhoneNumber: phone}").replace(
        "{Email: mail}", "{Email: mail, PhoneNumber: phone}"
    )
    manifest.write_text(text)
    rows = [f"person{n}@example.com,c{n},+336123456{n:02}" for n in range(2, 100)]
    (project.root / "data" / "people.csv").write_text("\n".join(["email,id,phone", *rows]) + "\n")
    listed(project, [f"person{n}@example.com,06123456{n:02}" for n in LISTED], head="mail,phone")
    said = " ".join(project.run("plan", "sandbox", code=5).said.split())
    assert "of the values of the exclusion list out.csv can't be used as PhoneNumber" in said


def test_a_first_list_must_be_usable_too(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    manifest = tmp_path / "environments" / "sandbox" / "buyers.yaml"
    manifest.write_text(manifest.read_text() + AFTER)
    project.people(*range(1, 11))
    listed(project, [f"P <{one}>" for one in emails(1, 2, 3)])
    said = " ".join(project.run("apply", "sandbox", "--yes", code=5).said.split())
    assert "holds no usable identifier" in said
    assert not project.writes()


def test_unusable_values_of_a_list_within_the_limit_are_counted_in_a_plan(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    manifest = tmp_path / "environments" / "sandbox" / "buyers.yaml"
    manifest.write_text(manifest.read_text() + AFTER)
    project.people(*range(1, 101))
    listed(project, [*emails(*LISTED), "P <person61@example.com>", "person62"])
    counts = "out.csv (Email): 60 members, not applied before, 2 of 62 values can't be used, 60 in the source"
    for command in (("plan", "sandbox"), ("explain", "sandbox", "email/buyers")):
        assert counts in " ".join(project.at_terminal(*command).said.split())
    project.run("plan", "sandbox", "--out", "plan.json")
    [row] = json.loads((tmp_path / "plan.json").read_text())["document"]["lists"]
    assert (row["unusable"], row["values"]) == ({"less_than": 10}, 60)


def test_a_larger_limit_in_the_definition_lets_a_shrink_pass_once(project: Project) -> None:
    listed(project, emails(*range(1, 31)))
    manifest = project.root / "environments" / "sandbox" / "buyers.yaml"
    said = " ".join(project.run("plan", "sandbox", code=5).said.split())
    assert "if intended, set a larger maxShrink in this entry of `exclude`" in said
    limited = manifest.read_text().replace("{Email: mail}}", "{Email: mail}, maxShrink: 50%}")
    manifest.write_text(limited)
    assert "the definition" in project.run("apply", "sandbox", "--yes", "--members-only", code=6).said
    project.run("apply", "sandbox", "--yes")
    assert len(project.members("email")) == 70
    assert lists_of(project) == [(["out.csv"], 30)]
    project.run("plan", "sandbox", "--detailed-exitcode")


def test_a_list_within_its_limit_is_recorded_with_what_was_sent_under_it(project: Project) -> None:
    listed(project, [*emails(*range(3, 61)), *emails(70)])
    project.run("apply", "sandbox", "--yes", "--members-only")
    assert lists_of(project) == [(["out.csv"], 59)]
    assert len(project.members("email")) == 40
    project.run("plan", "sandbox", "--detailed-exitcode")


def test_a_list_that_shrinks_a_little_each_day_is_compared_with_the_last_recorded(
    project: Project,
) -> None:
    """Nothing is written as long as no removed entry is a customer."""
    project.people(*range(61, 101))
    listed(project, emails(*range(1, 59)))
    project.run("apply", "sandbox", "--yes", "--members-only")
    assert lists_of(project) == [(["out.csv"], 60)]
    listed(project, emails(*range(1, 57)))
    blocked(project, "more than 5%")


def test_a_list_in_two_files_is_the_same_list(project: Project) -> None:
    """No entry is missing; and a renamed list is compared with the earlier list."""
    manifest = project.root / "environments" / "sandbox" / "buyers.yaml"
    text = manifest.read_text()
    listed(project, emails(*range(1, 31)), "one.csv")
    listed(project, emails(*range(31, 61)), "two.csv")
    entry = '  - {files: ["%s.csv"], columns: {Email: mail}}\n'
    whole = '  - {files: ["out.csv"], columns: {Email: mail}}\n'
    manifest.write_text(text.replace(whole, entry % "one"))
    assert "members of the exclusion list one.csv are missing" in " ".join(
        project.run("plan", "sandbox", code=5).said.split()
    )
    manifest.write_text(text.replace(whole, entry % "one" + entry % "two"))
    project.run("apply", "sandbox", "--yes")
    assert lists_of(project) == [(["one.csv"], 30), (["two.csv"], 30)]


def test_a_list_that_comes_hashed_from_now_on_is_the_same_list(project: Project) -> None:
    listed(project, [sha256(one.encode()).hexdigest() for one in emails(*LISTED)])
    project.run("plan", "sandbox", "--detailed-exitcode")


def test_a_removed_list_is_shown_and_needs_an_approval(project: Project) -> None:
    manifest = project.root / "environments" / "sandbox" / "buyers.yaml"
    manifest.write_text(manifest.read_text().partition("exclude:")[0])
    project.run("apply", "sandbox", "--yes", "--members-only", code=6)
    said = " ".join(project.run("plan", "sandbox").said.split())
    assert "out.csv (Email): list removed; up to 60 members may be added" in said


def test_every_form_shows_the_sizes_of_lists(project: Project) -> None:
    listed(project, [*emails(*range(1, 61)), *emails(70, 71, 72)])
    project.run(
        *("plan", "sandbox", "--out", "plan.json", "--markdown", "plan.md", "--html", "plan.html"), code=0
    )
    document = json.loads((project.root / "plan.json").read_text())["document"]
    assert document["lists"] == [
        {
            "kind": "exclusion",
            "name": "",
            "files": "out.csv",
            "type": "Email",
            "before": 60,
            "after": 60,
            "missing": 0,
            "unusable": 0,
            "values": 60,
            "addresses": 2,
            "found_least": 60,
            "found_most": 60,
        }
    ]
    for name in ("plan.md", "plan.html"):
        assert "(Email): 60 members" in (project.root / name).read_text()
    said = project.at_terminal("plan", "sandbox").said
    assert "out.csv (Email): 60 → 63 members" in said
    said = project.at_terminal("explain", "sandbox", "email/buyers").said
    assert "out.csv (Email): 60 → 63 members" in " ".join(said.split())
    listed(project, emails(*range(1, 31)))
    said = project.at_terminal("plan", "sandbox").said
    assert "out.csv (Email): 60 → 30 members, 30 missing" in said


def test_hundreds_of_audiences_keep_one_copy_of_a_list(project: Project) -> None:
    """Both addresses name the same snapshot."""
    folder = project.root / ".reconciler" / "state" / "sandbox"
    resources = [json.loads(file.read_text()) for file in (folder / "resources").iterdir()]
    digests = {one["lists"][0]["members"]["digest"] for one in resources}
    assert len(resources) == 2
    assert len(digests) == 1
    assert (folder / "snapshots" / digests.pop()).exists()


def test_a_recorded_list_that_is_damaged_is_refused_and_a_restore_takes_the_one_before(
    project: Project,
) -> None:
    """Of the two lists that were recorded, the newer one is damaged."""
    state = project.root / ".reconciler" / "state" / "sandbox"
    listed(project, emails(*range(1, 62)))
    project.run("apply", "sandbox", "--yes", "--members-only")
    resource = json.loads((state / "resources" / "email.buyers.json").read_text())
    digest = resource["lists"][0]["members"]["digest"]
    (state / "snapshots" / digest).write_bytes(b"PAR1")
    listed(project, emails(*range(1, 31)))
    said = " ".join(project.run("plan", "sandbox", code=10).said.split())
    assert f"snapshot {digest[:12]} is damaged" in said
    assert f"snapshot {digest[:12]} is damaged" in " ".join(
        project.run("doctor", "sandbox", code=10).said.split()
    )
    project.run("state", "restore", "sandbox", "--serial", "1", "--yes", code=10)
    project.run("state", "restore", "sandbox", "--serial", "1", "--yes", "--accept-loss")
    assert lists_of(project) == [(["out.csv"], 60)]
    blocked(project, LOST)


# ---- a source that the list no longer matches


def customers(project: Project, mail: Callable[[int], str]) -> None:
    """The same customers, with another value in the column that the list is matched with."""
    rows = [f"{mail(number)},c{number}" for number in range(2, 101)]
    (project.root / "data" / "people.csv").write_text("\n".join(["email,id", *rows]) + "\n")


def mail(number: int) -> str:
    return f"person{number}@example.com"


SENT = "that the exclusion list out.csv excluded when it was last applied would be sent, although"
MALFORMED = "the source's Email column, which the exclusion list out.csv is matched with, can't be used"
EMPTIER = "the source's Email column, which the exclusion list out.csv is matched with, is empty in"
GARBLED: dict[str, tuple[Callable[[int], str], str]] = {
    "emptied": (lambda number: "", SENT),
    "of six in a hundred of those excluded, emptied": (
        lambda n: "" if n in (5, 25, 45, 55) else mail(n),
        SENT,
    ),
    "of others, emptied": (lambda number: "" if number > 80 else mail(number), EMPTIER),
    "NULL": (lambda number: "NULL", MALFORMED),
    "written with a name": (lambda number: f"P <{mail(number)}>", MALFORMED),
    "of the first twenty, written with a name": (
        lambda n: f"P <{mail(n)}>" if n < 22 else mail(n),
        MALFORMED,
    ),
    "MD5 of upper case": (lambda n: md5(mail(n).upper().encode(), usedforsecurity=False).hexdigest(), SENT),
    "SHA-256 of upper case": (lambda number: sha256(mail(number).upper().encode()).hexdigest(), SENT),
    "of another domain": (lambda number: f"person{number}@example.org", SENT),
    "shifted by some rows": (lambda number: mail(number + 50), SENT),
}


@pytest.mark.parametrize("damage", GARBLED)
def test_a_source_that_the_list_no_longer_matches_blocks(project: Project, damage: str) -> None:
    """Destination `customer` gets numbers; the addresses only serve the exclusion."""
    environment = project.root / "environments" / "sandbox" / "buyers.yaml"
    environment.write_text(environment.read_text().replace("[email, customer]", "[customer]"))
    project.run("apply", "sandbox", "--yes")
    customers(project, GARBLED[damage][0])
    before = project.writes(), project.members("customer")
    for command in (("plan", "sandbox"), ("apply", "sandbox", "--yes", REFRESH)):
        said = " ".join(project.run(*command, code=5).said.split())
        assert GARBLED[damage][1] in said, said
        assert "person" not in said
    assert (project.writes(), project.members("customer")) == before


def test_daily_changes_of_a_list_do_not_block(project: Project) -> None:
    """Half of the excluded members are no longer customers, and others are new."""
    project.people(*range(30, 101), *range(200, 220))
    project.run("apply", "sandbox", "--yes", REFRESH)
    assert project.members("customer") == {f"c{number}" for number in (*range(61, 101), *range(200, 220))}


def test_an_identifier_of_an_excluded_row_is_sent_in_no_other_row(project: Project) -> None:
    people = project.root / "data" / "people.csv"
    people.write_text(people.read_text() + "".join(f",c{number}\n" for number in LISTED[1:]))
    manifest = project.root / "environments" / "sandbox" / "buyers.yaml"
    manifest.write_text(manifest.read_text().replace("{Email: mail}}", "{Email: mail}, maxShrink: 100%}"))
    project.run("apply", "sandbox", "--yes")
    assert project.members("customer") == {f"c{number}" for number in range(61, 101)}


def test_a_first_list_without_matches_is_noted(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    manifest = tmp_path / "environments" / "sandbox" / "buyers.yaml"
    manifest.write_text(manifest.read_text() + AFTER)
    project.people(*range(1, 11))
    listed(project, ["someone@example.org"])
    said = " ".join(project.run("plan", "sandbox").said.split())
    assert "buyers: no row of the source has a member of the exclusion list out.csv (Email), so" in said
    assert "unless this is intended, check its column, and that both write identifiers alike" in said
    project.run("apply", "sandbox", "--yes")
    assert len(project.members("email")) == 10


# ---- a list at a new address


ANOTHER = """\
kind: Audience
name: others
title: Others
destinations: [email]
source: {files: ["people.csv"]}
columns: {Email: email}
"""


def test_a_list_that_was_cut_fills_no_new_address(project: Project) -> None:
    folder = project.root / "environments" / "sandbox"
    (folder / "others.yaml").write_text(ANOTHER + AFTER)
    listed(project, emails(*range(1, 31)))
    blocked(project, "are missing since", "last applied it (limit 5%, maxShrink)")


def test_a_new_address_gets_no_list_that_was_cut_after_its_approval(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    manifest = tmp_path / "environments" / "sandbox" / "buyers.yaml"
    manifest.write_text(manifest.read_text() + AFTER)
    project.people(*range(1, 101))
    listed(project, [*emails(*range(1, 10)), *emails(*range(500, 600))])
    project.run("plan", "sandbox", "--out", "plan.json")
    listed(project, emails(1))
    said = " ".join(project.run("apply", "sandbox", "--yes", "--approved", "plan.json", code=6).said.split())
    assert "members of the exclusion list out.csv (Email): approved 110, now <10; at most 5% fewer" in said
    assert not project.writes()


# ---- suppressed people at a blocked address


def test_a_customer_export_delivered_as_the_list_removes_no_member(project: Project) -> None:
    before = project.members("email"), project.members("customer")
    listed(project, emails(*range(1, 101)))
    said = " ".join(project.run("apply", "sandbox", "--yes", REFRESH, code=5).said.split())
    assert "suppressed members are not removed: without them there would be fewer than 1 members" in said
    assert (project.members("email"), project.members("customer")) == before


def test_opt_outs_leave_by_a_list_that_is_whole_and_by_no_other(project: Project) -> None:
    manifest = project.root / "environments" / "sandbox" / "buyers.yaml"
    manifest.write_text(manifest.read_text() + '  - {files: ["legal.csv"], columns: {Email: mail}}\n')
    listed(project, ["nobody@example.com"], "legal.csv")
    project.run("apply", "sandbox", "--yes")
    listed(project, ["nobody@example.com", *emails(61)], "legal.csv")
    listed(project, emails(*range(31, 61), 62))
    project.run("apply", "sandbox", "--yes", REFRESH, code=8)
    assert len(project.members("email")) == 39


def test_a_list_is_stated_beside_a_missing_source_at_each_address(project: Project) -> None:
    """The list has e-mail addresses; one destination of the audience is sent customer IDs."""
    listed(project, emails(*range(1, 31)))
    (project.root / "data" / "people.csv").unlink()
    said = " ".join(project.run("plan", "sandbox", code=5).said.split())
    assert f"both addresses: more than 5% of the {LOST}" in said
    assert "no file matches people.csv" in said
