"""Faults in sources: broken exports, conditions that don't fit, files that change while they are read."""

import gzip
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from faults.case import Case, Group, Leaves
from faults.manifest_faults import adds, edits
from faults.project import AFTER, World, customer, email, rows
from pyiceberg.types import StringType
from support import iceberg_tables
from support.delta_tables import added_files, commit, map_columns, write_table

BLOCKED, PARTLY = 5, 8


def holds(content: str | bytes, name: str = "people.csv") -> Callable[[World], object]:
    data = content.encode() if isinstance(content, str) else content
    return lambda world: (world.data / name).write_bytes(data)


def reads(name: str, content: bytes = b"") -> Callable[[World], object]:
    """Let the audience read another file with this content."""

    def read(world: World) -> None:
        world.edit("buyers.yaml", "people.csv", name)
        (world.data / name).write_bytes(content)

    return read


def parquet(world: World, name: str, select: str) -> bytes:
    file = world.data / name
    duckdb.execute(f"COPY ({select}) TO '{file}' (FORMAT parquet)")
    return file.read_bytes()


def people_in_parquet(world: World) -> bytes:
    world.edit("buyers.yaml", "people.csv", "people.parquet")
    return parquet(world, "people.parquet", f"SELECT * FROM read_csv('{world.people}', all_varchar = true)")


def stored(change: Callable[[Path], object]) -> Callable[[World], object]:
    """Let the audience read a Delta table of two versions, with a fault."""

    def store(world: World) -> None:
        world.edit("buyers.yaml", 'source: {files: ["people.csv"]}', "source: {delta: people}")
        numbers = [*AFTER]
        for some in (numbers[::2], numbers[1::2]):
            people = {"email": [email(one) for one in some], "id": [customer(one) for one in some]}
            write_table(world.data / "people", people)
        change(world.data / "people")

    return store


def lake(change: Callable[[Path], object]) -> Callable[[World], object]:
    """Let the audience read an Iceberg table of two snapshots, with a fault."""

    def store(world: World) -> None:
        world.edit("buyers.yaml", 'source: {files: ["people.csv"]}', "source: {iceberg: people}")
        table = iceberg_tables.create(world.data / "people", {"email": StringType(), "id": StringType()})
        numbers = [*AFTER]
        for some in (numbers[::2], numbers[1::2]):
            iceberg_tables.append(table, email=[*map(email, some)], id=[*map(customer, some)])
        change(world.data / "people")

    return store


