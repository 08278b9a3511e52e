"""The result of loading: core values, merged guards, rendered names, notes."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.manifest_project import FILES, Project, others

from reconciler.core.credential import Application
from reconciler.core.errors import ConfigurationError
from reconciler.core.model import (
    Address,
    Guards,
    Hashing,
    IdentifierType,
    Retention,
    Seat,
    SegmentKey,
    SourceLocation,
)
from reconciler.core.plan.names import LONGEST
from reconciler.manifests import load
from reconciler.manifests.checks import segment_names as naming


def test_everything_declared_arrives(tmp_path: Path) -> None:
    """One look at every field."""
    Project(tmp_path)
    desired = load(tmp_path, "sandbox")
    environment, (credential,), (audience,) = desired.environment, desired.credentials, desired.audiences
    assert (environment.api.endpoint, environment.api.version) == ("emulator", "2026-07")
    assert environment.api.emulated
    assert not replace(environment.api, endpoint="https://api.criteo.com").emulated
    assert environment.state_url == "file:.reconciler/state/sandbox"
    assert environment.data_root == "data"
    assert environment.seats == (("acme", Seat("368477501993431040", "3239117063738827231")),)
    assert environment.sample_rows == 1000
    assert environment.guards == Guards(0.2, 1.0, 1, 0.1, 0.1)
    application = credential.writing.application
    assert (application.grant, application.refresh_token) == ("authorizationCode", "state:criteo")
    assert application.client_secret == "env:CRITEO_CLIENT_SECRET"
    assert (application.pkce, credential.reading) == (False, credential.writing)
    assert environment.sealing_key == "env:RECONCILER_STATE_KEY"
    assert audience.source.files == ("customers/*.csv",)
    assert audience.source.max_age == timedelta(hours=36)
    assert audience.columns == ((IdentifierType.EMAIL, "email"), (IdentifierType.CUSTOMER_ID, "customer_id"))
    assert audience.exclusion_lists[0].columns == ((IdentifierType.EMAIL, "email"),)
    assert audience.guards == Guards(0.1, 1.0, 1, 0.1, 0.1)
    assert others(desired.notes) == ()


def test_an_environment_names_the_keys_of_its_snapshots(tmp_path: Path) -> None:
    project = Project(tmp_path)
    file = project.folder / "environment.yaml"
    declared = file.read_text()
    state = next(line for line in declared.splitlines() if line.startswith("state:"))
    environment = load(tmp_path, "sandbox").environment
    assert (environment.snapshot_key, environment.earlier_snapshot_keys) == ("", ())
    keys = 'snapshotKey: "env:NEW", earlierSnapshotKeys: ["file:old.key", "vault:kv/old#key"]'
    file.write_text(declared.replace(state, state.replace("}", f", {keys}}}")))
    environment = load(tmp_path, "sandbox").environment
    assert environment.snapshot_key == "env:NEW"
    assert environment.earlier_snapshot_keys == ("file:old.key", "vault:kv/old#key")


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ('snapshotKey: "env:RECONCILER_STATE_KEY"', "able to read tokens"),
        ('snapshotKey: "env:MINE", sealingKey: "env:MINE"', "able to read tokens"),
        ('snapshotKey: "state:mine"', "refer to the key, never write it here"),
        ('earlierSnapshotKeys: ["YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY="]', "never write it here"),
    ],
)
def test_the_key_of_snapshots_is_another_one_and_a_reference(tmp_path: Path, keys: str, problem: str) -> None:
    project = Project(tmp_path)
    file = project.folder / "environment.yaml"
    declared = file.read_text()
    state = next(line for line in declared.splitlines() if line.startswith("state:"))
    file.write_text(declared.replace(state, state.replace("}", f", {keys}}}")))
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, "sandbox")
    text = "\n".join(map(str, caught.value.findings))
    assert problem in text
    assert "YWJj" not in text


def test_an_environment_limits_its_saved_versions(tmp_path: Path) -> None:
    """The default is 20 of any age; each limit can be set alone."""
    project = Project(tmp_path)
    file = project.folder / "environment.yaml"
    declared = file.read_text()
    state = next(line for line in declared.splitlines() if line.startswith("state:"))
    assert load(tmp_path, "sandbox").environment.retention == Retention(versions=20, age=None)
    for keep, expected in (
        ("{days: 30}", Retention(20, timedelta(days=30))),
        ("{versions: 3}", Retention(3, None)),
        ('{versions: 3, days: "7"}', Retention(3, timedelta(days=7))),
    ):
        file.write_text(declared.replace(state, state.replace("{", f"{{keep: {keep}, ", 1)))
        assert load(tmp_path, "sandbox").environment.retention == expected


def test_an_application_of_its_own_reads(tmp_path: Path) -> None:
    """Pull-request jobs then hold no power to write."""
    project = Project(tmp_path)
    planning = """\
