"""Identifiers, hashes, secrets and tokens of the example data appear in nothing that is printed."""

import csv
import gzip
import hashlib
import json

import pytest
from command_line import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project.examples(tmp_path_factory.mktemp("leaks"))


def personal(project):
    """Every e-mail, hash and customer id there is, in every form that could be sent."""
    emails, ids = set(), set()
    for file in (project.root / "examples" / "data").rglob("*.csv"):
        with file.open(encoding="utf-8-sig", newline="") as rows:
            for row in csv.DictReader(rows):
                emails.add((row.get("email") or "").strip().lower())
                ids.add((row.get("customer_id") or "").strip())
    with gzip.open(project.root / "examples/data/loyalty/members.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            emails.add(str(row.get("email") or "").strip().lower())
            ids.add(str(row.get("customer_id") or "").strip())
    emails = {one for one in emails if len(one) > 5}
    hashes = {hashlib.sha256(one.encode()).hexdigest() for one in emails}
    return emails | hashes | {one for one in ids if len(one) > 5}


def words(text):
    for mark in "\"'`“”‘’()[]{}<>,;:=→":
        text = text.replace(mark, " ")
    return {word.rstrip(".").lower() for word in text.split()}


def everything_said(project):
    yield project.run("validate", "-v").said
    for command in ("plan", "apply", "status"):
        extra = ("--yes",) if command == "apply" else ("--refresh",) if command == "status" else ()
        yield project.run(command, "sandbox", "-v", *extra).said
    for channel in ("offsite-email", "onsite-customer"):
        yield project.at_terminal("explain", "sandbox", f"{channel}/high-value", "-v").said
    yield project.at_terminal("plan", "sandbox", "-v").said


def broken_sources(project):
    """What goes wrong while people are read is told without them."""
    source = next((project.root / "examples" / "data" / "customers").glob("*north.csv"))
    whole = source.read_bytes()
    for spoiled in (whole[: len(whole) // 2] + b'"', whole.replace(b",", b";"), b"\x00\xff" + whole, b""):
        source.write_bytes(spoiled)
        for arguments in (("plan", "sandbox", "-v"), ("validate", "-v")):
            yield project.at_terminal(*arguments).said
    source.write_bytes(whole)
    receipts = project.root / ".reconciler" / "state" / "sandbox" / "receipts"
    receipt = next(receipts.glob("*.json"))
    kept = receipt.read_bytes()
    receipt.write_bytes(kept[: len(kept) // 2])
    yield project.run("plan", "sandbox", "-v", code=10).said
    receipt.write_bytes(kept)


def test_no_command_shows_a_person_or_a_secret(project):
    said = [*everything_said(project), *broken_sources(project)]
    with project.emulator() as emulator:
        secret = emulator.credentials.client_secret
    shown = set().union(*map(words, said))
    assert len(shown) > 200
    assert shown & personal(project) == set()
    assert all(secret not in text and "Bearer" not in text for text in said)
    assert "This is a bug" not in "".join(said)


def test_the_search_would_find_a_leak(project):
    leaked = next(iter(personal(project)))
    assert words(f'Error: can\'t send "{leaked}".') & personal(project)
