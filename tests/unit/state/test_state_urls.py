"""What a `state: {url: …}` opens."""

from pathlib import Path

import pytest
from support.fakes.clock import FakeClock

from reconciler.core.errors import ConfigurationError
from reconciler.core.model import Api, Environment
from reconciler.core.ports import StateStore
from reconciler.state.bucket_store import BucketStore
from reconciler.state.open_store import open_store

pytestmark = pytest.mark.promise("state")


def opened(url: str, root: Path) -> StateStore:
    environment = Environment("sandbox", Api("emulator"), url, "", ())
    return open_store(environment, root, lambda: root / "cache", root / "outbox", FakeClock())


@pytest.mark.parametrize(
    "url", ["file:.reconciler/state/sandbox", "file:///{root}/.reconciler/state/sandbox"]
)
def test_a_file_url_is_relative_to_the_root_or_absolute(tmp_path: Path, url: str) -> None:
    with opened(url.format(root=tmp_path), tmp_path).lock("me") as writer:
        writer.begin_run()
    assert (tmp_path / ".reconciler/state/sandbox/head.json").exists()


@pytest.mark.parametrize("url", ["s3://bucket/state", "gs://bucket/state", "az://container/state"])
def test_a_bucket_is_a_bucket(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "acme")
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    assert isinstance(opened(url, tmp_path), BucketStore)


@pytest.mark.parametrize("url", ["", "file:", "file://", "file://host/state", "ftp://bucket/state", "state"])
def test_any_other_url_is_refused_with_one_to_paste(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="sandbox") as caught:
        opened(url, tmp_path)
    assert 'state: {url: "file:.reconciler/state/sandbox"}' in caught.value.remedy