pkce: true
plan: {grant: clientCredentials, clientId: env:PLAN_ID, clientSecret: "command:pass criteo/plan"}
"""
    file = project.folder / "credentials.yaml"
    file.write_text(file.read_text() + planning)
    (credential,) = load(tmp_path, "sandbox").credentials
    assert credential.writing.application.pkce
    assert credential.reading.application == Application(
        "clientCredentials", "env:PLAN_ID", "command:pass criteo/plan"
    )
    assert [str(role) for role in credential.roles()] == ["criteo", "criteo (plan)"]
    assert credential.reading.login("sandbox") == "`reconciler auth login sandbox criteo --plan`"


def test_segments_are_sorted_by_address_and_named_for_people(tmp_path: Path) -> None:
    """Prefix, title, and the destination's name in brackets."""
    Project(tmp_path)
    email, customer = load(tmp_path, "sandbox").segments
    assert email.address == Address("offsite-email", "lapsed-90d")
    assert email.name == "[sandbox] Lapsed buyers (offsite-email)"
    assert email.description == "Nothing in 90 days"
    assert email.key == SegmentKey(
        "368477501993431040", "3239117063738827231", IdentifierType.EMAIL, Hashing.SHA256
    )
    assert customer.name == "[sandbox] Lapsed buyers (onsite-customer)"
    assert customer.key.hashing is Hashing.NONE


def test_places_point_at_what_people_must_change(tmp_path: Path) -> None:
    """Other checks report through these."""
    Project(tmp_path)
    spec = load(tmp_path, "sandbox").segments[1]
    file = "environments/sandbox/audiences/lapsed.yaml"
    assert spec.place == SourceLocation(file, 5, 31)
    assert spec.audience.place == SourceLocation(file, 2, 7)
    assert spec.audience.source.place == SourceLocation(file, 7, 3)
    assert spec.audience.source.where_place == SourceLocation(file, 8, 10)
    assert spec.audience.exclusion_lists[0].place == SourceLocation(file, 12, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("36h", timedelta(hours=36)),
        ("3d", timedelta(days=3)),
    ],
)
def test_durations(tmp_path: Path, text: str, expected: timedelta) -> None:
    """A number and a unit."""
    project = Project(tmp_path)
    project.edit("audiences/lapsed.yaml", "36h", text)
    assert load(tmp_path, "sandbox").audiences[0].source.max_age == expected


def test_a_name_suffix_replaces_the_default(tmp_path: Path) -> None:
    """An empty one leaves the title alone."""
    project = Project(tmp_path)
    project.edit("destinations.yaml", "seat: acme", 'seat: acme\nnameSuffix: ""')
    assert load(tmp_path, "sandbox").segments[0].name == "[sandbox] Lapsed buyers"


@pytest.mark.parametrize("title", ["Lapsed buyers", "LAPSED buyers"])
def test_names_are_unique_per_account_whatever_their_case(tmp_path: Path, title: str) -> None:
    """Both places are named; the first keeps the name."""
    project = Project(tmp_path)
    other = FILES["audiences/lapsed.yaml"].replace("lapsed-90d", "other").replace("Lapsed buyers", title)
    project.write("audiences/other.yaml", other)
    reported = project.findings()
    assert [finding.where.rpartition("/")[2] for finding in reported] == [
        "other.yaml:5:16",
        "other.yaml:5:31",
    ]
    assert "same name as offsite-email/lapsed-90d" in reported[0].problem
    assert "lapsed.yaml:5:16" in reported[0].problem


