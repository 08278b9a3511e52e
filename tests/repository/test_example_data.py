"""The example data is the output of its generator, and no person in it exists."""

import csv
import gzip
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", EXAMPLES / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unpacked(name: str, content: bytes) -> bytes:
    """Another build of zlib may pack the same bytes otherwise."""
    return gzip.decompress(content) if name.endswith(".gz") else content


def test_generating_again_gives_the_same_bytes(generator):
    made = generator.files()
    assert made == generator.files()
    kept = {
        str(path.relative_to(EXAMPLES / "data")) for path in (EXAMPLES / "data").rglob("*") if path.is_file()
    }
    assert kept == set(made)
    for name, content in made.items():
        assert unpacked(name, (EXAMPLES / "data" / name).read_bytes()) == unpacked(name, content), name
    assert sum(map(len, made.values())) < 3_000_000


def test_every_address_and_number_is_kept_free_for_examples(generator):
    for name, content in generator.files().items():
        text = unpacked(name, content).decode("utf-8-sig").lower()
        domains = set(re.findall(r"@([a-z.-]+\.[a-z]+)", text))
        assert all(re.fullmatch(r"example\.(com|org|net)|[a-z]+\.example", domain) for domain in domains), (
            name
        )


def test_the_dirt_of_real_exports_is_in_it(generator):
    files = generator.files()
    north, south, west = (files[f"customers/2026-{part}.csv"] for part in ("north", "south", "west"))
    assert south.startswith(b"\xef\xbb\xbf")
    assert west.count(b"\r\n") > 6000
    assert b"\r\n" not in north
    rows = [
        row
        for part in (north, south, west)
        for row in csv.DictReader(part.decode("utf-8-sig").splitlines(True))
    ]
    ids = [row["customer_id"] for row in rows]
    assert len(set(ids)) == generator.CUSTOMERS < len(ids)
    assert all(re.fullmatch(r"0\d{7}", one) for one in ids)
    emails = [row["email"] for row in rows]
    assert any("\u00a0" in one for one in emails)
    assert any(re.fullmatch(r"[0-9a-f]{64}", one) for one in emails)
    assert any("\n" in row["city"] for row in rows)
    assert 300 < emails.count("") < 600


@pytest.mark.parametrize("today", ["2026-11-24", "2027-11-24", "2028-11-24", "2029-11-24"])
def test_lapsed_customers_stay_a_share_for_years(generator, today):
    rows = list(csv.DictReader(generator.files()["customers/2026-north.csv"].decode().splitlines(True)))
    ordered = [row["last_order"] for row in rows if row["last_order"]]
    assert 0.5 < sum(day < today for day in ordered) / len(ordered) < 0.95
