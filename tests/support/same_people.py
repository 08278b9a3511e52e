"""The same dirty rows in files of each kind, and what a plan takes from them."""

import csv
import io

import pyarrow as pa
from pyiceberg.types import LongType, StringType
from support import iceberg_tables
from support.databases import Row, values
from support.delta_tables import write_table
from support.source_project import CUSTOMER, EMAIL, Project

from reconciler.core.members import TargetMembers
from reconciler.core.model import Hashing

ROWS: list[Row] = [
    *((None, 10 + number, "2026-01-01") for number in range(1100)),  # more than a driver guesses types by
    ("Ann@Example.com", 1, "2026-01-01"),
    (" bo@example.com\t", 2, "2026-11-23"),
    ("bo@example.com", 2, "2026-11-24"),
    ("\u00a0cleo@example.com\u2003", 3, "2026-01-01"),
    ("\u0130pek@example.com", 4, "2026-01-01"),
    ("\u039f\u0394\u039f\u03a3@example.com", 5, "2026-01-01"),
    ("jose\u0301@example.com", 6, "2026-01-01"),
    ("\U0001f600@example.com", 7, "2026-01-01"),
    ("o'neil@example.com", 8, "2026-01-01"),
    ("no address", None, "2026-01-01"),
]
KINDS = ((EMAIL, Hashing.NONE), (EMAIL, Hashing.SHA256), (CUSTOMER, Hashing.NONE))


def in_csv(project: Project) -> Project:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["email", "id"])
    lines.writerows([email, id_] for email, id_, _ in ROWS)
    project.write("people.csv", text.getvalue())
    return project.reads("people.csv")


def in_parquet(project: Project) -> Project:
    project.parquet("people.parquet", f"FROM (VALUES {values(ROWS)}) AS t(email, id, day)")
    return project.reads("people.parquet")


def in_delta(project: Project) -> Project:
    """Half of the rows are in one version, and half in the next."""
    for some in (ROWS[:600], ROWS[600:]):
        columns = {"email": [one[0] for one in some], "id": [one[1] for one in some]}
        write_table(project.root / "people", columns, types={"email": pa.string()})
    return project.delta("people")


def in_iceberg(project: Project) -> Project:
    """Half of the rows are in one snapshot, and half in the next, in which a column has another name."""
    table = iceberg_tables.create(project.root / "people", {"mail": StringType(), "id": LongType()})
    iceberg_tables.append(table, mail=[one[0] for one in ROWS[:600]], id=[one[1] for one in ROWS[:600]])
    with table.update_schema() as schema:
        schema.rename_column("mail", "email")
    iceberg_tables.append(table, email=[one[0] for one in ROWS[600:]], id=[one[1] for one in ROWS[600:]])
    return project.iceberg("people")


def totals(project: Project) -> list[tuple[object, ...]]:
    """Return what a plan and an apply take from a target, with each hashing."""

    def of(one: TargetMembers) -> tuple[object, ...]:
        return (one.members.digest, one.members.count, one.rows, sorted(one.drops), sorted(one.malformed))

    return [of(target) for _, target in project.build(*KINDS)]


FILES = {"csv": in_csv, "parquet": in_parquet, "delta": in_delta, "iceberg": in_iceberg}
