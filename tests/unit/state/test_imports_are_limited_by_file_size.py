"""An export that unpacks to more than its size is refused before anything is written."""

import zipfile
from pathlib import Path

import pytest

from reconciler.core.errors import StorageError
from reconciler.state import archive
from reconciler.state.archive import KEY, STATE, SUMS, unpacking

pytestmark = pytest.mark.promise("private")


def refused(path: Path) -> str:
    with pytest.raises(StorageError) as error, unpacking(path):
        pass
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    return f"{error.value.problem} → {error.value.remedy}"


@pytest.mark.parametrize("name", [STATE, KEY, SUMS, "snapshots/abc", "other"])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_is_refused_by_its_table_of_contents(tmp_path: Path, name: str, method: int) -> None:
    """64 MB of nothing in a few kilobytes: no byte of it is inflated."""
    path = tmp_path / "state.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for one in {STATE, KEY, SUMS} - {name}:
            packed.writestr(one, b"{}")
        packed.writestr(name, bytes(64 << 20), compress_type=method)
    assert path.stat().st_size < 1 << 20
    said = refused(path)
    assert "its entries are compressed, and those of an export never are" in said
    assert "`reconciler state export ENV FILE`" in said


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("first", bytes(100_000))
        for number in range(50):
            again = zipfile.ZipInfo(f"snapshots/{number}")
            first = packed.getinfo("first")
            again.header_offset, again.CRC = first.header_offset, first.CRC
            again.file_size = again.compress_size = first.file_size
            packed.filelist.append(again)
            packed.NameToInfo[again.filename] = again
    assert "its entries add up to more than the file" in refused(path)


def test_a_document_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "LARGEST_DOCUMENT", 1 << 20)
    path = tmp_path / "state.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(STATE, bytes((1 << 20) + 1))
    assert f"{STATE} in it has more than 1 MiB" in refused(path)
