"""Real files: encodings, line endings, several documents, odd names, missing parts."""

from pathlib import Path

import pytest
from support.manifest_project import FILES, TODAY, Project, others

from reconciler.core.errors import ConfigurationError
from reconciler.manifests import environments, find_root, load, load_offline

pytestmark = pytest.mark.promise("refused-early")

AUDIENCE = FILES["audiences/lapsed.yaml"]


@pytest.mark.parametrize(
    "data",
    [
        AUDIENCE.replace("\n", "\r\n").encode(),
        AUDIENCE.encode("utf-8-sig"),
        AUDIENCE.replace("buyers", "Käufer 🛒").encode(),
        b"---\n" + AUDIENCE.encode() + b"...\n",
    ],
)
def test_encodings_and_line_ends_are_tolerated(tmp_path: Path, data: bytes) -> None:
    """CRLF, a byte order mark, letters beyond ASCII, document markers."""
    project = Project(tmp_path)
    project.write("audiences/lapsed.yaml", data)
    assert project.findings() == ()


@pytest.mark.parametrize(
    ("data", "where", "problem"),
    [
        (b"kind: Audience\ntitle: \xe9t\xe9\n", "2:8", "a byte that is not UTF-8"),
        (AUDIENCE.encode("utf-16"), "1:1", "UTF-16"),
        (b"", "1:1", "holds no manifest"),
        (b"# nothing\n---\n", "1:1", "holds no manifest"),
        (b"just text\n", "1:1", "a manifest is a mapping"),
        (b"- a\n- b\n", "1:1", "a manifest is a mapping"),
        ("kind: Audience\ntitle: \u2028\x00".encode(), "3:1", "control character (U+0000)"),
        ("kind: Audience\n# ü🛒\ntitle: üü@ @a: b\n".encode(), "3:14", "a second `: `"),
    ],
)
def test_unreadable_files_say_where(tmp_path: Path, data: bytes, where: str, problem: str) -> None:
    """The place counts characters, as editors do."""
    project = Project(tmp_path)
    project.write("audiences/odd.yaml", data)
    (finding,) = project.findings()
    assert finding.where == f"environments/sandbox/audiences/odd.yaml:{where}"
    assert problem in finding.problem


def test_both_endings_any_case_any_folder_and_nothing_hidden(tmp_path: Path) -> None:
    """A manifest is a file that looks like YAML and isn't hidden."""
    project = Project(tmp_path)
    for name in ("more/deep/a.yml", "B.YAML"):
        project.write(name, "kind: Nothing\n")
    for name in (".#lapsed.yaml", ".git/x.yaml", "README.md", "x.json"):
        project.write(name, "kind: Nothing\n")
    places = sorted(finding.where for finding in project.findings())
    assert places == ["environments/sandbox/B.YAML:1:7", "environments/sandbox/more/deep/a.yml:1:7"]


def test_a_folder_named_like_a_file_is_walked_and_a_broken_link_is_reported(tmp_path: Path) -> None:
    """What can't be opened is a finding, not a traceback."""
    project = Project(tmp_path)
    (project.folder / "folder.yaml").mkdir()
    (project.folder / "gone.yaml").symlink_to("nowhere.yaml")
    assert [finding.problem for finding in project.findings()] == ["the file can't be read"]


def test_any_file_may_hold_any_kind_but_environment(tmp_path: Path) -> None:
    """One file for everything is valid, like one file per audience."""
    project = Project(tmp_path)
    for name in ("credentials.yaml", "destinations.yaml", "audiences/lapsed.yaml"):
        (project.folder / name).unlink()
    rest = "---\n".join(text for name, text in FILES.items() if name != "environment.yaml")
    project.write("all.yml", rest)
    assert project.findings() == ()
    where = project.write("more.yaml", FILES["environment.yaml"].replace("Environment", "‸Environment", 1))
    (finding,) = project.findings()
    assert finding.where == where
    assert "outside environment.yaml" in finding.problem


def test_there_is_exactly_one_environment(tmp_path: Path) -> None:
    """None, and two, are refused."""
    project = Project(tmp_path)
    project.write("environment.yaml", FILES["environment.yaml"] + "---\n" + FILES["environment.yaml"])
    (finding,) = project.findings()
    assert finding.where == "environments/sandbox/environment.yaml:13:7"
    assert "the first is at environments/sandbox/environment.yaml:1:1" in finding.problem
    (project.folder / "environment.yaml").unlink()
    (finding,) = project.findings()
    assert finding.where == "environments/sandbox/environment.yaml:1:1"
    assert finding.problem == "there is no environment"


def test_the_root_is_the_nearest_parent_with_environments(tmp_path: Path) -> None:
    """Commands work from any folder of the project."""
    project = Project(tmp_path)
    assert find_root(project.folder / "audiences") == tmp_path.resolve()
    assert environments(tmp_path) == ("sandbox",)
    with pytest.raises(ConfigurationError) as caught:
        find_root(Path("/"))
    assert "-C DIR" in caught.value.remedy
    assert "reconciler init" in caught.value.remedy


@pytest.mark.parametrize("name", ["sandbx", "../environments/sandbox", "", "."])
def test_an_unknown_environment_names_the_known_ones(tmp_path: Path, name: str) -> None:
    """And no path gets past the list."""
    Project(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, name)
    assert "environments here: sandbox" in caught.value.remedy


def test_data_that_is_elsewhere_is_noted_where_none_is_needed(tmp_path: Path) -> None:
    """Validation jobs have no data; a given or existing folder is checked."""
    project = Project(tmp_path)
    project.edit("environment.yaml", "root: data", "root: exports")
    (note,) = others(load_offline(tmp_path, "sandbox", today=TODAY).notes)
    assert note.startswith("environments/sandbox/environment.yaml:5:14: the data folder is not here")
    assert others(load_offline(tmp_path, "sandbox", today=TODAY, data_root="data").notes) == ()
    for data_root in (None, "nowhere"):
        (tmp_path / "exports").mkdir(exist_ok=True)
        with pytest.raises(ConfigurationError):
            load_offline(tmp_path, "sandbox", today=TODAY, data_root=data_root)


def test_the_data_root_option_replaces_the_declared_one(tmp_path: Path) -> None:
    """So production's audiences can be tried on local files."""
    project = Project(tmp_path)
    project.edit("environment.yaml", "root: data", 'root: "s3://bucket/exports"')
    assert others(load(tmp_path, "sandbox").notes) == ()
    (note,) = others(load_offline(tmp_path, "sandbox", today=TODAY).notes)
    assert "environment.yaml:5:14: sources are in an object store" in note
    assert others(load(tmp_path, "sandbox", data_root="data").notes) == ()
    assert load(tmp_path, "sandbox", data_root="data").environment.data_root == "data"
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, "sandbox", data_root="nowhere")
    assert "given as --data-root" in caught.value.findings[0].problem