def test_one_name_in_two_accounts_is_fine(tmp_path: Path) -> None:
    """Uniqueness is per account, not per environment."""
    project = Project(tmp_path)
    project.edit("destinations.yaml", "hashing: sha256", "hashing: sha256\nnameSuffix: x")
    project.edit(
        "destinations.yaml", "identifierType: CustomerId", "identifierType: CustomerId\nnameSuffix: X"
    )
    assert len(project.findings()) == 1
    project.edit("environment.yaml", "  acme:", '  other: {accountId: "1", retailerId: "2"}\n  acme:')
    project.edit("destinations.yaml", "seat: acme\nidentifierType: C", "seat: other\nidentifierType: C")
    assert project.findings() == ()


def test_what_nothing_uses_is_noted_not_refused(tmp_path: Path) -> None:
    """A destination may be ahead of its first audience."""
    project = Project(tmp_path)
    project.edit("audiences/lapsed.yaml", ", onsite-customer]", "]")
    project.edit("environment.yaml", "  acme:", '  other: {accountId: "1", retailerId: "2"}\n  acme:')
    spare = FILES["credentials.yaml"].replace("name: criteo", "name: spare").replace("state:", "state:spare-")
    project.write("more.yaml", spare)
    assert others(load(tmp_path, "sandbox").notes) == (
        "environments/sandbox/destinations.yaml:11:7: no audience uses this destination",
        "environments/sandbox/more.yaml:2:7: no destination uses this credential",
        "environments/sandbox/environment.yaml:7:3: no destination uses this seat",
    )


@pytest.mark.parametrize(
    ("version", "note"),
    [
        ("2026-01", ""),
        ("2027-01", ""),
        ("2025-10", "has ended support"),
        ("2024-10", "has ended support"),
        ("2027-07", "doesn't know this version"),
    ],
)
def test_versions_without_support_are_noted(tmp_path: Path, version: str, note: str) -> None:
    """The call may still work, so it is for a person to judge."""
    project = Project(tmp_path)
    project.edit("environment.yaml", "2026-07", version)
    notes = others(load(tmp_path, "sandbox").notes)
    assert len(notes) == bool(note)
    assert all(note in one and one.startswith("environments/sandbox/environment.yaml:3:") for one in notes)


def test_the_longest_name_is_the_core_s() -> None:
    """Two constants, one limit."""
    assert naming.LONGEST == LONGEST


