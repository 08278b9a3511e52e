"""Of a Parquet object, only footer and needed columns are brought; members are those of the whole file."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import source_project
from support.fakes import object_stores as buckets
from support.fakes.clock import NOON
from support.fakes.object_stores import Served
from support.fakes.tagged_objects import TaggedObjects, of_write, weak
from support.source_project import CUSTOMER, EMAIL, build, look

from reconciler.buckets.connection import BucketLocation
from reconciler.buckets.source_objects import SourceBucket
from reconciler.core.errors import ConfigurationError
from reconciler.core.members import DropReason, Kind
from reconciler.core.model import Audience, Exclusion, Hashing, Partition, PartitionType
from reconciler.members import bucket_mirror
from reconciler.members.bucket_mirror import Mirror
from reconciler.members.engine import DuckDbEngine

pytestmark = pytest.mark.promise("members")

PLACE = BucketLocation("s3://acme/exports", "create it", "ask for rights", "look at the network")
ROWS, COLUMNS = 3_000, 12
KIND = (EMAIL, Hashing.NONE)


def export(file: Path, people: str = "p") -> bytes:
    """Write a Parquet file of several row groups, whose columns compress badly."""
    noise = ", ".join(
        f"md5(i || 'n{number}') || md5(i || 'm{number}') AS c{number}" for number in range(COLUMNS)
    )
    select = (
        f"SELECT {noise}, '{people}' || i || '@example.com' AS email, i AS id, "
        "{'city': 'c' || i % 7, 'zip': md5(i || 'z')} AS home, i % 5 AS tier FROM range("
        + str(ROWS)
        + ") t(i)"
    )
    duckdb.execute(f"COPY ({select}) TO '{file}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
    return file.read_bytes()


@dataclass
class Counted:
    """A store that remembers which bytes it was asked for. `then` is called after each answer."""

    store: Any
    ranges: list[tuple[str, int, int]] = field(default_factory=list)
    then: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def get(self, path: str, options: Mapping[str, Any]) -> Any:
        answer = self.store.get(path, options=options)
        self.ranges.append((path, *options["range"]))
        self.then()
        return answer

    @property
    def bytes(self) -> list[tuple[str, int]]:
        return [(path, byte) for path, start, end in self.ranges for byte in range(start, end)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, limit in {"SMALL": 4_000, "TAIL": 1_000, "GAP": 100}.items():
        monkeypatch.setattr(bucket_mirror, name, limit)


def opened(store: object, folder: Path) -> DuckDbEngine:
    brought = folder / "brought"
    brought.mkdir(parents=True)
    root = Mirror(SourceBucket(store, PLACE), brought, lambda: None, PLACE.url)
    return DuckDbEngine(root, folder / "work", source_project.never, b"k" * 32, None)


@pytest.fixture
def audience(tmp_path: Path) -> Audience:
    (tmp_path / "declared").mkdir()
    made = source_project.make(tmp_path / "declared")
    return made.reads("*.parquet", where="tier = 3", columns={EMAIL: "email"}).audience


def members(store: object, folder: Path, asked: Audience, kind: Kind = KIND) -> frozenset[str]:
    with opened(store, folder) as engine:
        return look(engine, build(engine, asked, [kind])[kind].members)


def refusal(store: object, folder: Path, asked: Audience) -> str:
    with opened(store, folder) as engine, pytest.raises(ConfigurationError) as refused:
        build(engine, asked, [KIND])
    return "\n".join(map(str, refused.value.findings))


def expected(people: str = "p") -> frozenset[str]:
    return frozenset(f"{people}{number}@example.com" for number in range(ROWS) if number % 5 == 3)


def in_memory() -> TaggedObjects:
    return TaggedObjects(of_write, lambda: NOON)


@pytest.mark.parametrize("served", buckets.BUCKETS, ids=lambda one: one.__name__)
def test_two_columns_of_many_are_brought_and_no_byte_twice(
    served: Callable[[], AbstractContextManager[Served]], audience: Audience, tmp_path: Path
) -> None:
    content = export(tmp_path / "export.parquet")
    with served() as there:
        there.store.put("export.parquet", content)
        counted = Counted(there.store)
        assert members(counted, tmp_path / "a", audience) == expected()
    assert len(counted.bytes) == len(set(counted.bytes)) < len(content) / 4


def test_a_where_brings_the_columns_that_it_names(audience: Audience, tmp_path: Path) -> None:
    """Also one that has parts."""
    store = in_memory()
    store.put("export.parquet", export(tmp_path / "export.parquet"))
    condition = "struct_extract(home, 'city') = 'c2' AND \"C1\" > '0'"
    asked = replace(audience, source=replace(audience.source, where=condition))
    found = members(store, tmp_path / "a", asked)
    assert found == {f"p{number}@example.com" for number in range(ROWS) if number % 7 == 2}


def test_audiences_that_need_other_columns_bring_what_is_left(audience: Audience, tmp_path: Path) -> None:
    store = Counted(in_memory())
    store.put("export.parquet", export(tmp_path / "export.parquet"))
    with opened(store, tmp_path / "a") as engine:
        first = build(engine, audience, [KIND])[KIND]
        before = len(store.bytes)
        by_number = replace(audience, columns=((CUSTOMER, "id"),))
        kind = (CUSTOMER, Hashing.NONE)
        second = build(engine, by_number, [kind])[kind]
        assert look(engine, second.members) == {str(number) for number in range(ROWS) if number % 5 == 3}
        assert look(engine, first.members) == expected()
    assert len(store.bytes) > before
    assert len(store.bytes) == len(set(store.bytes))


def test_a_list_brings_its_column_only(audience: Audience, tmp_path: Path) -> None:
    content, store = export(tmp_path / "export.parquet"), Counted(in_memory())
    store.put("export.parquet", content)
    store.put("lists/out.parquet", export(tmp_path / "out.parquet"))
    listed = Exclusion(("lists/out.parquet",), ((EMAIL, "email"),), source_project.LIST_PLACE)
    with opened(store, tmp_path / "a") as engine:
        found = build(engine, replace(audience, exclusion_lists=(listed,)), [KIND])[KIND]
    assert not found.members
    assert dict(found.drops)[DropReason.EXCLUDED] == len(expected())
    assert len(store.bytes) < len(content) / 2


def test_objects_that_where_excludes_by_their_folders_are_not_brought(
    audience: Audience, tmp_path: Path
) -> None:
    store = Counted(in_memory())
    store.put("dt=2026-11-01/export.parquet", b"damaged")
    store.put("dt=2026-11-24/export.parquet", export(tmp_path / "export.parquet"))
    declared = (Partition("dt", PartitionType.DATE),)
    where = "dt = :today AND tier = 3"
    source = replace(audience.source, files=("dt=*/*.parquet",), partitions=declared, where=where)
    assert members(store, tmp_path / "a", replace(audience, source=source)) == expected()
    assert {path for path, *_ in store.ranges} == {"dt=2026-11-24/export.parquet"}


def test_an_object_without_a_strong_tag_is_brought_whole(audience: Audience, tmp_path: Path) -> None:
    content, store = export(tmp_path / "export.parquet"), Counted(TaggedObjects(weak, lambda: NOON))
    store.put("export.parquet", content)
    assert members(store, tmp_path / "a", audience) == expected()
    assert len(store.bytes) == len(content)


@pytest.mark.parametrize("honours", [True, False])
@pytest.mark.parametrize("after", range(1, 4))
def test_an_object_that_is_replaced_between_two_ranges_is_refused(
    after: int, honours: bool, audience: Audience, tmp_path: Path
) -> None:
    """Its size is the same, and its footer fits both contents."""
    store = Counted(in_memory())
    store.store.honours_conditions = honours
    store.put("export.parquet", export(tmp_path / "export.parquet"))
    later = export(tmp_path / "later.parquet", people="q")
    store.then = lambda: store.put("export.parquet", later) if len(store.ranges) == after else None
    problem = refusal(store, tmp_path / "a", audience)
    assert "export.parquet changed while it was read" in problem


def damaged(content: bytes, column: str) -> bytes:
    """Return a file of pyarrow with one bit of the last page of a column changed."""
    chunk = pq.ParquetFile(BytesIO(content)).metadata.row_group(0)
    places = [chunk.column(at) for at in range(chunk.num_columns)]
    [found] = [one for one in places if one.path_in_schema == column]
    at = (found.dictionary_page_offset or found.data_page_offset) + found.total_compressed_size - 1
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def checksummed(file: Path) -> bytes:
    export(file)
    out = BytesIO()
    pq.write_table(pq.read_table(file), out, write_page_checksum=True, compression="none")
    return out.getvalue()


@pytest.mark.parametrize("column", ["email", "tier"])
def test_a_damaged_page_of_a_needed_column_is_refused(
    column: str, audience: Audience, tmp_path: Path
) -> None:
    store = in_memory()
    store.put("export.parquet", damaged(checksummed(tmp_path / "export.parquet"), column))
    assert "a page does not match its checksum" in refusal(store, tmp_path / "a", audience)


def test_a_damaged_page_of_another_column_is_not_brought(audience: Audience, tmp_path: Path) -> None:
    store = in_memory()
    store.put("export.parquet", damaged(checksummed(tmp_path / "export.parquet"), "c3"))
    assert members(store, tmp_path / "a", audience) == expected()


@pytest.mark.parametrize("length", [0, 7, 900, 1 << 31, (1 << 32) - 1])
def test_a_footer_with_a_wrong_length_is_refused(length: int, audience: Audience, tmp_path: Path) -> None:
    content, store = export(tmp_path / "export.parquet"), in_memory()
    store.put("export.parquet", content[:-8] + length.to_bytes(4, "little") + b"PAR1")
    assert "export.parquet" in refusal(store, tmp_path / "a", audience)


def test_a_footer_that_names_bytes_beyond_the_end_is_refused(audience: Audience, tmp_path: Path) -> None:
    """The end of a longer file, as an upload that lost its beginning."""
    content, store = export(tmp_path / "export.parquet"), in_memory()
    store.put("export.parquet", content[-60_000:])
    problem = refusal(store, tmp_path / "a", audience)
    assert "export.parquet" in problem


columns = st.sampled_from(["email", "id", "C2", "c11"])
conditions = st.sampled_from(["", "tier < 2", "c7 > '8'", "id % 2 = 0 AND struct_extract(home, 'zip') > '5'"])


@given(columns, conditions, st.sampled_from([50, 100_000]), st.sampled_from([1, 700, 60_000]))
@settings(max_examples=int(os.environ.get("RANGES", "8")))
def test_members_are_those_of_the_whole_file(column: str, where: str, gap: int, tail: int) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patched:
        folder, kind = Path(name), (CUSTOMER, Hashing.NONE)
        made = source_project.make(folder).reads("*.parquet", where=where, columns={CUSTOMER: column})
        store = in_memory()
        store.put("export.parquet", export(made.root / "export.parquet"))
        patched.setattr(bucket_mirror, "GAP", gap)
        patched.setattr(bucket_mirror, "TAIL", tail + 8)
        assert members(store, folder / "a", made.audience, kind) == made.build(kind)[0][0]
