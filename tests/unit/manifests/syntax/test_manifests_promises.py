"""All findings together are complete, sorted, and free of values."""

from pathlib import Path

import pytest
from support.manifest_project import FILES, Project

from reconciler.core.errors import ConfigurationError
from reconciler.manifests import load
from reconciler.manifests.syntax.files import parse
from reconciler.manifests.syntax.nodes import walk

pytestmark = pytest.mark.promise("refused-early")

MARKER = "Marker"
SPELLINGS = (
    f"{MARKER} 7!",
    f"'{MARKER}/7:x # y'",
    f"{MARKER}@acme.example",
    f"{MARKER} # 7",
    f"*{MARKER}",
    f"@{MARKER}",
    f"!{MARKER} x",
    f"&{MARKER} x",
    f"a: {MARKER}",
    f"'{MARKER}",
    f'"{MARKER}\\q"',
    f"[{MARKER}, {MARKER}]",
    f"[[{MARKER}",
    f"{{a:{MARKER}}}",
    f"{{a: {MARKER}",
    f"https://{MARKER}:x@acme.example",
    f"env:{MARKER} 7",
    f"{MARKER}\n  x: {MARKER}",
)


def values() -> list[tuple[str, int, int]]:
    """File, start and end of every value in the small project."""
    return [
        (name, node.start, node.end)
        for name, text in FILES.items()
        for document in parse(text, name).documents
        for key, node in walk(document.root)
        if key
    ]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_value_is_echoed(tmp_path: Path, spelling: str) -> None:
    """No finding and no note repeats any value."""
    project = Project(tmp_path)
    broken = 0
    for name, start, end in values():
        text = FILES[name]
        project.write(name, text[:start] + spelling + text[end:])
        findings = project.findings()
        broken += bool(findings)
        messages = [*map(str, findings)]
        if not findings:
            messages += load(project.root, "sandbox").notes
        assert not [line for line in messages if MARKER.casefold() in line.casefold()], (
            name,
            text[start:end],
        )
        project.write(name, text)
    assert broken > len(values()) / 2


@pytest.mark.parametrize("spelling", [MARKER, f"{MARKER}@acme.example", f"'{MARKER}"])
@pytest.mark.parametrize("name", FILES)
def test_no_whole_file_is_echoed(tmp_path: Path, name: str, spelling: str) -> None:
    """A file that is no manifest at all may be a list of people."""
    project = Project(tmp_path)
    project.write(name, f"{spelling}\n{spelling}\n")
    assert project.findings()
    assert not [one for one in project.findings() if MARKER.casefold() in str(one).casefold()]


def test_every_problem_of_every_file_is_reported_at_once(tmp_path: Path) -> None:
    """Syntax, traps, schema and links, in several files, sorted by place."""
    project = Project(tmp_path)
    places = [
        project.write("audiences/a.yaml", "kind: Audience\ntitle: ‸@a\n---\nkind: Audience\n"),
        project.edit("audiences/lapsed.yaml", "maxAge: 36h", "maxAge: ‸36"),
        project.edit("credentials.yaml", "env:CRITEO_CLIENT_SECRET", "‸hunter2"),
        project.edit("destinations.yaml", "seat: acme", "seat: ‸acne"),
        project.edit("environment.yaml", "name: sandbox", "name: ‸no"),
    ]
    messages = [finding.where for finding in project.findings()]
    assert set(places) <= set(messages)
    assert len([where for where in messages if "audiences/a.yaml:4:1" in where]) == 5
    assert messages == sorted(
        messages, key=lambda where: (where.split(":")[0], *map(int, where.split(":")[1:]))
    )


def test_a_syntax_error_hides_neither_other_documents_nor_invents_dangling_links(tmp_path: Path) -> None:
    """The lost document may be what others refer to, so nothing is said of links."""
    project = Project(tmp_path)
    broken = project.edit("destinations.yaml", "description: Offsite", "description: ‸@Offsite")
    second = project.edit("destinations.yaml", "identifierType: CustomerId", "identifierType: ‸Customer")
    assert [finding.where for finding in project.findings()] == [broken, second]