def test_every_placeholder_is_reported(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.edit("environment.yaml", '"368477501993431040"', '"00"')
    project.edit("environment.yaml", "{root: data}", '{root: "s3://YOUR-BUCKET/exports"}')
    project.edit("credentials.yaml", "hooks.acme.example", "YOUR-HOST.example")
    project.edit("destinations.yaml", "Offsite campaigns", "Of YOUR-SELF")
    found = [(one.where.rpartition("/")[2], one.remedy) for one in load(tmp_path, "sandbox").placeholders]
    assert found == [
        ("credentials.yaml:7:14", "write yours in its place"),
        ("environment.yaml:5:14", "write where your exports are, such as s3://acme-cdp/exports"),
        ("environment.yaml:7:21", "write the id of your account at Criteo Retail Media, in quotes"),
    ]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("environment.yaml", "endpoint: emulator", 'endpoint: "https://api.criteo.com"'),
        (
            "environment.yaml",
            'version: "2026-07"',
            'version: "2026-07", tokenUrl: "https://tokens.example/oauth2"',
        ),
        ("environment.yaml", "root: data", "root: ./data"),
        ("environment.yaml", "rows: 1000", "rows: 1001"),
        ("environment.yaml", "maxGrowth: 100%", "maxGrowth: 101%"),
        ("environment.yaml", 'namePrefix: "[sandbox] "', 'namePrefix: "[box] "'),
        ("environment.yaml", "3239117063738827231", "3239117063738827232"),
        ("audiences/lapsed.yaml", "maxAge: 36h", "maxAge: 37h"),
        ("audiences/lapsed.yaml", "maxShrink: 10%", "maxShrink: 11%"),
        ("audiences/lapsed.yaml", "interval 90 day", "interval 91 day"),
        ("audiences/lapsed.yaml", "columns: {Email: email, ", "columns: {Email: customer_id, "),
        ("audiences/lapsed.yaml", "title: ", "title: All "),
    ],
)
def test_whatever_a_reviewer_approves_is_in_the_definition(
    file: str, old: str, new: str, tmp_path: Path
) -> None:
    project = Project(tmp_path)
    before = [spec.definition for spec in load(tmp_path, "sandbox").segments]
    project.edit(file, old, new)
    after = [spec.definition for spec in load(tmp_path, "sandbox").segments]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_phone_numbers_are_read_in_the_country_of_the_audience_or_of_its_destination(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.edit(
        "destinations.yaml",
        "identifierType: CustomerId",
        "identifierType: PhoneNumber\nhashing: sha256\ndefaultCountry: FR",
    )
    project.edit("audiences/lapsed.yaml", "CustomerId: customer_id", "PhoneNumber: phone")
    project.edit(
        "audiences/lapsed.yaml",
        '  - {files: ["suppressed.csv"], columns: {Email: email}}',
        '  - {files: ["suppressed.csv"], columns: {Email: email}}\n'
        '  - {files: ["suppressed.csv"], columns: {PhoneNumber: email}}\n'
        '  - {files: ["suppressed.csv"], columns: {PhoneNumber: email}, defaultCountry: BE}',
    )
    definitions = []
    for old, new, expected in (
        ("", "", ("FR", "", "FR", "BE")),
        (
            "columns: {Email: email, P",
            "defaultCountry: DE\ncolumns: {Email: email, P",
            ("DE", "", "DE", "BE"),
        ),
        ("defaultCountry: BE", "defaultCountry: AT", ("DE", "", "DE", "AT")),
    ):
        project.edit("audiences/lapsed.yaml", old, new)
        specs = load(tmp_path, "sandbox").segments
        audience = specs[0].audience
        assert (audience.country, *(one.country for one in audience.exclusion_lists)) == expected
        definitions += [spec.definition for spec in specs]
    assert len(set(definitions)) == len(definitions)
    project.edit("audiences/lapsed.yaml", ", defaultCountry: AT", "")
    project.edit("audiences/lapsed.yaml", "defaultCountry: DE\n", "")
    project.edit("destinations.yaml", "defaultCountry: FR", "description: none")
    assert load(tmp_path, "sandbox").segments[0].audience.country == ""


def test_the_port_of_an_emulator_is_no_part_of_the_definition(tmp_path: Path) -> None:
    project, found = Project(tmp_path), set()
    for old, new in (
        ("emulator", '"http://127.0.0.1:8400"'),
        ('"http://127.0.0.1:8400"', '"http://localhost:1"'),
    ):
        project.edit("environment.yaml", f"endpoint: {old}", f"endpoint: {new}")
        found.add(tuple(spec.definition for spec in load(tmp_path, "sandbox").segments))
    assert len(found) == 1


def test_another_credential_is_another_definition(tmp_path: Path) -> None:
    project = Project(tmp_path)
    before = [spec.definition for spec in load(tmp_path, "sandbox").segments]
    project.edit("credentials.yaml", "name: criteo", "name: other")
    for _ in before:
        project.edit("destinations.yaml", "credential: criteo", "credential: other")
    after = [spec.definition for spec in load(tmp_path, "sandbox").segments]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_how_fast_and_in_what_pieces_is_no_part_of_the_definition(tmp_path: Path) -> None:
    project = Project(tmp_path)
    before = [spec.definition for spec in load(tmp_path, "sandbox").segments]
    project.edit(
        "environment.yaml",
        'version: "2026-07"',
        'version: "2026-07", batchSize: 100, timeout: 30s, share: 50%',
    )
    project.edit("environment.yaml", "tolerance: 2%", "tolerance: 3%")
    assert [spec.definition for spec in load(tmp_path, "sandbox").segments] == before
