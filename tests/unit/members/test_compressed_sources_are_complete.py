"""A compressed source or list is used only if it unpacks to its end."""

import gzip
import os
import re
from pathlib import Path

import pytest
import zstandard
from support.full_disk import largest_file
from support.source_project import EMAIL, LIST_PLACE, PLACE, Project, build, make, never

from reconciler.core.errors import CancelledError, ConfigurationError, StorageError
from reconciler.core.model import Hashing
from reconciler.members.data_root import LocalFolder
from reconciler.members.engine import DuckDbEngine

pytestmark = pytest.mark.promise("undamaged")

ROWS = "email,id\n" + "".join(f"person{one}@example.com,{one}\n" for one in range(30))
EVERYONE = frozenset(f"person{one}@example.com" for one in range(30))
SKIPPABLE = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"


def zst(content: str | bytes, *, checksum: bool = True) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return zstandard.ZstdCompressor(write_checksum=checksum).compress(content)


def gz(content: str) -> bytes:
    return gzip.compress(content.encode())


def with_a_large_window(content: str) -> bytes:
    """What `zstd --long=30` writes."""
    wanted = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=1)
    frame = zstandard.ZstdCompressor(compression_params=wanted).compressobj()
    return frame.compress(content.encode()) + frame.flush()


def blocks(content: str) -> list[bytes]:
    """One frame, a block for each row."""
    frame = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    rows = content.splitlines(keepends=True)
    flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK
    return [*(frame.compress(row.encode()) + frame.flush(flush) for row in rows), frame.flush()]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make(tmp_path)


BAD = {
    "a cut frame whose blocks are whole": ("a.csv.zst", b"".join(blocks(ROWS)[:-1]), "breaks off before"),
    "a cut frame after half of its blocks": ("a.csv.zst", b"".join(blocks(ROWS)[:9]), "breaks off before"),
    "a cut second frame": ("a.csv.zst", zst(ROWS) + zst("x@example.com,9\n")[:-5], "breaks off before"),
    "a cut member": ("a.csv.gz", gz(ROWS)[:-9], "breaks off before its end"),
    "a member without its length": ("a.csv.gz", gz(ROWS)[:-1], "breaks off before its end"),
    "a cut second member": ("a.csv.gz", gz(ROWS) + gz("x@example.com,9\n")[:-3], "breaks off before"),
    "a wrong checksum": (
        "a.csv.gz",
        gz(ROWS)[:-8] + b"\0\0\0\0" + gz(ROWS)[-4:],
        "is damaged or is not gzip",
    ),
    "a wrong length": ("a.csv.gz", gz(ROWS)[:-1] + b"\1", "is damaged or is not gzip"),
    "a wrong checksum in the second member": (
        "a.csv.gz",
        gz(ROWS) + gz("x@example.com,9\n")[:-8] + bytes(8),
        "is damaged or is not gzip",
    ),
    "a wrong checksum of a frame": ("a.csv.zst", zst(ROWS)[:-4] + bytes(4), "is damaged, is not Zstandard"),
    "words after the last member": ("a.csv.gz", gz(ROWS) + b"and more", "is damaged or is not gzip"),
    "words after the last frame": ("a.csv.zst", zst(ROWS) + b"and more", "is damaged, is not Zstandard"),
    "zeros after the last frame": ("a.csv.zst", zst(ROWS) + bytes(512), "is damaged, is not Zstandard"),
    "a cut skippable frame": ("a.csv.zst", zst(ROWS) + SKIPPABLE[:-2], "breaks off before its end"),
    "an empty .gz": ("a.csv.gz", b"", "is empty: not even an empty file is packed as that"),
    "an empty .zst": ("a.csv.zst", b"", "is empty: not even an empty file is packed as that"),
    "nothing but a skippable frame": ("a.csv.zst", SKIPPABLE, "has no header line"),
    "what is not packed": ("a.csv.gz", ROWS.encode(), "is damaged or is not gzip"),
    "gzip by the name of zst": ("a.csv.zst", gz(ROWS), "is damaged, is not Zstandard"),
    "a window of a gigabyte": (
        "a.csv.zst",
        with_a_large_window(ROWS),
        "is damaged, is not Zstandard, or was packed with a dictionary or a window over 128 MB",
    ),
    "a cut list of JSON": ("a.jsonl.zst", b"".join(blocks('{"email": "a"}\n' * 9)[:4]), "breaks off before"),
}


