"""A query in a file of SQL is what it would be in the manifest; a file that is not plain text is refused."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from support.manifest_project import Project

from reconciler.core.errors import ConfigurationError
from reconciler.core.model import Query, SourceLocation
from reconciler.manifests import load
from reconciler.manifests.code_owners import reserved
from reconciler.members.queries.databases import Databases
from reconciler.members.source_check import check_all

CONNECTION = "kind: Connection\nname: crm\ndriver: sqlite\nfile: crm.sqlite\n"
SQL = "SELECT email, customer_id\nFROM customers\nWHERE last_order < :today\n"
FILE = "environments/sandbox/audiences/lapsed.sql"
INLINE = "sql: |\n      " + SQL.replace("\n", "\n      ").rstrip(" ")


def made(tmp_path: Path, query: str = "file: lapsed.sql\n", text: str | None = SQL) -> Project:
    """Return a project whose audience has a query, and the file beside its manifest."""
    project = Project(tmp_path)
    (project.folder / "connections.yaml").write_text(CONNECTION)
    audience = project.folder / "audiences" / "lapsed.yaml"
    before, _, after = audience.read_text().partition("source:\n")
    source = f"source:\n  query:\n    connection: crm\n    {query}"
    audience.write_text(before + source + after[after.index("columns:") :])
    if text is not None:
        (tmp_path / FILE).write_text(text)
    return project


def queried(tmp_path: Path) -> Query:
    query = load(tmp_path, "sandbox").audiences[0].source.query
    assert query
    return query


def refused(tmp_path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as found:
        load(tmp_path, "sandbox")
    return [f"{one.where}: {one.problem} → {one.remedy}" for one in found.value.findings]


def test_its_text_is_the_query(tmp_path: Path) -> None:
    made(tmp_path / "file")
    made(tmp_path / "inline", INLINE, None)
    [file, inline] = (load(tmp_path / name, "sandbox") for name in ("file", "inline"))
    assert queried(tmp_path / "file").sql == queried(tmp_path / "inline").sql == SQL
    assert [one.definition for one in file.segments] == [one.definition for one in inline.segments]
    assert queried(tmp_path / "file").place == SourceLocation(FILE, 1, 1)
    assert str(file.audiences[0].source.place).startswith("environments/sandbox/audiences/lapsed.yaml:")
    assert not [one for one in file.notes if "no audience uses" in one]


def test_it_may_be_below_the_manifest(tmp_path: Path) -> None:
    project = made(tmp_path, "file: sql/lapsed.v2.sql\n", None)
    (project.folder / "audiences" / "sql").mkdir()
    (project.folder / "audiences" / "sql" / "lapsed.v2.sql").write_text(SQL)
    assert queried(tmp_path).sql == SQL


@pytest.mark.parametrize("written", [f"\ufeff{SQL}", SQL.replace("\n", "\r\n"), SQL.replace("\n", "\r")])
def test_marks_and_line_breaks_of_an_editor_are_no_change(tmp_path: Path, written: str) -> None:
    made(tmp_path)
    before = load(tmp_path, "sandbox").segments[0].definition
    (tmp_path / FILE).write_bytes(written.encode())
    assert load(tmp_path, "sandbox").segments[0].definition == before


def test_it_is_read_to_its_last_byte_and_no_further(tmp_path: Path) -> None:
    made(tmp_path, text="SELECT 1 --" + "é" * 99_988 + "x")
    query = queried(tmp_path)
    assert (len(query.sql), query.sql[-1]) == (100_000, "x")
    for larger in ("é" * 99_999 + " x", "x" * 400_001, "x" * 50_000_000):
        (tmp_path / FILE).write_text(larger)
        [found] = refused(tmp_path)
        assert found.startswith(f"{FILE}:1:1: the file has more than 100,000 characters → ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", f"{FILE}:1:1: the file is empty"),
        (b"\xef\xbb\xbf \r\n\t", f"{FILE}:1:1: the file is empty"),
        (b"SELECT email\nFROM \x00customers", f"{FILE}:2:6: a control character (U+0000) → remove it"),
        (b"-- by ann@example.com\nSELECT 1", f"{FILE}:1:1: this looks like an e-mail address"),
        ("SELECT\n '\u202e'".encode(), f"{FILE}:2:3: an invisible character: RIGHT-TO-LEFT OVERRIDE"),
        (b"SELECT 'caf\xe9'", f"{FILE}:1:12: a byte that is not UTF-8"),
        ("SELECT 1".encode("utf-16"), f"{FILE}:1:1: the file is UTF-16, not UTF-8"),
        (b"SELECT 1\n<<<<<<< production\n", f"{FILE}:2:1: a merge conflict that is not resolved"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    made(tmp_path)
    (tmp_path / FILE).write_bytes(content)
    [found] = refused(tmp_path)
    assert found.startswith(said)


def is_gone(file: Path) -> str:
    file.unlink()
    return f"there is no file {FILE}"


def is_a_folder(file: Path) -> str:
    file.unlink()
    file.mkdir()
    return f"{FILE} can't be read"


def is_a_pipe(file: Path) -> str:
    file.unlink()
    os.mkfifo(file)
    return f"{FILE} can't be read"


def is_a_device(file: Path) -> str:
    file.unlink()
    file.symlink_to("/dev/zero")
    return f"a link is on the way to {FILE}"


def is_a_link(file: Path) -> str:
    file.rename(file.with_name("other.sql"))
    file.symlink_to("other.sql")
    return f"a link is on the way to {FILE}"


@pytest.mark.parametrize("change", [is_gone, is_a_folder, is_a_pipe, is_a_device, is_a_link])
def test_what_is_no_file_is_refused_at_its_name(tmp_path: Path, change: Callable[[Path], str]) -> None:
    made(tmp_path)
    said = change(tmp_path / FILE)
    [found] = refused(tmp_path)
    assert found.startswith(f"environments/sandbox/audiences/lapsed.yaml:9:11: {said} → ")


def test_a_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    project = made(tmp_path, "file: sql/lapsed.sql\n", None)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "lapsed.sql").write_text(SQL)
    (project.folder / "audiences" / "sql").symlink_to(tmp_path / "elsewhere")
    said = "a link is on the way to environments/sandbox/audiences/sql/lapsed.sql"
    assert said in refused(tmp_path)[0]


@pytest.mark.parametrize(
    "path",
    [
        "../lapsed.sql",
        "a/../lapsed.sql",
        "/etc/lapsed.sql",
        "./lapsed.sql",
        ".git/lapsed.sql",
        "lapsed.txt",
        "a//lapsed.sql",
        "C:lapsed.sql",
        "a\\lapsed.sql",
        "lapsed.sql/",
        "lapsed*.sql",
        "~/lapsed.sql",
        "ä.sql",
    ],
)
def test_a_path_stays_below_its_manifest(tmp_path: Path, path: str) -> None:
    made(tmp_path, f"file: {path!r}\n")
    [found] = refused(tmp_path)
    assert "`file` is not written as it must be → write the path of a .sql file" in found


def test_a_query_has_one_text(tmp_path: Path) -> None:
    made(tmp_path, "file: lapsed.sql\n    sql: SELECT 1\n")
    assert "`query` has `sql` and `file` → keep one of the two" in refused(tmp_path)[0]
    made(tmp_path, "freshness: SELECT 1\n")
    assert "`sql` is missing from `query`" in refused(tmp_path)[0]


def test_an_invisible_character_is_refused_in_a_manifest_too(tmp_path: Path) -> None:
    made(tmp_path, 'sql: "SELECT 1 --\u200b"\n    freshness: "SELECT 2 --\u200b"\n')
    assert ["ZERO WIDTH SPACE" in one for one in refused(tmp_path)] == [True, True]


def test_audiences_share_a_file_and_an_unused_one_is_noted(tmp_path: Path) -> None:
    project = made(tmp_path)
    lapsed = project.folder / "audiences" / "lapsed.yaml"
    second = lapsed.read_text().replace("lapsed-90d", "second").replace("Lapsed", "Second")
    (project.folder / "audiences" / "second.yaml").write_text(second)
    (project.folder / "old.sql").write_text("")
    desired = load(tmp_path, "sandbox")
    queries = [one.source.query for one in desired.audiences if one.source.query]
    assert [(one.sql, one.place.file) for one in queries] == [(SQL, FILE), (SQL, FILE)]
    assert "environments/sandbox/old.sql: no audience uses this file" in desired.notes


def test_a_mistake_is_found_at_its_line_in_the_file_once(tmp_path: Path) -> None:
    project = made(tmp_path, text="-- all\nSELECT email,\n  pg_sleep(9)\nFROM customers\n")
    lapsed = project.folder / "audiences" / "lapsed.yaml"
    second = lapsed.read_text().replace("lapsed-90d", "second").replace("Lapsed", "Second")
    (project.folder / "audiences" / "second.yaml").write_text(second)
    desired = load(tmp_path, "sandbox")
    databases = Databases({one.name: one.reading for one in desired.connections})
    found = check_all(
        desired.audiences, "absent", date(2026, 11, 30), tmp_path, project=tmp_path, databases=databases
    )
    assert [one.where for one in found] == [f"{FILE}:3:3"]


def test_admins_own_the_query_of_a_reserved_audience(tmp_path: Path) -> None:
    project = made(tmp_path)
    assert FILE not in reserved(tmp_path)
    destinations = project.folder / "destinations.yaml"
    destinations.write_text(destinations.read_text().replace("adminOnly: false", "adminOnly: true"))
    assert FILE in reserved(tmp_path)
