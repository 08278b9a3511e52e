"""2,000 damaged files: each is refused if the format's checker refuses it, or else read completely.

The checkers share no code with what reads files: zlib's own gzip for `gzip`, another binding for Zstandard,
Arrow for Parquet. CSV and JSON lines have no checksum of their own, and Parquet may have none: of
them it is only asked that nothing else happens than a refusal or a plan.
"""

import gzip
import io
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from support.large_project import number_from
from support.source_project import EMAIL, Project, build, make, never

from reconciler.core.errors import ConfigurationError
from reconciler.core.members import SnapshotRef
from reconciler.core.model import Hashing
from reconciler.members.data_root import LocalFolder
from reconciler.members.engine import DuckDbEngine

pytestmark = pytest.mark.promise("undamaged")

FILES = number_from("DAMAGED_FILES", 2000)
LISTED = range(20)
SOURCE = range(60)
KIND = (EMAIL, Hashing.NONE)


def email(number: int) -> str:
    return f"person{number}.{zlib.crc32(str(number).encode()):x}@example.com"


def csv(people: range) -> bytes:
    return "".join(["email,id\n", *(f"{email(one)},{one}\n" for one in people)]).encode()


def jsonl(people: range) -> bytes:
    return "".join(f'{{"email": "{email(one)}", "id": "{one}"}}\n' for one in people).encode()


def parquet(people: range) -> bytes:
    return _parquet(people, checksums=False)


def parquet_with_checksums(people: range) -> bytes:
    """The default format of Spark."""
    return _parquet(people, checksums=True)


def _parquet(people: range, *, checksums: bool) -> bytes:
    table = pa.table({"email": [email(one) for one in people], "id": [str(one) for one in people]})
    file = io.BytesIO()
    pq.write_table(
        table, file, write_page_checksum=checksums, use_dictionary=False, row_group_size=len(people) // 2
    )
    return file.getvalue()


def in_two_members(content: bytes) -> bytes:
    middle = len(content) // 2
    return gzip.compress(content[:middle]) + gzip.compress(content[middle:])


def in_two_frames(content: bytes) -> bytes:
    middle = len(content) // 2
    return _blocks(content[:middle]) + _blocks(content[middle:])


def _blocks(content: bytes) -> bytes:
    """A frame with a block for each row, as a large file has for each 128 KB: a cut may leave whole rows."""
    frame = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    blocks = [
        frame.compress(row) + frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        for row in content.splitlines(keepends=True)
    ]
    return b"".join(blocks) + frame.flush()


def gunzipped(packed: bytes) -> bytes | None:
    """Each member with the checks of zlib; None where `gzip -t` would complain."""
    content = b""
    while packed or not content:
        member = zlib.decompressobj(wbits=31)
        try:
            content += member.decompress(packed)
        except zlib.error:
            return None
        if not member.eof:
            return None
        packed = member.unused_data.lstrip(b"\0")
    return content


def unzstandarded(packed: bytes) -> bytes | None:
    """Each frame to its end; None where `zstd -t` would complain."""
    content = b""
    while packed or not content:
        frame = zstandard.ZstdDecompressor().decompressobj()
        try:
            content += frame.decompress(packed)
        except zstandard.ZstdError:
            return None
        if not frame.eof:
            return None
        packed = frame.unused_data
    return content


def by_arrow(content: bytes) -> bytes | None:
    """With checksums of pages. Errors of its many layers have no common class of their own."""
    try:
        table = pq.ParquetFile(io.BytesIO(content), page_checksum_verification=True).read()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError, MemoryError):
        return None
    return repr(table.to_pylist()).encode()


@dataclass(frozen=True)
class Format:
    """`checked` is the content of a file that its checker accepts, None for another."""

    name: str
    rows: Callable[[range], bytes]
    pack: Callable[[bytes], bytes] = bytes
    checked: Callable[[bytes], bytes | None] | None = None
    packing: str = ""


FORMATS = (
    Format("csv", csv),
    Format("jsonl", jsonl),
    Format("csv", csv, in_two_members, gunzipped, ".gz"),
    Format("jsonl", jsonl, in_two_members, gunzipped, ".gz"),
    Format("csv", csv, in_two_frames, unzstandarded, ".zst"),
    Format("jsonl", jsonl, in_two_frames, unzstandarded, ".zst"),
    Format("parquet", parquet),
    Format("parquet", parquet_with_checksums, checked=by_arrow),
)


def flipped(chance: random.Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.choice([1, 1, 1, 2, 8])):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def cut(chance: random.Random, content: bytes) -> bytes:
    return content[: chance.randrange(len(content))]


def zeroed(chance: random.Random, content: bytes) -> bytes:
    start = chance.randrange(len(content))
    end = min(len(content), start + chance.choice([1, 8, 64, 512]))
    return content[:start] + bytes(end - start) + content[end:]


def followed(chance: random.Random, content: bytes) -> bytes:
    return content + chance.randbytes(chance.choice([1, 8, 64]))


DAMAGES = (flipped, flipped, flipped, cut, cut, zeroed, zeroed, followed)


@dataclass
class Reading:
    """What becomes of a file as the source, or as the exclusion list beside a source that is well."""

    project: Project
    engine: DuckDbEngine
    file: str
    as_list: bool

    def of(self, content: bytes, number: int) -> tuple[SnapshotRef, SnapshotRef] | None:
        """The members and the suppressed; None for a refusal."""
        name = f"{number}-{self.file}"
        self.project.write(name, content)
        audience = self.project.reads("good.csv" if self.as_list else name, columns={EMAIL: "email"}).audience
        if self.as_list:
            audience = self.project.excludes(name).audience
            self.project.audience = replace(audience, exclusion_lists=())
        try:
            target = build(self.engine, audience, [KIND])[KIND]
        except ConfigurationError:
            return None
        finally:
            (self.project.root / name).unlink()
        return target.members, target.suppressed


@pytest.mark.parametrize("as_list", [False, True], ids=["source", "list"])
@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.rows.__name__ + form.packing)
def test_nothing_damaged_is_used(form: Format, as_list: bool, tmp_path: Path) -> None:
    project = make(tmp_path)
    project.write("good.csv", csv(SOURCE))
    whole = form.pack(form.rows(LISTED if as_list else SOURCE))
    with DuckDbEngine(LocalFolder(project.root), project.work, never, b"k" * 32, None) as engine:
        reading = Reading(project, engine, f"people.{form.name}{form.packing}", as_list)
        good = reading.of(whole, 0)
        assert good is not None
        refused = 0
        for number in range(1, FILES // (2 * len(FORMATS)) + 1):
            chance = random.Random(f"{form.name}{form.packing} {as_list} {number}")  # noqa: S311 - seeded
            damage = chance.choice(DAMAGES)
            damaged = damage(chance, whole)
            found = reading.of(damaged, number)
            refused += found is None
            if form.checked is None:
                continue
            checked = form.checked(damaged)
            assert checked is not None or found in (None, good), (number, damage.__name__)
            if form.packing and checked == form.checked(whole):
                assert found == good, (number, damage.__name__)
    assert not form.packing or refused > FILES // (2 * len(FORMATS)) // 2
