"""Any content of manifests, sources and lists is read, or refused with our own message: never exit 1.

Every run breaks one thing of a small project at random. FILES sets how many; SEED where they begin.
"""

import gzip
import json
import os
import random
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest
from support.manifest_project import FILES as MANIFESTS
from support.manifest_project import Project
from support.source_project import build

from reconciler.core.errors import ConfigurationError, ReconcilerError
from reconciler.core.members import SnapshotRef
from reconciler.manifests import load_offline
from reconciler.members.data_root import LocalFolder
from reconciler.members.engine import DuckDbEngine
from reconciler.members.source_check import check_all

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.promise("refused-early")

RUNS, SEED = int(os.environ.get("FILES", "120")), int(os.environ.get("SEED", "1"))
MARKERS = ("private.example", "C4NARY", "marker.name")
TODAY = date(2026, 11, 24)
AUDIENCE = "audiences/lapsed.yaml"
WHERE = 'where: "last_order < :today - interval 90 day"'
ROWS = [
    {
        "email": f"marker.name{n}@private.example",
        "customer_id": f"C4NARY{n:05}",
        "last_order": f"2026-0{n % 9 + 1}-11",
        "city": "Köln" if n % 3 else 'two "words", and\nlines',
    }
    for n in range(200)
]
Random = random.Random


def csv(_: Path) -> bytes:
    quoted = (",".join('"' + one.replace('"', '""') + '"' for one in row.values()) for row in ROWS)
    return "\n".join([",".join(ROWS[0]), *quoted, ""]).encode()


def jsonl(_: Path) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)


def json_array(_: Path) -> bytes:
    return json.dumps(ROWS).encode()


def parquet(folder: Path) -> bytes:
    (folder / "rows.jsonl").write_bytes(jsonl(folder))
    file = folder / "rows.parquet"
    duckdb.execute(f"COPY (FROM read_json('{folder}/rows.jsonl') AS s) TO '{file}' (FORMAT parquet)")
    return file.read_bytes()


FORMATS = {".csv": csv, ".tsv": csv, ".jsonl": jsonl, ".json": json_array, ".parquet": parquet}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".zst": zstd.compress,
}
BYTES = [
    b"\x00",
    b"\xff",
    b'"',
    b"'",
    b"\n",
    b"\r",
    b"\r\n",
    b",",
    b";",
    b"\xef\xbb\xbf",
    b"\xc3",
    b"{",
    b"[",
    b"\\",
]
YAML = [
    *(
        "[",
        "{",
        "}",
        "]",
        "&a ",
        "*a",
        "!x ",
        "%",
        "---\n",
        "...\n",
        "<<<<<<< HEAD\n",
        ": ",
        "- ",
        "#",
        "|",
        ">",
        "'",
    ),
    *(
        "null",
        "true",
        "~",
        "\t",
        "\n",
        "\u2028",
        "\x00",
        "é",
        "😀",
        "1" * 500,
        "a" * 500,
        '"',
        "\\",
        "\r",
        "?",
        ",",
    ),
]
SQL = [
    *(
        "last_order",
        "city",
        "email",
        '"customer_id"',
        "nope",
        ":today",
        ":x",
        "?",
        "$1",
        "1",
        "1e400",
        "'x'",
        "''",
    ),
    *(
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ".",
        "::",
        "::date",
        "::int",
        "::varchar[]",
        "::decimal(9,2)",
        ";",
        "--",
        "/*",
    ),
    *(
        "and",
        "or",
        "not",
        "in",
        "is null",
        "like",
        "between",
        "case",
        "when",
        "then",
        "else",
        "end",
        "cast(",
        "as",
    ),
    *(
        "=",
        "<",
        "+",
        "-",
        "*",
        "/",
        "%",
        "||",
        "~",
        "->>",
        "interval 90 day",
        "lower(",
        "lpad(",
        "strptime(",
        "exists",
    ),
    *(
        "replace(",
        "select",
        "from",
        "union",
        "over ()",
        "lambda x:",
        "x -> x",
        "sum(",
        "now()",
        "\x00",
        "é",
        "😀",
        "$$",
    ),
    *(
        "regexp_replace(city, 'a', 'b')",
        "date_trunc('month', last_order)",
        "json_extract(",
        "struct_extract(",
        "1 = 1",
    ),
]


