"""Approved changes are applied within their limits; all others are named and skipped."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.cli import Project
from support.fakes import wsgi_server as loopback

from reconciler.emulator.pipeline import CLOCK_PATH
from reconciler.render.json.document import DIGEST, digest_of, dump

pytestmark = pytest.mark.promise("approved")

STALE, PARTLY = 6, 8
A_DIGEST = "sha256:" + "0f" * 32
SECOND = """\
kind: Audience
name: friends
title: Friends
destinations: [email]
source: {files: ["friends.csv"]}
columns: {Email: email}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path)
    made.people(*range(5_000))
    loosen(made)
    return made


def loosen(project: Project) -> None:
    """So that no guard speaks before the envelope does."""
    change(project, "environment", "maxShrink: 20%, maxGrowth: 100%", "maxShrink: 100%, maxGrowth: 900%")


def change(project: Project, file: str, before: str, after: str) -> None:
    path = project.root / "environments" / "sandbox" / f"{file}.yaml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def approve(project: Project, name: str = "plan.json") -> str:
    """Save a plan and return its digest."""
    project.run("plan", "sandbox", "--out", name)
    return project.run("show", name, "--digest").said.strip()


def apply(project: Project, *arguments: str, code: int = 0) -> str:
    return project.run("apply", "sandbox", "--yes", *arguments, code=code).said


def refused(project: Project, *arguments: str, says: str, approved: str = "plan.json") -> None:
    """Check for exit 6 with the reason, and no call to Criteo."""
    before, serial = len(project.writes()), head(project)
    said = " ".join(apply(project, "--approved", approved, *arguments, code=STALE).split())
    assert says in said
    assert len(project.writes()) == before
    assert head(project) == serial


def bare(said: str) -> str:
    return " ".join(said.split())


def head(project: Project) -> str:
    file = project.root / ".reconciler" / "state" / "sandbox" / "head.json"
    return file.read_text() if file.exists() else ""


def test_sources_that_move_by_one_percent_are_applied(project: Project) -> None:
    digest = approve(project)
    project.people(*range(50, 5_000))
    said = apply(project, "--approved", "plan.json", "--approved-digest", digest)
    assert "2 applied" in said
    assert len(project.members("email")) == 4_950


@pytest.mark.parametrize("people", [range(500, 5_000), range(5_500)])
def test_sources_that_move_by_ten_percent_are_not(project: Project, people: range) -> None:
    approve(project)
    project.people(*people)
    refused(
        project,
        says=f"additions: approved 5,000, now {len(people):,}; limit ±100 (approval.tolerance: 2%",
    )


def test_a_hundred_people_approved_with_no_removals_cannot_be_emptied(project: Project) -> None:
    project.people(*range(100))
    apply(project)
    project.people(*range(130))
    approve(project)
    project.people(5, *range(100, 130))
    refused(project, says="removals: approved 0, now 100; limit ±13 ")
    project.people(*range(10, 140))
    apply(project, "--approved", "plan.json")
    assert len(project.members("email")) == 130


def another_definition(project: Project) -> None:
    change(project, "buyers", "title: Buyers", "title: Sellers")


def another_seat(project: Project) -> None:
    change(project, "environment", 'retailerId: "3239117063738827231"', 'retailerId: "7"')


def another_lineage(project: Project) -> None:
    shutil.rmtree(project.root / ".reconciler" / "state")
    shutil.rmtree(project.root / ".reconciler" / "emulator")
    project.people(*range(5_000))
    apply(project)
    project.people(*range(5_100))


def too_old(project: Project) -> None:
    forge(project, lambda plan: plan["approval"].update(made_at="2026-01-01T00:00:00+00:00"))


def another_major_version(project: Project) -> None:
    forge(project, lambda plan: plan.update(reconciler="7.0.0"))


def another_format(project: Project) -> None:
    forge(project, lambda plan: plan.update(format_version="3.0"))


def tampered(project: Project) -> None:
    forge(project, lambda plan: plan["approval"]["changes"][0].update(removes=9_000), sign=False)


def from_the_future(project: Project) -> None:
    forge(project, lambda plan: plan["approval"].update(made_at="2099-01-01T00:00:00+00:00"))


def no_time_at_all(project: Project) -> None:
    forge(project, lambda plan: plan["approval"].update(made_at="2026-99-99T00:00:00+00:00"))


