"""Errors are reported before the first write, with the exit code of their kind."""

import contextlib
import shutil
import sqlite3

import pytest
from support.cli import Project

from reconciler.disk.private_dir import private_directory
from reconciler.emulator import Emulator

pytestmark = pytest.mark.promise("refused-early")

CREDENTIAL = """\
kind: Credential
name: zother
grant: clientCredentials
clientId: env:ID
clientSecret: env:OTHER
"""
CUSTOMER = "name: customer\ncredential: criteo\n"


@pytest.fixture
def project(tmp_path):
    made = Project.make(tmp_path)
    made.people(*range(100))
    made.run("apply", "sandbox", "--yes")
    return made


def test_a_shrink_past_the_limit_is_refused_with_the_snippet_that_allows_it(project):
    written = len(project.writes())
    project.people(*range(50))
    said = project.run("apply", "sandbox", "--yes", code=5).said
    assert "maxShrink" in said
    assert "guards: {maxShrink: 57%}" in " ".join(said.split())
    assert len(project.writes()) == written
    manifest = project.root / "environments" / "sandbox" / "buyers.yaml"
    manifest.write_text(manifest.read_text() + "guards: {maxShrink: 50%}\n")
    project.run("apply", "sandbox", "--yes")
    assert len(project.members("customer")) == 50


def test_growth_past_the_limit_is_refused(project):
    project.people(*range(250))
    assert "maxGrowth" in project.run("plan", "sandbox", code=5).said


def test_an_empty_source_is_refused(project):
    project.people()
    assert "the source holds no rows" in project.run("apply", "sandbox", "--yes", code=5).said


def test_too_many_malformed_identifiers_are_refused(project):
    source = project.root / "data" / "people.csv"
    project.people(*range(101))
    source.write_text(source.read_text() + "".join(f"nobody{n},c{n}\n" for n in range(101, 120)))
    assert "maxInvalid" in project.run("plan", "sandbox", "--only", "email/buyers", code=5).said


def test_a_lost_state_is_reported_once(project):
    written = len(project.writes())
    shutil.rmtree(project.root / ".reconciler" / "state")
    said = " ".join(project.run("apply", "sandbox", "--yes", code=5).said.split())
    assert said.count("2 of 2 segments have this environment's ownership tag") == 1
    assert "`reconciler state rebuild sandbox`" in said
    assert len(project.writes()) == written


def test_a_segment_of_our_name_that_we_never_made_is_not_touched(project):
    written = len(project.writes())
    shutil.rmtree(project.root / ".reconciler" / "state")
    file = project.root / ".reconciler" / "emulator" / "sandbox.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE segments SET description = 'theirs'")
    said = project.run("apply", "sandbox", "--yes", code=5).said
    assert "“Buyers (email)”" in said
    assert "reconciler did not create" in " ".join(said.split())
    assert len(project.writes()) == written


def test_an_apply_without_changes_names_what_is_blocked(project):
    audience = project.root / "environments" / "sandbox" / "buyers.yaml"
    beside = (
        audience.read_text().replace("name: buyers", "name: more").replace("title: Buyers", "title: More")
    )
    (audience.parent / "more.yaml").write_text(beside.replace("people.csv", "absent.csv"))
    for command, code in (("plan", 0), ("apply", 8)):
        yes = ("--yes",) if command == "apply" else ()
        said = " ".join(project.run(command, "sandbox", *yes, code=code).said.split())
        assert "Nothing to apply: 2 addresses are blocked; all others match the manifests." in said


def test_many_missing_segments_are_lost_access(project):
    with project.emulator() as emulator:
        for segment in emulator.segments():
            emulator.delete_by_hand(segment.id)
    said = " ".join(project.run("apply", "sandbox", "--yes", code=5).said.split())
    assert "access may be lost" in said
    assert "maxMissing: 100%" in said


def test_confirmation_without_a_terminal_is_a_usage_error(project):
    project.people(*range(101))
    assert "--yes" in project.run("apply", "sandbox", code=64).said


def test_a_held_lock_names_its_holder(project):
    from reconciler.state.local_store import LocalStore

    store = LocalStore(project.root / ".reconciler/state/sandbox", "sandbox")
    with store.lock("the other run"):
        said = project.run("apply", "sandbox", "--yes", code=7).said
    assert "the other run" in said


def test_unknown_environments_and_options_are_distinguished(project):
    assert "sandbox" in project.run("plan", "sandbx", code=3).said
    project.run("plan", "sandbox", "--frobnicate", code=64)
    project.run("frobnicate", code=64)


def test_a_secret_that_is_not_there_is_named_by_its_reference(tmp_path):
    project = Project.make(tmp_path, endpoint="http://127.0.0.1:9")
    project.people(1)
    said = project.run("plan", "sandbox", code=4).said
    assert "the environment variable ID is not set" in said


@pytest.mark.parametrize("account", ["368477501993431040", "368477501993431041"])
def test_a_credential_that_can_not_connect_is_found_before_another_one_writes(tmp_path, account):
    """Even where the other one can read the same account."""
    file = private_directory(tmp_path / ".reconciler" / "emulator") / "sandbox.sqlite"
    with Emulator.open(file) as emulator, emulator.serving() as url:
        made = Project.make(tmp_path, url)
        made.people(*range(10))
        folder = tmp_path / "environments" / "sandbox"
        rest = (folder / "rest.yaml").read_text()
        other = CREDENTIAL + "---\n" + rest.replace(CUSTOMER, CUSTOMER.replace("criteo", "zother"))
        (folder / "rest.yaml").write_text(other.replace("zother\nseat: acme", "zother\nseat: other"))
        environment = (folder / "environment.yaml").read_text()
        seats = f'seats:\n  other: {{accountId: "{account}", retailerId: "3239117063738827231"}}'
        (folder / "environment.yaml").write_text(environment.replace("seats:", seats))
        for one in ("368477501993431040", account):
            emulator.ensure_account(one, ["3239117063738827231"])
        issued = emulator.credentials
        sound = {"ID": issued.client_id, "SECRET": issued.client_secret}
        said = made.run("apply", "sandbox", "--yes", code=4, **sound, OTHER="wrong").said
        assert "401 invalid_client" in said
        assert not made.writes()
        made.run("apply", "sandbox", "--yes", **sound, OTHER=issued.client_secret)
        assert len(made.members("customer")) == 10
