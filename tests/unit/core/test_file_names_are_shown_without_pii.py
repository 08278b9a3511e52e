"""File names are shown unless they look like a person; common names of exports never do."""

import pytest

from reconciler.core.pii import REDACTED, redacted_path

pytestmark = pytest.mark.promise("private")

ORDINARY = [
    "customers/2026-11-25.csv",
    "customers/date=2026-11-25/hour=07/part-0000.csv.gz",
    "customers/part-00000-4f1c2d3e-5a6b-4c7d-8e9f-012345678901-c000.snappy.parquet",
    "part-00007-tid-8291837465091827364-4f1c2d3e-5a6b-4c7d-8e9f-0a1b2c3d4e5f-12-1-c000.snappy.parquet",
    "customers-000000000012.csv",
    "customers-00001-of-00010.jsonl",
    "topic+3+0000000123.json",
    "20261125_103000_00012_abcde_4f1c2d3e-5a6b-4c7d-8e9f-012345678901.gz",
    "export_20261125103000.csv",
    "export-20261125T103000Z.csv",
    "export-2026-11-25-10-30-00-1-12.csv",
    "export 2026-11-25 10.30.00.123456.csv",
    "customers_2026-11-01_2026-11-25.csv",
    "25.11.2026-0001.csv",
    "dump-1700000000.csv",
    "dump-1763980200123.csv",
    "data_0_7_0.csv.zst",
    "loyalty gold (final) v2.1+eu.csv",
    "klanten/kunden-größe.csv",
    "a-very-long-name-of-an-export-of-all-loyal-customers-in-all-countries.csv",
]
PERSONAL = [
    "bob@acme.com.csv",
    "bob@acme.csv",
    "bob%40acme.com.csv",
    "email=bob@acme.com",
    "+4917012345678.csv",
    "004917012345678.csv",
    "4917012345678.csv",
    "06 12 34 56 78.csv",
    "06.12.34.56.78.csv",
    "(555) 123-4567.csv",
    "%20555%20123%204567.csv",
    "77100200300400103.csv",
    "customer_0012345678.csv",
    "2026-11-25-77100200300400103.csv",
    "9b1f0c9e8d7a4b5c9f3e2d1c0b9a8f7e.csv",
    "hash-375320DD9AE7ED408002F3768E16CB5F28C861062FD50DFF9A3BFF62E9DCE4EF.csv",
    "XY1000bTmN2qL8sV4wZ6yA0cE3gI5kM7oQ9uW1xB2dF4hJ6lP8r.csv",
]


@pytest.mark.parametrize("path", ORDINARY)
def test_a_name_of_an_export_is_shown(path: str):
    assert redacted_path(path) == path


@pytest.mark.parametrize("name", PERSONAL)
def test_a_name_that_may_be_a_person_is_not(name: str):
    assert redacted_path(name) == REDACTED
    assert redacted_path(f"customers/{name}/part-0000.csv") == f"customers/{REDACTED}/part-0000.csv"