def parquet_in_half(world: World) -> None:
    whole = people_in_parquet(world)
    (world.data / "people.parquet").write_bytes(whole[: len(whole) // 2])


def parquet_with_a_hole(world: World) -> None:
    """A file with valid ends and damage in the middle."""
    whole = people_in_parquet(world)
    middle = whole[4 : len(whole) // 2]
    (world.data / "people.parquet").write_bytes(b"PAR1" + b"\xa5" * len(middle) + whole[len(whole) // 2 :])


def gzip_in_half(world: World) -> None:
    packed = gzip.compress(rows(AFTER).encode())
    reads("people.csv.gz", packed[: len(packed) // 2])(world)


def gzip_with_a_flipped_bit(world: World) -> None:
    packed = bytearray(gzip.compress(rows(AFTER).encode()))
    packed[len(packed) // 2] ^= 1
    reads("people.csv.gz", bytes(packed))(world)


def zstandard_cut_between_blocks(world: World) -> None:
    """A file that ends between rows; only the missing end of the frame shows it."""
    frame = zstandard.ZstdCompressor().compressobj()
    start = frame.compress(rows(range(30)).encode()) + frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    reads("people.csv.zst", start)(world)


def parquet_with_a_flipped_bit(world: World) -> None:
    world.edit("buyers.yaml", "people.csv", "people.parquet")
    people = pa.table({"email": [email(one) for one in AFTER], "id": [customer(one) for one in AFTER]})
    file = world.data / "people.parquet"
    pq.write_table(people, file, write_page_checksum=True, use_dictionary=False, compression="none")
    file.write_bytes(file.read_bytes().replace(email(30).encode(), email(99).encode()))


def a_list_whose_columns_change(kind: str) -> Callable[[World], object]:
    def change(world: World) -> None:
        for number, column in ((1, "email"), (2, "mail")):
            file, write = world.data / f"gone{number}.{kind}", "parquet" if kind == "parquet" else "json"
            people = f"SELECT 'someone{number}@private.example' AS {column}"
            duckdb.execute(f"COPY ({people}) TO '{file}' (FORMAT {write})")
        adds(f'exclude: [{{files: ["gone*.{kind}"], columns: {{Email: email}}}}]')(world)

    return change


def types_that_change(world: World) -> None:
    world.edit("buyers.yaml", "people.csv", "day*.parquet")
    for name, kind in (("day1", "VARCHAR"), ("day2", "BIGINT"), ("day3", "DOUBLE")):
        parquet(world, f"{name}.parquet", f"SELECT 'someone@private.example' AS email, 7::{kind} AS id")


def decimals_beside_text(world: World) -> None:
    world.edit("buyers.yaml", "people.csv", "day*.parquet")
    for name, kind in (("day1", "VARCHAR"), ("day2", "DECIMAL(9, 2)")):
        parquet(world, f"{name}.parquet", f"SELECT 'someone@private.example' AS email, 7::{kind} AS id")


def columns_that_change(world: World) -> None:
    world.edit("buyers.yaml", "people.csv", "*.csv")
    (world.data / "second.csv").write_text("mail,id\nsomeone@private.example,7\n")


def files_named_after_people(world: World) -> None:
    world.edit("buyers.yaml", '"people.csv"', '"people.csv", "more/*.csv"')
    (world.data / "more").mkdir()
    (world.data / "more" / f"{email(1)}.csv").write_text("id\n7\n")


def conditions(where: str) -> Callable[[World], object]:
    return edits('["people.csv"]', f'["people.csv"], where: "{where}"')


def ages(by: timedelta) -> Callable[[World], object]:
    def age(world: World) -> None:
        world.edit("buyers.yaml", '["people.csv"]', '["people.csv"], maxAge: 36h')
        then = (datetime.now(UTC) - by).timestamp()
        os.utime(world.people, (then, then))

    return age


def suppresses_everyone(world: World) -> None:
    (world.data / "gone.csv").write_text(rows(AFTER))
    adds('exclude: [{files: ["gone.csv"], columns: {Email: email}}]')(world)


def while_it_is_read(change: Callable[[World], object]) -> Callable[[World], object]:
    """Run once between the first check of the files and the read of their rows."""

    def hook(world: World) -> None:
        from reconciler.members.reading import Audiences, GroupReader, ReadGroup

        read = GroupReader.read

        def changed(reader: GroupReader, audiences: Audiences) -> ReadGroup:
            if world.during:
                world.during.pop()(world)
            return read(reader, audiences)

        world.during = [change]
        world.stack.enter_context(mock.patch.object(GroupReader, "read", changed))

    return hook


def after_it_is_read(change: Callable[[World], object]) -> Callable[[World], object]:
    """Run after rows were read, before the sets of members are complete."""

    def hook(world: World) -> None:
        from reconciler.members.reading import Audiences, GroupReader, ReadGroup

        read = GroupReader.read

        def changed(reader: GroupReader, audiences: Audiences) -> ReadGroup:
            found = read(reader, audiences)
            if world.during:
                world.during.pop()(world)
            return found

        world.during = [change]
        world.stack.enter_context(mock.patch.object(GroupReader, "read", changed))

    return hook


def grows(world: World) -> None:
    with world.people.open("a") as file:
        file.write(f"{email(1)},{customer(1)}\n")


def is_cut(world: World) -> None:
    os.truncate(world.people, world.people.stat().st_size // 2)


def is_replaced(world: World) -> None:
    beside = world.data / "people.new"
    beside.write_text(rows(range(30, 80)))
    beside.replace(world.people)


def is_deleted(world: World) -> None:
    world.people.unlink()


def plans_then(change: Callable[[World], object]) -> Callable[[World], object]:
    def plan(world: World) -> None:
        assert world.run("plan", "sandbox").code == 0
        change(world)

    return plan


MOVING = "changed while it was read"
ATOMICALLY = "write it beside, rename it into its place when it is whole, and run again"

SOURCES = Group(
    "Sources",
    "Reconciler sends nothing from an incomplete source. Messages count rows and never quote them.",
    (
        Case(
            "no file matches",
            edits("people.csv", "nobody.csv"),
            BLOCKED,
            "no file matches nobody.csv",
            "it is relative to data.root, or to --data-root",
        ),
        Case(
            "the data folder is missing",
            edits("data: {root: data}", "data: {root: date}", "environment.yaml"),
            3,
            "the data folder does not exist",
            "relative to the project root",
        ),
        Case(
            "a CSV file lacks a column",
            holds("email,number\nsomeone@private.example,7\n"),
            BLOCKED,
            "there is no such column",
            "name a column of the files' header line",
        ),
        Case("a CSV file is empty", holds(b""), BLOCKED, "people.csv has no header line", "export it again"),
        Case(
            "a CSV file has a header and no rows",
            holds("email,id\n"),
            BLOCKED,
            "the source holds no rows",
            "an empty audience is never sent: deliver its rows, or take it out of the manifests",
        ),
        Case(
            "a CSV file is not UTF-8",
            holds(rows(AFTER).encode() + b"caf\xe9@private.example,x\n"),
            BLOCKED,
            "it is not UTF-8",
            "export it as UTF-8",
        ),
        Case(
            "a CSV file ends in NUL bytes, as after a crash of its writer",
            holds(rows(AFTER) + "\0" * 4096),
            BLOCKED,
            "of it is NUL",
            "export it again, as UTF-8",
        ),
        Case(
            "two stray quotes make one value of all rows between them",
            holds(rows(AFTER) + f'"{email(3)},x\n{email(4)}",x\n'),
            BLOCKED,
            "an identifier holds a line break",
            "a quote is probably opened too early",
        ),
        Case(
            "a line has more columns than the header",
            holds(rows(AFTER) + "a,b,c,d\n"),
            BLOCKED,
            "the line has more or fewer columns than the header",
            "export it again",
        ),
        Case(
            "a line was cut off",
            holds(rows(AFTER) + "someone@private.exa"),
            BLOCKED,
            "the line has more or fewer columns than the header",
            "export it again",
        ),
        Case(
            "a quote is never closed",
            holds(rows(AFTER) + f'"{email(3)},x\n' + rows(range(9))),
            BLOCKED,
            "a quote is opened and never closed",
            "export it again",
        ),
        Case(
            "a line has three megabytes",
            holds(rows(AFTER) + f"{'x' * 3_000_000},x\n"),
            BLOCKED,
            "a line is longer than 2 MB",
            "export it again",
        ),
        Case(
            "a photograph is called people.csv",
            holds(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 30),
            BLOCKED,
            "people.csv is no text",
            "is it really text?",
        ),
        Case(
            "a Parquet file is called people.csv",
            lambda world: world.people.write_bytes(
                parquet(world, "x.parquet", "SELECT 'a' AS email, 'b' AS id")
            ),
            BLOCKED,
            "people.csv is no text",
            "is it really text?",
        ),
        Case(
            "a file has no known ending",
            reads("people.xls", b"x"),
            BLOCKED,
            "people.xls is of no kind that can be read",
            "use .csv, .tsv",
        ),
        Case(
            "a CSV file packed by gzip was cut in half",
            gzip_in_half,
            BLOCKED,
            "people.csv.gz breaks off before its end",
            "write it beside, and rename it into its place when it is complete",
        ),
        Case(
            "a CSV file packed by gzip has a flipped bit",
            gzip_with_a_flipped_bit,
            BLOCKED,
            "people.csv.gz is damaged or is not gzip",
            "export it again",
        ),
        Case(
            "a CSV file packed by Zstandard was cut between two blocks",
            zstandard_cut_between_blocks,
            BLOCKED,
            "people.csv.zst breaks off before its end",
            "write it beside, and rename it into its place when it is complete",
        ),
        Case(
            "a packed file is empty",
            reads("people.csv.gz"),
            BLOCKED,
            "people.csv.gz is empty: not even an empty file is packed as that",
            "export it again",
        ),
        Case(
            "a CSV file is not packed, and called .gz",
            reads("people.csv.gz", rows(AFTER).encode()),
            BLOCKED,
            "people.csv.gz is damaged or is not gzip",
            "export it again",
        ),
        Case("a Parquet file was cut in half", parquet_in_half, BLOCKED, "people.parquet", "export it again"),
        Case(
            "a Parquet file has a hole of junk",
            parquet_with_a_hole,
            BLOCKED,
            "people.parquet",
            "export it again",
        ),
        Case(
            "a page of a Parquet file does not match its checksum",
            parquet_with_a_flipped_bit,
            BLOCKED,
            "people.parquet is damaged: a page does not match its checksum",
            "export it again",
        ),
        Case(
            "the type of a column changes between Parquet files",
            types_that_change,
            BLOCKED,
            "are stored as floating point in day3.parquet",
            "store it as text",
        ),
        Case(
            "one Parquet file has text where another has decimals",
            decimals_beside_text,
            BLOCKED,
            "the identifiers of this column are stored as decimal in day2.parquet",
            "store it as text",
        ),
        Case(
            "the columns change between CSV files",
            columns_that_change,
            BLOCKED,
            "there is no such column in second.csv",
            "did you mean mail?",
        ),
        Case(
            "the columns change between Parquet files of an exclusion list",
            a_list_whose_columns_change("parquet"),
            BLOCKED,
            "there is no such column in gone2.parquet: email",
            "did you mean mail?",
        ),
        Case(
            "the keys change between JSON files of an exclusion list",
            a_list_whose_columns_change("jsonl"),
            BLOCKED,
            "there is no such column in gone2.jsonl: email",
            "did you mean mail?",
        ),
        Case(
            "a file with other columns is named after a person",
            files_named_after_people,
            BLOCKED,
            "there is no such column in more/[redacted: possible PII]",
            "name a column of the files' header line",
        ),
        Case(
            "the log of a Delta table lacks a version",
            stored(lambda table: commit(table, 0).unlink()),
            BLOCKED,
            "the Delta table people has no version 0 in its log",
            "copy the whole table again",
        ),
        Case(
            "a Delta table lacks a file of its latest version",
            stored(lambda table: added_files(table, 1)[0].unlink()),
            BLOCKED,
            "the Delta table people lacks a file of version 1",
            "copy the whole table again",
        ),
        Case(
            "a Delta table has column mapping",
            stored(map_columns),
            BLOCKED,
            "the Delta table people has column mapping",
            "write a table without `delta.columnMapping.mode`",
        ),
        Case(
            "an Iceberg table has no metadata any more",
            lake(lambda table: [one.unlink() for one in table.glob("metadata/*.json")]),
            BLOCKED,
            "the Iceberg table people has no metadata",
            "check the path; copy the whole table again",
        ),
        Case(
            "an Iceberg table lacks a file of its current snapshot",
            lake(lambda table: iceberg_tables.data_files(table)[0].unlink()),
            BLOCKED,
            "the Iceberg table people lacks a file of its current snapshot",
            "copy the whole table again",
        ),
        Case(
            "an Iceberg table has a newer format",
            lake(lambda table: iceberg_tables.rewrite(table, lambda one: one.update({"format-version": 3}))),
            BLOCKED,
            "the Iceberg table people has a newer format version than 2",
            "write a table of format version 2",
        ),
        Case(
            "identifiers in JSON are numbers with a fraction",
            reads("people.jsonl", b'{"email": "a", "id": 1.5}\n'),
            BLOCKED,
            "not every value of email, id is text or a whole number",
            "write identifiers as text",
        ),
        Case(
            "JSON lines break off",
            reads("people.jsonl", b'{"email": "a@b.example", "id": "1"}\n{"email": "c'),
            BLOCKED,
            "people.jsonl, line 3: it breaks off, or is no JSON",
            "export it again",
        ),
        Case(
            "a pattern leads out of the data root",
            edits("people.csv", "../people.csv"),
            3,
            "item 1 of `files` is not written as it must be",
            "write a path or pattern below the data root",
        ),
        Case(
            "`where` is no SQL",
            conditions("id = = 7"),
            BLOCKED,
            "`where` is not one SQL expression",
            "write what stands after WHERE",
        ),
        Case(
            "`where` names a column that isn't there",
            conditions("idd = '7'"),
            BLOCKED,
            "`where` names a column that isn't there",
            "did you mean id?",
        ),
        Case(
            "`where` holds a sub-query",
            conditions("id in (select id from x)"),
            BLOCKED,
            "`where` holds a sub-query",
            "use `exclude`",
        ),
        Case(
            "`where` reads a file",
            conditions("read_text('/etc/passwd') = 'x'"),
            BLOCKED,
            "`where` calls read_text, which is not allowed there",
            "prepare the column in the source",
        ),
        Case(
            "`where` compares text with a number",
            conditions("email > 7"),
            BLOCKED,
            "`where` doesn't suit its columns: email is text",
            "compare like with like, or convert",
        ),
        Case(
            "`where` would make texts of gigabytes",
            conditions("length(lpad('x', 2000000000, 'y')) > 1"),
            BLOCKED,
            "`where` pads to something else than a fixed length of up to 1,000 characters",
            "give the length as a number",
        ),
        Case(
            "`where` is nested 500 levels deep",
            conditions("case when id = '7' then " * 500 + "true" + " end" * 500),
            BLOCKED,
            "`where` is nested more than 100 levels deep",
            "use IN (…) instead of many CASE or OR",
        ),
        Case(
            "`where` names a parameter other than `:today`",
            conditions("id = :yesterday"),
            BLOCKED,
            "`where` names a parameter that isn't there",
            "only `:today` is known",
        ),
        Case(
            "`where` names a column with spaces without quotes",
            conditions("first name = 'x'"),
            BLOCKED,
            "`where` is not one SQL expression",
            "quote columns with spaces",
        ),
        Case(
            "`where` drops every row",
            conditions("id = 'nobody'"),
            BLOCKED,
            "no members are left of the rows read",
            "`reconciler explain` says why rows were dropped",
        ),
        Case(
            "a source is older than its maxAge",
            ages(timedelta(days=3)),
            BLOCKED,
            "the newest source file is 3 days old (limit 36 hours, maxAge)",
            "deliver fresh files, or raise source.maxAge",
        ),
        Case(
            "a source comes from the year 3000",
            ages(timedelta(days=-355_000)),
            0,
            "2 applied",
            leaves=Leaves.ALL,
        ),
        Case(
            "an exclusion list is missing",
            adds('exclude: [{files: ["gone.csv"], columns: {Email: email}}]'),
            BLOCKED,
            "no file matches",
            "it is relative to data.root, or to --data-root",
        ),
        Case(
            "an exclusion list holds everybody",
            suppresses_everyone,
            BLOCKED,
            "no members are left of the rows read",
            "an empty audience is never sent",
        ),
        Case(
            "half of the people left",
            lambda world: world.people.write_text(rows(range(25))),
            BLOCKED,
            "more than 50% of members would be removed",
            "kind: Override",
        ),
        Case(
            "half of the identifiers are malformed",
            holds(rows(AFTER).replace("@", "", 30)),
            PARTLY,
            "more than 10% of the identifiers can't be sent (limit 10%, maxInvalid)",
            "`reconciler explain` counts them by reason",
            leaves=Leaves.PART,
        ),
        Case("a source grows while it is read", while_it_is_read(grows), BLOCKED, MOVING, ATOMICALLY),
        Case("a source is cut while it is read", while_it_is_read(is_cut), BLOCKED, MOVING, ATOMICALLY),
        Case(
            "a source is replaced while it is read",
            while_it_is_read(is_replaced),
            BLOCKED,
            MOVING,
            ATOMICALLY,
        ),
        Case(
            "a source is deleted while it is read", while_it_is_read(is_deleted), BLOCKED, MOVING, ATOMICALLY
        ),
        Case("a source grows when half of it was read", after_it_is_read(grows), BLOCKED, MOVING, ATOMICALLY),
        Case(
            "a source is replaced between plan and apply",
            plans_then(is_replaced),
            0,
            "2 applied",
            leaves=Leaves.ALL,
            repairs=lambda world: None,
            people=range(30, 80),
        ),
        Case(
            "a source is deleted between plan and apply",
            plans_then(is_deleted),
            BLOCKED,
            "no file matches",
            "it is relative to data.root, or to --data-root",
        ),
    ),
)