def other_data(project: Project) -> None:
    (project.root / "data").rename(project.root / "exports")
    change(project, "environment", "root: data", "root: exports")


def another_environment(project: Project) -> None:
    forge(project, lambda plan: plan.update(environment="production"))


def forge(project: Project, change: Callable[[dict[str, Any]], object], *, sign: bool = True) -> None:
    file = project.root / "plan.json"
    plan = json.loads(file.read_text())
    change(plan)
    file.write_bytes(dump(plan | ({DIGEST: digest_of(plan)} if sign else {})))


@pytest.mark.parametrize(
    ("happens", "says"),
    [
        (another_definition, "its definition is not the approved one"),
        (another_seat, "retailer 3239117063738827231; now account 368477501993431040, retailer 7"),
        (another_lineage, "approved for a state of lineage"),
        (from_the_future, "the approved plan is from the future, 2099-01-01 00:00 UTC"),
        (no_time_at_all, "is no plan that this version of reconciler reads"),
        (other_data, "its definition is not the approved one"),
        (too_old, ", maxAge 3 days"),
        (another_major_version, "was made by reconciler 7.0.0, and this is"),
        (another_format, "its format is another one than 2.x"),
        (tampered, "was changed after it was saved"),
        (
            another_environment,
            "approved for production, not sandbox: give the plan of sandbox",
        ),
    ],
)
def test_what_holds_no_more_is_refused(
    project: Project, happens: Callable[[Project], None], says: str
) -> None:
    apply(project)
    project.people(*range(5_100))
    approve(project)
    happens(project)
    refused(project, says=says)


def test_another_endpoint_gets_no_secret(project: Project) -> None:
    received = []

    def listening(environ: dict[str, Any], respond: Callable[..., object]) -> list[bytes]:
        sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        received.append((environ["PATH_INFO"], environ.get("HTTP_AUTHORIZATION"), sent))
        respond("500 Internal Server Error", [])
        return []

    apply(project)
    project.people(*range(5_100))
    approve(project)
    with loopback.serving(listening) as endpoint:
        change(project, "environment", "endpoint: emulator", f'endpoint: "{endpoint}"')
        environ = {"ID": "the-client-id", "SECRET": "the-client-secret"}
        terms = ("--yes", "--approved", "plan.json")
        said = bare(project.run("apply", "sandbox", *terms, code=STALE, **environ).said)
    assert f"approved for emulator; sandbox is at {endpoint}" in said
    assert received == [(CLOCK_PATH, None, b"")], "a server on this machine is asked for its clock"


def test_a_forged_digest_is_refused(project: Project) -> None:
    """A writer of the file can sign it again, but cannot write the place of the digest."""
    digest = approve(project)
    forge(project, lambda plan: plan["approval"]["changes"][0].update(adds=9_000))
    refused(project, "--approved-digest", digest, says="digest mismatch")
    approve(project)
    refused(project, "--approved-digest", "sha256:" + "0" * 64, says="digest mismatch")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"digest": 1, "digest": 2}', '{"digest": 1}', "null", "\x00"]
)
def test_what_is_no_plan_is_refused(project: Project, content: str) -> None:
    apply(project)
    project.people(*range(5_100))
    (project.root / "plan.json").write_text(content)
    refused(project, says="is no plan that this version of reconciler reads")
    (project.root / "plan.json").unlink()
    refused(project, says="the approval can't be read")
    refused(project, says="check the path, or fetch the plan's artifact")
    os.mkfifo(project.root / "plan.json")
    refused(project, says="there is no such file")


def test_a_plan_that_was_applied_is_used_up(project: Project) -> None:
    approve(project)
    apply(project, "--approved", "plan.json")
    before = len(project.writes())
    assert "No changes." in apply(project, "--approved", "plan.json")
    assert len(project.writes()) == before
    project.people(*range(5_100))
    refused(project, says="the approved plan was applied in full on")


def test_unapproved_changes_are_skipped_and_named(project: Project) -> None:
    apply(project)
    project.people(*range(5_100))
    approve(project)
    add_friends(project)
    said = bare(apply(project, "--approved", "plan.json", code=PARTLY))
    assert "! blocked email/friends" in said
    assert "this change was not approved" in said
    assert "2 applied" in said
    assert '"completed_at": null' not in head(project), "all that was approved is done"
    refused(project, says="email/friends: this change was not approved")


