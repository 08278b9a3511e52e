"""The line writer never raises once it is open: a failed write is only recorded."""

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.core.errors import StorageError
from reconciler.disk import line_writer as lines
from reconciler.disk.line_writer import LineWriter

BEGINNING = b'{"n": '


def line(number: int, size: int = 20) -> bytes:
    return (BEGINNING + b"%d}" % number).ljust(size) + b"\n"


def test_a_new_file_is_private_and_lines_are_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    file = LineWriter.at(path, BEGINNING)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for number in (1, 2):
        file.write(line(number))
        assert path.read_bytes() == b"".join(map(line, range(1, number + 1)))
    file.check()
    file.close()


def test_another_run_goes_behind_the_first_and_half_a_line_stays_alone(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    for found, written in ((b"", b""), (line(1), b""), (line(1) + b'{"n', b"\n"), (b'{"', b"\n")):
        path.write_bytes(found)
        file = LineWriter.at(path, BEGINNING)
        file.write(line(2))
        file.close()
        assert path.read_bytes() == found + written + line(2)


def test_another_file_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("email,id\n")
    with pytest.raises(StorageError, match="another file") as refused:
        LineWriter.at(path, BEGINNING)
    assert "people" not in refused.value.problem + refused.value.remedy
    assert path.read_text() == "email,id\n"


@pytest.mark.parametrize("name", ["missing/events.ndjson", ".", "file/events.ndjson"])
def test_what_cant_be_opened_is_reported_without_the_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="events can't be written: ") as refused:
        LineWriter.at(tmp_path / name, BEGINNING)
    assert str(tmp_path) not in refused.value.problem


def test_a_full_disk_ends_it_for_good_with_a_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    code = f"""
from pathlib import Path
from reconciler.disk.line_writer import LineWriter
file = LineWriter.at(Path({str(path)!r}), b"")
for number in range(1, 6):
    file.write(b"x" * 39 + b"\\n")
print(file.lines, file.lost)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    assert done.stdout == "2 File too large\n"
    assert path.read_bytes() == (b"x" * 39 + b"\n") * 2


def test_a_device_without_room_and_a_reader_that_left() -> None:
    full = LineWriter.at(Path("/dev/full"), BEGINNING)
    full.write(line(1))
    assert full.lost == "No space left on device"
    with pytest.raises(StorageError, match="No space left"):
        full.check()
    full.close()
    ear, mouth = os.pipe()
    pipe = LineWriter.on(mouth)
    pipe.write(line(1))
    assert os.read(ear, 100) == line(1)
    os.close(ear)
    pipe.write(line(2))
    assert (pipe.lines, pipe.lost) == (1, "Broken pipe")
    pipe.close()
    os.fstat(mouth)  # it was not ours to close
    os.close(mouth)


def test_a_blocked_reader_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PATIENCE_MS", 10)
    ear, mouth = os.pipe()
    pipe = LineWriter.on(mouth)
    for _ in range(30):
        pipe.write(line(1, 5_000))
    assert 0 < pipe.lines < 30
    assert pipe.lost == "Connection timed out"
    for one in (ear, mouth):
        os.close(one)
    pipe.close()
