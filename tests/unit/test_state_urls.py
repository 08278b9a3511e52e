"""Where `state: {url: …}` leads."""

from pathlib import Path

import pytest

from reconciler.core.errors import ConfigurationError
from reconciler.state.factory import open_store

pytestmark = pytest.mark.promise("state")


@pytest.mark.parametrize(
    "url", ["file:.reconciler/state/sandbox", "file:///{root}/.reconciler/state/sandbox"]
)
def test_a_file_url_is_relative_to_the_root_or_absolute(tmp_path: Path, url: str) -> None:
    with open_store(url.format(root=tmp_path), tmp_path, "sandbox").lock("me") as writer:
        writer.open_run()
    assert (tmp_path / ".reconciler/state/sandbox/head.json").exists()


@pytest.mark.parametrize("url", ["", "file:", "file://", "file://host/state", "s3://bucket/state", "state"])
def test_any_other_url_is_refused_with_one_to_paste(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="sandbox") as caught:
        open_store(url, tmp_path, "sandbox")
    assert 'state: {url: "file:.reconciler/state/sandbox"}' in caught.value.remedy