def test_one_place_has_one_message(tmp_path: Path) -> None:
    """An e-mail address as a name breaks three rules; one is worth telling."""
    project = Project(tmp_path)
    project.edit("audiences/lapsed.yaml", "name: lapsed-90d", "name: ada@acme.example")
    assert len(project.findings()) == 1


def test_the_error_says_how_many_and_where(tmp_path: Path) -> None:
    """The headline of exit code 3."""
    project = Project(tmp_path)
    project.edit("audiences/lapsed.yaml", "maxAge: 36h", "maxAge: 36")
    with pytest.raises(ConfigurationError) as caught:
        load(project.root, "sandbox")
    assert caught.value.exit_code == 3
    assert str(caught.value) == "a problem in environments/sandbox"
    (finding,) = caught.value.findings
    assert str(finding).splitlines() == [
        "environments/sandbox/audiences/lapsed.yaml:9:11: `maxAge` is not written as it must be",
        "  → write a number and a unit: 90s, 30m, 36h or 3d",
    ]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("audiences/lapsed.yaml", "name: lapsed-90d", 'name: "no"'),
        ("audiences/lapsed.yaml", "name: lapsed-90d", "name: '010'"),
        ("audiences/lapsed.yaml", "title: Lapsed buyers", 'title: "2026-11-24"'),
        ("audiences/lapsed.yaml", "title: Lapsed buyers", 'title: "Lapsed #1: 50% @home *"'),
        ("audiences/lapsed.yaml", "title: Lapsed buyers", "title: Lapsed#1, 50% @home *"),
        ("audiences/lapsed.yaml", "title: Lapsed buyers", "title: 2026-11-24 and later"),
        ("audiences/lapsed.yaml", "title: Lapsed buyers", "title: Nothing"),
        ("audiences/lapsed.yaml", "name: lapsed-90d", "name: lapsed-90d  # stable"),
        (
            "audiences/lapsed.yaml",
            '"last_order < :today - interval 90 day"',
            "email not like '%@acme.example'",
        ),
        ("audiences/lapsed.yaml", '"last_order < :today - interval 90 day"', "|\n    a < 1\n    and b = '#'"),
        ("audiences/lapsed.yaml", '"last_order < :today - interval 90 day"', "orders +10 > 20 + 12345678"),
        ("environment.yaml", "rows: 1000", 'rows: "1000"'),
        ("environment.yaml", "maxGrowth: 100%", "maxGrowth: 120.5%"),
        ("environment.yaml", "minMembers: 1", "minMembers: 0"),
        ("environment.yaml", "endpoint: emulator", "endpoint: http://127.0.0.1:8080/v"),
        ("environment.yaml", "endpoint: emulator", "endpoint: http://localhost"),
        ("environment.yaml", "emulator,", "emulator, gracePeriod: 3m, timeout: 90s, batchSize: 50000,"),
        ("environment.yaml", "data: {root: data}", "data: {root: ./data/}"),
        (
            "destinations.yaml",
            "hashing: sha256\naccess: {adminOnly: false, pii: hashed}",
            "access: {pii: raw}",
        ),
        ("credentials.yaml", "env:CRITEO_CLIENT_SECRET", "vault:secret/data/criteo#client_secret"),
        ("credentials.yaml", "env:CRITEO_CLIENT_SECRET", "command:pass show criteo"),
        ("credentials.yaml", "authorizationCode", "clientCredentials"),
        ("credentials.yaml", "kind: Credential\n", "%YAML 1.2\n---\nkind: Credential\n"),
        ("credentials.yaml", "kind: Credential\n", "# only a comment\n---\n---\nkind: Credential\n"),
    ],
)
def test_what_is_right_stays_right(tmp_path: Path, file: str, old: str, new: str) -> None:
    """No rule is so eager that it refuses these."""
    project = Project(tmp_path)
    project.edit(file, old, new)
    assert [str(finding) for finding in project.findings()] == []
