"""A key of snapshots that can't be read, or is not a key, is a matter of configuration."""

import base64
from pathlib import Path

import pytest
from support.fakes.secret_backends import places_of
from support.fakes.state import MemoryStore

from reconciler.core.errors import ConfigurationError
from reconciler.core.model import SEALING_KEY

pytestmark = pytest.mark.promise("sealed")

KEY = bytes([0xFB, 0xFF, *range(30)])


@pytest.mark.parametrize(
    "written", [base64.b64encode(KEY).decode(), base64.urlsafe_b64encode(KEY).decode().rstrip("=")]
)
def test_a_key_is_32_bytes_in_base64(tmp_path: Path, written: str) -> None:
    places = places_of({"SNAPSHOT_KEY": written}, tmp_path, MemoryStore().sealed(), SEALING_KEY)
    assert places.snapshot_key("env:SNAPSHOT_KEY") == KEY


@pytest.mark.parametrize(
    "written", [None, "s3cr+t/value==", "not base64!", base64.b64encode(KEY[:31]).decode()]
)
def test_anything_else_is_refused_without_showing_it(tmp_path: Path, written: str | None) -> None:
    environ = {"SNAPSHOT_KEY": written} if written else {}
    places = places_of(environ, tmp_path, MemoryStore().sealed(), SEALING_KEY)
    with pytest.raises(ConfigurationError) as caught:
        places.snapshot_key("env:SNAPSHOT_KEY")
    assert caught.value.exit_code == 3
    assert "SNAPSHOT_KEY" in f"{caught.value.problem} {caught.value.remedy}"
    assert not written or written not in f"{caught.value.problem} {caught.value.remedy}"