def test_an_approval_stays_open_until_the_blocked_address_is_done(project: Project) -> None:
    apply(project)
    change(project, "buyers", "title: Buyers", "title: Customers")
    add_friends(project)
    digest = approve(project)
    friends = project.root / "data" / "friends.csv"
    rows = friends.read_text()
    friends.unlink()
    terms = ("--approved", "plan.json", "--approved-digest", digest)
    said = bare(apply(project, *terms, code=PARTLY))
    assert "no file matches friends.csv" in said
    assert "2 applied" in said
    assert '"completed_at": null' in head(project)
    apply(project, *terms, code=PARTLY)
    friends.write_text(rows)
    assert "1 applied" in apply(project, *terms)
    assert '"completed_at": null' not in head(project)


def test_a_refresh_names_what_needs_an_approval_and_sends_the_rest(project: Project) -> None:
    add_friends(project)
    apply(project)
    change(project, "buyers", "title: Buyers", "title: Customers")
    friends = project.root / "data" / "friends.csv"
    friends.write_text(friends.read_text() + "another@example.com\n")
    said = bare(apply(project, "--members-only", code=PARTLY))
    assert said.count("! blocked ") == 2
    assert "its definition is not the one that was applied" in said
    assert "1 applied" in said
    refused_now = bare(apply(project, "--members-only", code=STALE))
    assert "its definition is not the one that was applied" in refused_now


def test_a_pinned_source_keeps_no_other_address_away(project: Project) -> None:
    change(project, "buyers", '["people.csv"]}', '["people.csv"], pinned: true}')
    add_friends(project)
    said = bare(apply(project, code=PARTLY))
    assert said.count("! blocked ") == 2
    assert "its source is pinned: only approved members may be sent" in said
    assert "1 applied" in said


def add_friends(project: Project) -> None:
    (project.root / "environments" / "sandbox" / "friends.yaml").write_text(SECOND)
    lines = ["email", *(f"friend{number}@example.com" for number in range(300))]
    (project.root / "data" / "friends.csv").write_text("\n".join(lines) + "\n")


def test_two_open_pull_requests_on_different_audiences_both_apply(project: Project) -> None:
    apply(project)
    folder = project.root / "environments" / "sandbox"
    add_friends(project)
    approve(project, "friends.json")
    friends = (folder / "friends.yaml").read_text()
    (folder / "friends.yaml").unlink()
    change(project, "buyers", "title: Buyers", "title: Customers")
    approve(project, "renamed.json")

    assert "2 applied" in apply(project, "--approved", "renamed.json")
    (folder / "friends.yaml").write_text(friends)
    assert "1 applied" in apply(project, "--approved", "friends.json")


def test_approvals_that_await_one_merge_are_applied_together(project: Project) -> None:
    apply(project)
    add_friends(project)
    first = approve(project, "friends.json")
    friends = project.root / "environments" / "sandbox" / "friends.yaml"
    text = friends.read_text()
    friends.unlink()
    change(project, "buyers", "title: Buyers", "title: Customers")
    second = approve(project, "renamed.json")
    friends.write_text(text)

    both = ("--approved", "friends.json", "--approved", "renamed.json")
    said = apply(project, *both, "--approved-digest", first, "--approved-digest", second)
    assert "3 applied" in said


def test_unapproved_member_changes_are_deferred(project: Project) -> None:
    add_friends(project)
    apply(project)
    change(project, "buyers", "title: Buyers", "title: Customers")
    approve(project)
    (project.root / "data" / "friends.csv").write_text("email\nfriend1@example.com\nfriend2@example.com\n")
    said = bare(apply(project, "--approved", "plan.json"))
    assert "2 applied" in said
    assert "1 address has deferred member changes: run `reconciler apply sandbox" in said
    assert "1 address is left out." in said
    assert "1 applied" in apply(project, "--members-only")


def test_an_interrupted_run_resumes_with_its_approval(project: Project) -> None:
    approve(project)
    operation = ("--operation", "AddRemoveContactListByAudienceSegment")
    project.run("emulator", "fault", "sandbox", "500-before", *operation, "--after", "1", "--times", "5")
    apply(project, "--approved", "plan.json", code=8)
    assert '"completed_at": null' in head(project)
    apply(project, "--approved", "plan.json")
    assert '"completed_at": null' not in head(project)
    assert len(project.members("email")) == 5_000


