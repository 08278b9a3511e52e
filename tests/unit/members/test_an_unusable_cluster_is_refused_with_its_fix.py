"""A cluster that can't be used is refused before a row is read, with what to do."""

import contextlib
import shutil
import socket
from pathlib import Path

import pytest
from support.fakes.cluster import ClusterHere
from support.manifest_project import Project

from reconciler.core.errors import ConfigurationError, ReconcilerError, StorageError
from reconciler.members.spark import session
from reconciler.members.spark.probe import Probe
from reconciler.members.spark.session import open_cluster, prove
from reconciler.members.spark.workplace import Workplace

pytestmark = pytest.mark.promise("members")


def refusal(where: str, folder: Path) -> str:
    with pytest.raises(ConfigurationError) as refused, open_cluster(where, folder, lambda: None):
        pass
    return f"{refused.value} → {refused.value.remedy}"


def test_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "find_spec", lambda _: None)
    said = refusal("local", tmp_path)
    assert said == (
        "engine.spark: the Python package of Apache Spark is not installed → "
        "pip install 'criteo-reconciler[spark]'"
    )


def test_no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "find_spec", lambda _: object())
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert "there is no Java, which `local` runs on → install Java 17 or 21" in refusal("local", tmp_path)


def test_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "find_spec", lambda _: object())
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert f"no server answers at 127.0.0.1:{port} →" in refusal(f"sc://127.0.0.1:{port}", tmp_path)


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example"])
def test_a_name_that_no_host_can_have(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "find_spec", lambda _: object())
    assert f"no server answers at {host}:15002 →" in refusal(f"sc://{host}", tmp_path)


def test_other_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = ClusterHere()
    prove(cluster, Workplace(tmp_path, tmp_path))
    monkeypatch.setattr(Probe, "run", lambda _: {"versions": ["3.9", "0.0.1", "1.0"], "shared": True})
    with pytest.raises(ConfigurationError, match="executors have other versions"):
        prove(cluster, Workplace(tmp_path, tmp_path))


def test_other_folders(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="executors don't see the folders of this machine"):
        prove(ClusterHere(), Workplace(tmp_path / "elsewhere", tmp_path))


def test_executors_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> list[object]:
        raise StorageError("engine.spark: the cluster gave up (PythonException)")

    monkeypatch.setattr(ClusterHere, "each", lost)
    with pytest.raises(ReconcilerError, match="executors can't run reconciler's functions") as refused:
        prove(ClusterHere(), Workplace(tmp_path, tmp_path))
    assert "on each executor" in refused.value.remedy


@pytest.mark.parametrize(
    "spark", ["sc://host/;token=secret", "spark://host:7077", "sc://anna@host", "yarn", "sc://"]
)
def test_a_url_with_a_secret_or_of_another_kind_is_refused_by_validate(spark: str, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.edit("environment.yaml", "sample: {rows: 1000}\n", f'engine: {{spark: "{spark}"}}\n')
    [finding] = project.findings()
    assert "a token can't stand here" in str(finding)


def test_a_sample_is_refused_by_validate(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.edit("environment.yaml", "guards:", "engine: {spark: local}\nguards:")
    [finding] = project.findings()
    assert "an engine in a cluster takes no sample" in str(finding)
    assert "remove `engine`, or `sample`" in str(finding)
    assert finding.where.startswith("environments/sandbox/environment.yaml:")