def broken(data: bytes, rng: Random) -> bytes:
    """A few bytes otherwise, cut off, twice, or in another place."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        at, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
        end = min(end, at + rng.choice((1, 8, 200, len(data))))
        data = rng.choice(
            (
                data[:at] + data[end:],
                data[:at],
                data[:at] + rng.choice(BYTES) * rng.choice((1, 3, 200_000)) + data[at:],
                data[:at] + bytes(end - at) + data[end:],
                data[:at] + rng.randbytes(min(end - at, 64)) + data[end:],
                data[:at] + data[at:end] * 3 + data[end:],
                bytes([*data[:at], data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
                if at < len(data)
                else data,
            )
        )
    return data


def breaks_a_file(project: Project, rng: Random) -> None:
    suffix, packing = rng.choice([*FORMATS]), rng.choice([*PACKERS])
    data = FORMATS[suffix](project.root)
    if suffix == ".parquet":
        packing = ""
    name = f"people{suffix}{packing}"
    packed = PACKERS[packing](broken(data, rng) if rng.random() < 0.5 else data)
    folder = rng.choice(("customers/", ""))
    (project.root / "data" / folder / name).write_bytes(broken(packed, rng))
    project.edit(AUDIENCE, "customers/*.csv" if folder else "suppressed.csv", f"{folder}{name}")
    if rng.random() < 0.5:
        project.edit(AUDIENCE, f"  {WHERE}\n", "")


def breaks_a_manifest(project: Project, rng: Random) -> None:
    name = rng.choice([*MANIFESTS])
    text = (project.folder / name).read_bytes()
    if rng.random() < 0.4:
        project.write(name, broken(text, rng))
        return
    lines = text.decode()
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(lines))
        lines = lines[:at] + rng.choice(YAML) * rng.choice((1, 1, 1, 50)) + lines[at + rng.randrange(3) :]
    project.write(name, lines.encode(errors="replace"))


def breaks_a_condition(project: Project, rng: Random) -> None:
    if rng.random() < 0.3:
        part = " ".join(rng.choice(SQL) for _ in range(3))
        count = rng.choice((10, 99, 500, 2_000))
        where = rng.choice(
            (f"({part}) or " * count + "true", "(" * count + part + ")" * count, f"not {part} " * count)
        )
    else:
        where = " ".join(rng.choice(SQL) for _ in range(rng.randrange(1, 14)))
    project.edit(AUDIENCE, WHERE, f"where: {json.dumps(where)}")


KINDS = (breaks_a_file, breaks_a_manifest, breaks_a_condition)


def never(snapshot: SnapshotRef) -> str:
    raise AssertionError(f"{snapshot} was never built here")


def looked_at(project: Project) -> list[str]:
    """What `validate` and `plan` say of the project."""
    data = str(project.root / "data")
    try:
        desired = load_offline(project.root, "sandbox", today=TODAY)
    except ConfigurationError as error:
        return [str(error), *map(str, error.findings)]
    said = [str(one) for one in check_all(desired.audiences, data, TODAY, project.root)]
    kinds = [(spec.key.identifier_type, spec.key.hashing) for spec in desired.segments]
    with DuckDbEngine(
        LocalFolder(project.root / "data"), project.root / "work", never, b"k" * 32, None
    ) as engine:
        for audience in desired.audiences:
            try:
                build(engine, audience, list(dict.fromkeys(kinds)))
            except ReconcilerError as error:
                said += [str(error), str(error.remedy), *map(str, getattr(error, "findings", ()))]
    return said


@pytest.mark.parametrize("seed", range(SEED, SEED + RUNS))
def test_what_is_broken_is_refused_in_our_own_words(tmp_path: Path, seed: int) -> None:
    rng = Random(seed)
    project = Project(tmp_path)
    for folder in ("customers/north.csv", "suppressed.csv"):
        (tmp_path / "data" / folder).write_bytes(csv(tmp_path))
    KINDS[seed % len(KINDS)](project, rng)
    said = "\n".join(looked_at(project))
    assert not [one for one in MARKERS if one.casefold() in said.casefold()], said