@pytest.mark.parametrize("as_list", [False, True], ids=["source", "list"])
@pytest.mark.parametrize("case", BAD)
def test_a_packed_file_that_is_not_whole_is_refused_by_name(project, case, as_list):
    name, content, said = BAD[case]
    project.write(name, content)
    project.write("good.csv", ROWS)
    project.reads("good.csv" if as_list else name, columns={EMAIL: "email"})
    if as_list:
        project.excludes(name)
    assert f"{name} {said}" in project.refusal()
    [problem] = project.problems()
    assert problem.startswith(f"{LIST_PLACE if as_list else PLACE}: {name} {said}")
    assert "export it again" in problem
    assert "example.com" not in problem


WELL = {
    "two members": ("a.csv.gz", gz(ROWS[:300]) + gz(ROWS[300:])),
    "two frames": ("a.csv.zst", zst(ROWS[:300]) + zst(ROWS[300:])),
    "zeros after the last member, as on a tape": ("a.csv.gz", gz(ROWS) + bytes(512)),
    "frames to skip": ("a.csv.zst", SKIPPABLE + zst(ROWS) + SKIPPABLE),
    "a frame without a checksum": ("a.csv.zst", zst(ROWS, checksum=False)),
    "many blocks": ("a.csv.zst", b"".join(blocks(ROWS))),
    "capitals in the name": ("A.CSV.GZ", gz(ROWS)),
}


@pytest.mark.parametrize("case", WELL)
def test_what_the_tools_of_a_format_accept_is_read(project, case):
    name, content = WELL[case]
    project.write(name, content)
    assert project.reads(name, columns={EMAIL: "email"}).emails() == EVERYONE


def test_what_was_checked_is_what_is_read(project):
    """A file that is replaced after it was unpacked is found out, as any other is."""
    project.write("a.csv.gz", gz(ROWS))
    audience = project.reads("a.csv.gz", columns={EMAIL: "email"}).audience
    with DuckDbEngine(LocalFolder(project.root), project.work, never, b"k" * 32, None) as engine:
        before = build(engine, audience, [(EMAIL, Hashing.NONE)])
        project.write("a.csv.gz", gz(ROWS.replace("person1", "other1")))
        os.utime(project.root / "a.csv.gz", (1, 1))
        after = build(engine, audience, [(EMAIL, Hashing.NONE)])
    assert before[EMAIL, Hashing.NONE].members != after[EMAIL, Hashing.NONE].members


def test_a_file_is_unpacked_once_privately_and_removed(project):
    project.write("a.csv.gz", gz(ROWS))
    audience = project.reads("a.csv.gz", columns={EMAIL: "email"}).audience
    with DuckDbEngine(LocalFolder(project.root), project.work, never, b"k" * 32, None) as engine:
        for _ in range(3):
            build(engine, audience, [(EMAIL, Hashing.NONE)])
        [unpacked] = project.work.rglob("a.csv")
        folders = [one for one in unpacked.parents if one.is_relative_to(project.work)]
        assert {one.stat().st_mode & 0o077 for one in folders} == {0}
    assert list(project.work.iterdir()) == []


def test_a_disk_that_is_too_small_for_what_is_packed_is_named_and_is_free_again(project):
    """A few kilobytes may unpack to more than any disk holds."""
    project.write("a.csv.zst", zst(b"email\n" + b"x" * 50_000_000))
    project.reads("a.csv.zst", columns={EMAIL: "email"})
    with (
        largest_file(1 << 20),
        DuckDbEngine(LocalFolder(project.root), project.work, never, b"k" * 32, None) as engine,
    ):
        with pytest.raises(
            StorageError, match=r"can't unpack into .*unpacked: the file is larger than"
        ) as refused:
            build(engine, project.audience, [(EMAIL, Hashing.NONE)])
        assert not list(project.work.rglob("a.csv"))
    assert "a.csv" not in str(refused.value)


def test_a_stop_request_ends_unpacking(project):
    def stopped() -> None:
        raise CancelledError("stopped on request")

    project.write("a.csv.gz", gz(ROWS))
    audience = project.reads("a.csv.gz", columns={EMAIL: "email"}).audience
    with (
        DuckDbEngine(
            LocalFolder(project.root), project.work, never, b"k" * 32, None, check=stopped
        ) as engine,
        pytest.raises(CancelledError),
    ):
        build(engine, audience, [(EMAIL, Hashing.NONE)])
    assert list(project.work.iterdir()) == []


def test_every_file_that_is_not_whole_is_reported_at_once(project):
    project.write("a.csv.gz", gz(ROWS)[:-9])
    project.write("b.csv.zst", b"")
    project.write("c.csv", ROWS)
    with pytest.raises(ConfigurationError) as refused:
        project.reads("*.csv*", columns={EMAIL: "email"}).emails()
    reported = [(finding.where, re.match(r"\S+", finding.problem)[0]) for finding in refused.value.findings]
    assert reported == [(str(PLACE), "a.csv.gz"), (str(PLACE), "b.csv.zst")]