def test_of_an_approval_that_is_applied_in_parts_the_rest_can_be_applied(project: Project) -> None:
    approve(project)
    for only in ("email/buyers", "customer/buyers"):
        assert "1 applied" in apply(project, "--approved", "plan.json", "--only", only)
    assert '"completed_at": null' in head(project)
    assert "No changes." in apply(project, "--approved", "plan.json")
    assert '"completed_at": null' not in head(project)


def test_an_approval_applied_by_another_run_is_completed(project: Project) -> None:
    """By a refresh, or by another approval for the same address: it must not be kept for a later day."""
    apply(project)
    project.people(*range(5_100))
    approve(project)
    assert "2 applied" in apply(project, "--members-only")
    assert "No changes." in apply(project, "--approved", "plan.json")
    project.people(*range(5_000), *range(6_000, 6_100))
    refused(project, says="was applied in full")

    change(project, "buyers", "title: Buyers", "title: Second")
    approve(project, "second.json")
    change(project, "buyers", "title: Second", "title: Third")
    approve(project, "third.json")
    both = ("--approved", "second.json", "--approved", "third.json")
    assert "2 applied" in apply(project, *both)
    change(project, "buyers", "title: Third", "title: Second")
    refused(project, says="was applied in full", approved="second.json")


def test_what_a_run_and_drift_have_saved_approves_nothing(project: Project) -> None:
    apply(project, "--out", "plan.json")
    project.people(*range(5_100))
    refused(project, says="was not saved by `reconciler plan`, and approves nothing")
    project.run("drift", "sandbox", "--out", "plan.json")
    refused(project, says="was not saved by `reconciler plan`, and approves nothing")


def test_a_refresh_brings_members_up_to_date_and_nothing_else(project: Project) -> None:
    before = len(project.writes()) if (project.root / ".reconciler").exists() else 0
    said = apply(project, "--members-only", code=STALE)
    assert said.count("it is to be created; --members-only changes members only") == 2
    assert len(project.writes()) == before
    apply(project)
    project.people(*range(100, 5_100))
    assert "2 applied" in apply(project, "--members-only")
    assert len(project.members("email")) == 5_000

    before = len(project.writes())
    change(project, "buyers", "title: Buyers", "title: Customers")
    assert "its definition is not the one that was applied" in bare(
        apply(project, "--members-only", code=STALE)
    )
    (project.root / "environments" / "sandbox" / "buyers.yaml").unlink()
    add_friends(project)
    assert "it is to be forgotten" in apply(project, "--members-only", code=STALE)
    assert len(project.writes()) == before


def test_a_name_changed_outside_does_not_stop_members(project: Project) -> None:
    apply(project)
    with project.emulator() as emulator:
        segment = next(one for one in emulator.segments() if "(email)" in one.name)
        emulator.rename_by_hand(segment.id, "Mine (email)")
    project.people(*range(100, 5_000))
    said = bare(apply(project, "--members-only"))
    assert "2 applied" in said
    assert "1 address has a name or description at Criteo that is to be set again, and stays as it" in said
    assert len(project.members("email")) == 4_900
    assert "the name changed outside reconciler" in project.run("plan", "sandbox").said


def test_guards_stand_in_a_refresh_and_under_an_approval(project: Project) -> None:
    change(project, "environment", "maxShrink: 100%", "maxShrink: 20%")
    apply(project)
    project.people(*range(5_010))
    approve(project)
    project.people(*range(1_000))
    before = len(project.writes())
    for terms in (("--members-only",), ("--approved", "plan.json")):
        assert "80% of members would be removed" in apply(project, *terms, code=5)
    assert len(project.writes()) == before


def test_a_guard_that_is_loosened_beside_the_review_lets_nothing_through(project: Project) -> None:
    change(project, "environment", "maxShrink: 100%", "maxShrink: 20%")
    apply(project)
    add_friends(project)
    approve(project)
    change(project, "environment", "maxShrink: 20%", "maxShrink: 100%")
    assert "to record: " in project.run("plan", "sandbox").said
    refused(project, says="its definition is not the approved one")
    project.people(*range(1_000))
    before = len(project.writes())
    assert "its definition is not the one that was applied" in apply(project, "--members-only", code=STALE)
    assert len(project.writes()) == before


