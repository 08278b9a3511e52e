"""A cluster that can't be used is refused before a row is read, with what to do."""

import contextlib
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.fakes.cluster import ClusterHere
from support.manifest_project import Project

from reconciler.core.erasure import ErasureList
from reconciler.core.errors import ConfigurationError, ReconcilerError, StorageError
from reconciler.core.secret import Secret
from reconciler.manifests import load
from reconciler.members.data_root import LocalFolder
from reconciler.members.spark import session
from reconciler.members.spark.probe import Probe
from reconciler.members.spark.session import open_cluster, prove
from reconciler.members.spark.workplace import Workplace
from reconciler.members.stages import Stages

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


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ('{spark: "sc://spark.example.com", token: env:T}', "append /;use_ssl=true to the URL"),
        ('{spark: "sc://127.0.0.1:15002", token: env:T}', "append /;use_ssl=true to the URL"),
        ("{spark: local, token: env:T}", "Spark on this machine takes no token → remove `token`"),
        ('{spark: "sc://spark.example.com/;use_ssl=true", token: secret}', "refer to the secret"),
    ],
)
def test_a_token_that_would_be_readable_is_refused_by_validate(
    engine: str, said: str, tmp_path: Path
) -> None:
    project = Project(tmp_path)
    project.edit("environment.yaml", "sample: {rows: 1000}\n", f"engine: {engine}\n")
    [finding] = project.findings()
    assert said in f"{finding.problem} → {finding.remedy}"


@pytest.mark.parametrize("spark", ["sc://spark.example.com:443/;use_ssl=true", "sc://localhost"])
def test_a_token_is_a_reference_beside_its_server(spark: str, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.edit(
        "environment.yaml", "sample: {rows: 1000}\n", f'engine: {{spark: "{spark}", token: env:T}}\n'
    )
    environment = load(tmp_path, "sandbox").environment
    assert (environment.spark, environment.spark_token) == (spark, "env:T")


def test_the_token_is_read_when_a_cluster_gets_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    @contextlib.contextmanager
    def opened(where: str, scratch: Path, check: object, token: Secret) -> Iterator[ClusterHere]:
        given.append(token.reveal())
        yield ClusterHere()

    monkeypatch.setattr(session, "open_cluster", opened)
    with contextlib.ExitStack() as stack:
        stages = Stages("sc://localhost", "env:T", lambda one: Secret(f"of {one}"), lambda: None, stack)
        stages.choose(LocalFolder(tmp_path), ErasureList())
        assert not given
        stages._opened(Workplace(tmp_path, tmp_path))
        assert given == ["of env:T"]
        replace(stages, token="", _cluster=None)._opened(Workplace(tmp_path, tmp_path))
        assert given == ["of env:T", ""]


def test_a_sample_is_refused_by_validate(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.edit("environment.yaml", "guards:", "engine: {spark: local}\nguards:")
    [finding] = project.findings()
    assert "an engine in a cluster takes no sample" in str(finding)
    assert "remove `engine`, or `sample`" in str(finding)
    assert finding.where.startswith("environments/sandbox/environment.yaml:")