def test_another_endpoint_is_more_than_a_refresh(project: Project) -> None:
    apply(project)
    change(project, "environment", "endpoint: emulator", "endpoint: emulator, tokenUrl: https://x.example/t")
    project.people(*range(5_010))
    assert "its definition is not the one that was applied" in apply(project, "--members-only", code=STALE)


def test_a_pinned_source_sends_only_the_people_that_were_approved(project: Project) -> None:
    change(project, "buyers", '["people.csv"]}', '["people.csv"], pinned: true}')
    assert "its source is pinned" in apply(project, code=STALE)
    approve(project)
    refused(project, says="the plan is older than the state")
    change(project, "buyers", ", pinned: true", "")
    apply(project)
    change(project, "buyers", '["people.csv"]}', '["people.csv"], pinned: true}')
    project.people(*range(5_050))
    approve(project)
    project.people(*range(1, 5_051))
    refused(project, says="its members are not the approved ones")
    project.people(*range(5_050))
    assert "2 applied" in apply(project, "--approved", "plan.json")
    project.people(*range(5_060))
    assert "2 addresses have other members in a pinned source" in bare(apply(project, "--members-only"))
    assert len(project.members("email")) == 5_050


def test_a_blocked_plan_can_be_shown_but_not_applied(project: Project) -> None:
    apply(project)
    change(project, "environment", "maxShrink: 100%", "maxShrink: 20%")
    project.people(*range(1_000))
    project.run("plan", "sandbox", "--out", "plan.json", code=5)
    assert "80% of members would be removed" in project.run("show", "plan.json").said
    project.people(*range(4_900))
    refused(project, says="it is a plan that could not be made or applied: see `reconciler show plan.json`")


def test_a_stale_plan_can_be_shown_but_not_applied(project: Project) -> None:
    approve(project)
    shown = project.run("show", "plan.json").said
    too_old(project)
    assert project.run("show", "plan.json", "--markdown", "plan.md", "--html", "plan.html").said == ""
    assert project.run("show", "plan.json").said == shown
    refused(project, says="maxAge 3 days")
    assert re.match(r"<!-- reconciler: sandbox -->\n", (project.root / "plan.md").read_text())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--approved", "plan.json", "--members-only"),
        ("--approved-digest", A_DIGEST),
        ("--approved", "a", "--approved", "b", "--approved-digest", A_DIGEST),
        ("--json", "--events", "-"),
        ("--out", "a.json", "--events", "a.json"),
        ("--html", "-"),
        ("--members-only", "--data-root", "data"),
        ("--approved", "a", "--data-root", "data"),
    ],
)
def test_what_makes_no_sense_together_is_a_usage_error(project: Project, arguments: tuple[str, ...]) -> None:
    assert "Error:" in apply(project, *arguments, code=64)


@pytest.mark.parametrize("digest", ["sha256:0", A_DIGEST.upper(), A_DIGEST[:-1], "0" * 64])
def test_what_is_no_digest_is_a_usage_error(project: Project, digest: str) -> None:
    said = bare(apply(project, "--approved", "plan.json", "--approved-digest", digest, code=64))
    assert "write sha256: and 64 hex digits" in said


def test_one_file_given_twice_is_a_usage_error(project: Project) -> None:
    (project.root / "sub").mkdir()
    said = apply(project, "--approved", "plan.json", "--approved", "sub/../plan.json", code=64)
    assert "--approved names one file twice" in bare(said)


def test_what_is_no_plan_can_not_be_shown(project: Project) -> None:
    project.run("show", "nope.json", code=3)
    (project.root / "plan.md").write_text("<!-- reconciler: sandbox -->")
    assert "it is no plan" in project.run("show", "plan.md", code=3).said
    approve(project)
    another_format(project)
    assert "its format is another one than 2.x" in project.run("show", "plan.json", code=3).said
    approve(project)
    tampered(project)
    assert "it was changed after it was saved" in project.run("show", "plan.json", code=STALE).said


def test_what_the_refresh_has_begun_keeps_nothing_else_away(project: Project) -> None:
    apply(project)
    project.people(*range(2_000, 7_000))
    add_friends(project)
    friends = project.root / "environments" / "sandbox" / "friends.yaml"
    approve(project)
    text = friends.read_text()
    friends.unlink()
    assert "2 applied" in apply(project, "--members-only")
    friends.write_text(text)
    project.people(*range(2_050, 7_050))
    said = bare(apply(project, "--approved", "plan.json"))
    assert "1 applied" in said
    assert "2 addresses have deferred member changes" in said
    assert '"completed_at": null' not in head(project)


def test_an_approval_is_not_used_up_where_its_change_is_lacking(project: Project) -> None:
    """A checkout without the change has nothing to do; the right one still may do all of it."""
    apply(project)
    add_friends(project)
    approve(project)
    friends = project.root / "environments" / "sandbox" / "friends.yaml"
    text = friends.read_text()
    friends.unlink()
    refused(project, says="plan.json: approved but not in these manifests: email/friends")
    friends.write_text(text)
    assert "1 applied" in apply(project, "--approved", "plan.json")


def test_an_unreadable_old_approval_is_ignored(project: Project) -> None:
    apply(project)
    project.people(*range(5_100))
    for happens in (another_major_version, another_format, another_environment):
        approve(project)
        happens(project)
        (project.root / "plan.json").rename(project.root / f"{happens.__name__}.json")
    others = ("another_major_version", "another_format", "another_environment")
    old = [part for name in others for part in ("--approved", f"{name}.json")]
    said = apply(project, *old, code=STALE)
    assert said.count(".json: ") == len(others)
    approve(project)
    assert "2 applied" in apply(project, *old, "--approved", "plan.json")
    assert head(project).count('"completed_at"') == 1


def test_all_files_that_are_not_what_was_approved_are_reported_at_once(project: Project) -> None:
    for name in ("first.json", "second.json", "third.json"):
        approve(project, name)
    for name in ("first.json", "second.json"):
        (project.root / name).rename(project.root / "plan.json")
        tampered(project)
        (project.root / "plan.json").rename(project.root / name)
    every = ("first.json", "second.json", "third.json", "nope.json")
    said = apply(project, *(part for name in every for part in ("--approved", name)), code=STALE)
    assert said.count("it was changed after it was saved") == 2
    assert "nope.json: there is no such file" in said
    assert "3 problems" in said


def test_an_approval_for_another_environment_is_refused_before_anything_is_asked(project: Project) -> None:
    approve(project)
    another_environment(project)
    shutil.rmtree(project.root / ".reconciler")
    said = bare(apply(project, "--approved", "plan.json", code=STALE))
    assert said.count("approved for production, not sandbox") == 1
    assert not (project.root / ".reconciler").exists()


def test_only_approvals_that_a_run_carries_out_are_started(project: Project) -> None:
    apply(project)
    add_friends(project)
    first = approve(project, "friends.json")
    (project.root / "environments" / "sandbox" / "friends.yaml").rename(project.root / "friends.yaml")
    change(project, "buyers", "title: Buyers", "title: Customers")
    second = approve(project, "renamed.json")
    (project.root / "friends.yaml").rename(project.root / "environments" / "sandbox" / "friends.yaml")
    both = ("--approved", "friends.json", "--approved", "renamed.json")
    assert "1 applied" in apply(project, *both, "--only", "email/friends")
    assert first in head(project)
    assert second not in head(project)


def test_what_a_run_saves_names_its_approvals(project: Project) -> None:
    digest = approve(project)
    forms = ("--out", "run.json", "--markdown", "run.md", "--html", "run.html", "--events", "run.ndjson")
    apply(project, "--approved", "plan.json", *forms)
    assert json.loads((project.root / "run.json").read_text())["document"]["approvals"] == [digest]
    events = map(json.loads, (project.root / "run.ndjson").read_text().splitlines())
    assert [one["approvals"] for one in events if one["type"] == "plan_created"] == [[digest]]
    for name in ("run.md", "run.html"):
        assert digest in (project.root / name).read_text()


def test_only_people_count_as_people_of_a_pinned_source(project: Project) -> None:
    apply(project)
    change(project, "buyers", '["people.csv"]}', '["people.csv"], pinned: true}')
    approve(project)
    apply(project, "--approved", "plan.json")
    with project.emulator() as emulator:
        segment = next(one for one in emulator.segments() if "(email)" in one.name)
        emulator.rename_by_hand(segment.id, "Mine (email)")
    said = bare(apply(project, "--members-only"))
    assert "pinned source" not in said
    assert "1 address has a name or description at Criteo that is to be set again" in said
