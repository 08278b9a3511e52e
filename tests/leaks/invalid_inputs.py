"""Invalid inputs: each puts members or secrets in a wrong place, or damages their file."""

import csv
import gzip
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
from leaks.markers import MARKERS, Person
from leaks.project import edit, people
from leaks.runner import LeakRunner
from pyiceberg.types import StringType
from support import iceberg_tables
from support.delta_tables import added_files, commit, write_table

EVERYTHING = (
    ("validate", "-v"),
    ("apply", "sandbox", "--yes", "-v"),
    ("status", "sandbox", "--statistics", "-v"),
    ("explain", "sandbox", "email/buyers", "-v"),
)
"""`apply` says all that `plan` says. The last one is run at a terminal."""
SOURCES = (
    *EVERYTHING,
    ("doctor", "sandbox", "-v"),
    ("plan", "sandbox", "--out", "p.json", "--markdown", "p.md", "--html", "p.html"),
)
"""What reads sources, in all forms of saying it."""
PERSON, MISFIT = MARKERS.people[3], MARKERS.misfits[0]
CSV, BUYERS, REST, HOME = "people.csv", "buyers.yaml", "rest.yaml", "environment.yaml"


@dataclass(frozen=True)
class InvalidInput:
    """`code` is an expected exit code of one of the commands, so that the case can't become valid."""

    code: int
    corrupt: Callable[[LeakRunner], object]
    commands: tuple[tuple[str, ...], ...] = EVERYTHING
    environ: Mapping[str, str] = field(default_factory=dict)


def where(expression: str, code: int = 3) -> InvalidInput:
    return InvalidInput(
        code, lambda one: edit(one, BUYERS, '["people.csv"]}', f'["people.csv"], where: "{expression}"}}')
    )


def manifest(name: str, old: str, new: str) -> InvalidInput:
    return InvalidInput(3, lambda one: edit(one, name, old, new))


def source(change: Callable[[bytes], bytes], code: int = 3) -> InvalidInput:
    def corrupt(runner: LeakRunner) -> None:
        file = runner.folder / "data" / CSV
        file.write_bytes(change(file.read_bytes()))

    return InvalidInput(code, corrupt)


def instead(name: str, content: Callable[[Path], object], code: int = 3) -> InvalidInput:
    """Replace the source by another file."""

    def corrupt(runner: LeakRunner) -> None:
        content(runner.folder / "data" / name)
        edit(runner, BUYERS, "people.csv", name)

    return InvalidInput(code, corrupt)


def named(kind: str, content: bytes) -> InvalidInput:
    """Add source files named after people, each with an error."""

    def corrupt(runner: LeakRunner) -> None:
        more = runner.folder / "data" / "more"
        for name in (PERSON.email, PERSON.phone, PERSON.customer, MARKERS.hashes[0]):
            (more / name).mkdir(parents=True)
            (more / name / f"{name}.{kind}").write_bytes(content)
        edit(runner, BUYERS, '["people.csv"]}', '["people.csv", "more/*/*"]}')

    return InvalidInput(3, corrupt, SOURCES)


def query(text: str) -> Callable[[Path], object]:
    """Write a Parquet file with the result of a query."""

    def write(file: Path) -> object:
        with duckdb.connect() as own:
            return own.execute(f"COPY ({text}) TO '{file}' (FORMAT parquet)")

    return write


def queried(
    sql: str, driver: str = "sqlite", change: Callable[[Path], object] = lambda _: None
) -> InvalidInput:
    """Replace the source by a query of a database with its rows, which `change` may break."""

    def corrupt(runner: LeakRunner) -> None:
        data = runner.folder / "data"
        file = data / f"crm.{driver}"
        with (data / CSV).open(encoding="utf-8") as stream:
            rows = [row[:3] for row in csv.reader(stream)][1:]
        if driver == "sqlite":
            with sqlite3.connect(file) as made:
                made.execute("CREATE TABLE customers (email, id, phone)")
                made.executemany("INSERT INTO customers VALUES (?, ?, ?)", rows)
            made.close()
        else:
            with duckdb.connect(str(file)) as opened:
                opened.execute(f"CREATE TABLE customers AS FROM read_csv('{data / CSV}', all_varchar = true)")
        change(file)
        connection = f"kind: Connection\nname: crm\ndriver: {driver}\nfile: {file.name}\n"
        (runner.folder / "environments" / "sandbox" / "connections.yaml").write_text(connection)
        edit(runner, BUYERS, '{files: ["people.csv"]}', f'{{query: {{connection: crm, sql: "{sql}"}}}}')

    return InvalidInput(3, corrupt, (*SOURCES, ("validate", "sandbox", "--online")))


def filed(sql: str) -> InvalidInput:
    """Replace the source by a query in a file."""

    def corrupt(runner: LeakRunner) -> None:
        queried("SELECT 1").corrupt(runner)
        edit(runner, BUYERS, 'sql: "SELECT 1"', "file: buyers.sql")
        (runner.folder / "environments" / "sandbox" / "buyers.sql").write_text(sql)

    return InvalidInput(3, corrupt, SOURCES)


def stored(change: Callable[[Path], object]) -> InvalidInput:
    """Replace the source by a Delta table with its rows, in folders named after people, and break it."""

    def corrupt(runner: LeakRunner) -> None:
        table = runner.folder / "data" / "table"
        persons = MARKERS.people[:4]
        columns = {
            "email": [one.email for one in persons],
            "id": [one.customer for one in persons],
            "phone": [one.phone for one in persons],
            "of": [one.email for one in persons],
        }
        write_table(table, columns, ["of"])
        change(table)
        edit(runner, BUYERS, '{files: ["people.csv"]}', "{delta: table}")

    return InvalidInput(3, corrupt)


def lake(change: Callable[[Path], object]) -> InvalidInput:
    """The same with an Iceberg table."""

    def corrupt(runner: LeakRunner) -> None:
        folder, persons = runner.folder / "data" / "table", MARKERS.people[:4]
        types = dict.fromkeys(("email", "id", "phone", "of"), StringType())
        table = iceberg_tables.create(folder, types, ["of"])
        emails = [one.email for one in persons]
        iceberg_tables.append(
            table,
            email=emails,
            id=[one.customer for one in persons],
            phone=[one.phone for one in persons],
            of=emails,
        )
        change(folder)
        edit(runner, BUYERS, '{files: ["people.csv"]}', "{iceberg: table}")

    return InvalidInput(3, corrupt)


def typed(*arguments: str, code: int = 64) -> InvalidInput:
    return InvalidInput(code, lambda _: None, (arguments,))


def state(pattern: str, change: Callable[[Path], object]) -> InvalidInput:
    def corrupt(runner: LeakRunner) -> None:
        files = sorted((runner.folder / ".reconciler").glob(pattern))
        assert files
        for file in files:
            change(file)

    return InvalidInput(10, corrupt)


def _personal_json(file: Path) -> None:
    rows = f'{{"email": "{PERSON.email}", "id": 77.5, "phone": {{"{PERSON.email}": 1}}}}'
    file.write_text(rows + '\n{"email"')


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def _rewritten(file: Path) -> None:
    file.write_text(f'{{"{PERSON.email}": "{MARKERS.client_secret}"}}')


def _struct_in_a_condition(runner: LeakRunner) -> None:
    columns = "'a@b.example' AS email, '1' AS id, '+4917900000001' AS phone"
    query(f"SELECT {columns}, {{'{PERSON.email}': 1}} AS odd")(runner.folder / "data" / "odd.parquet")
    edit(runner, BUYERS, '["people.csv"]}', '["odd.parquet"], where: "odd > 3"}')


def _foreign(runner: LeakRunner) -> None:
    shutil.rmtree(runner.folder / ".reconciler" / "state")


def _suppressing(runner: LeakRunner, persons: Sequence[Person]) -> None:
    people(runner, persons, name="opt-outs.csv")
    lists = '{lists: [{name: opt-outs, files: ["opt-outs.csv"], columns: {Email: email}}]}'
    edit(runner, HOME, "guards:", f"suppress: {lists}\nguards:")


def suppressed(persons: Sequence[Person], code: int) -> InvalidInput:
    return InvalidInput(code, lambda one: _suppressing(one, persons), SOURCES)


def overridden(days: int, code: int) -> InvalidInput:
    """Shrink the source beyond its limit. The last day of an override is so many days from today."""

    def corrupt(runner: LeakRunner) -> None:
        people(runner, MARKERS.people[:9])
        expires = datetime.now(UTC).date() + timedelta(days=days)
        document = f'address: buyers\nguards: {{maxShrink: 100%}}\nreason: x\nexpires: "{expires}"\n'
        folder = runner.folder / "environments" / "sandbox"
        (folder / "overrides.yaml").write_text(f"kind: Override\n{document}")

    return InvalidInput(code, corrupt, SOURCES)


REFUSALS: Mapping[str, InvalidInput] = {
    # guards and people that can't be sent
    "a shrink past the limit": InvalidInput(5, lambda one: people(one, MARKERS.people[:9])),
    "an empty source": InvalidInput(5, lambda one: people(one, ())),
    "only people that can't be sent": InvalidInput(5, lambda one: people(one, MARKERS.misfits)),
    "segments that the state doesn't know": InvalidInput(5, _foreign),
    # suppression lists and overrides, also where nothing is refused
    "opt-outs that are members": suppressed(MARKERS.people[4:6], 0),
    "opt-outs without a row": suppressed((), 5),
    "a shrink that an override lets pass": overridden(1, 0),
    "a shrink that an expired override lets pass no more": overridden(-1, 5),
    # sources
    "no header line": source(lambda text: text.partition(b"\n")[2]),
    "another separator": source(lambda text: text.replace(b",", b";"), 0),
    "a quote never closed": source(lambda text: text + b'"%s,1,2\n' % PERSON.email.encode()),
    "half of a file": source(lambda text: text[: len(text) // 2], 8),
    "a line with a column more": source(lambda text: text + b"a,b,c,%s\n" % PERSON.email.encode()),
    "not UTF-8": source(lambda text: text + b"\xff\xfe%s,1,2\n" % PERSON.email.encode()),
    "an empty file": source(lambda _: b""),
    "binary": source(lambda text: b"\x00\x01" + text),
    "columns named like people": instead("odd.parquet", query(f'SELECT 1.5::DOUBLE AS "{PERSON.email}"')),
    "a type made of people": instead(
        "odd.parquet", query(f"SELECT {{'{PERSON.email}': 1}} AS email, '1' AS id, '2' AS phone")
    ),
    "a file that is no Parquet": instead("odd.parquet", _rewritten),
    "JSON that breaks off": instead("odd.jsonl", _personal_json),
    "a packed file that breaks off": instead(
        "odd.csv.gz", lambda file: (file.write_bytes(gzip.compress(PERSON.email.encode() * 99)), _cut(file))
    ),
    "a column missing from files named after people": named("csv", b"id,phone\n1,2\n"),
    "files named after people that can't be read": named("pdf", b""),
    "files named after people that are empty": named("csv", b""),
    "files named after people with a column more": named("csv", b"email,id,phone\na,b,c,d\n"),
    "packed files named after people that break off": named("csv.gz", b"\x1f\x8b\x08"),
    # conditions
    "a condition on a type made of people": InvalidInput(3, _struct_in_a_condition),
    "a cast that fails on a person": where("cast(email as int) > 3"),
    "a date that fails on a person": where("strptime(email, '%Y') > :today"),
    "a pattern that fails on a person": where("regexp_matches(id, email || '(')", 3),
    "a condition that is a person": where(f"{PERSON.customer} = id"),
    "a condition that is no yes or no": where("email || id"),
    "a condition whose type is made of people": where(f"row('{PERSON.customer}')"),
    "a person where a column should be": where(f'\\"{PERSON.customer}\\" = 1'),
    # queries
    "a query that fails on a person": queried("SELECT json_extract(email, '$.a') AS email FROM customers"),
    "a query of DuckDB that fails on a person": queried(
        "SELECT email, CAST(email AS INTEGER) AS id, phone FROM customers", "duckdb"
    ),
    "a query of a customer": queried(f"SELECT email, id FROM customers WHERE {PERSON.customer} IN (x)"),
    "a file of SQL that names people": filed(
        f"SELECT email\nFROM customers\n'{PERSON.email}' {PERSON.phone}"
    ),
    "a query whose column is a customer": queried(f"SELECT email AS c{PERSON.customer} FROM customers"),
    "a database that holds people and no tables": queried("SELECT email FROM crm", "sqlite", _rewritten),
    # Delta tables
    "a Delta table that lacks a file named after a person": stored(
        lambda table: added_files(table)[0].unlink()
    ),
    "a Delta table whose log breaks off": stored(lambda table: _cut(commit(table))),
    # Iceberg tables
    "an Iceberg table that lacks a file named after a person": lake(
        lambda table: iceberg_tables.data_files(table)[0].unlink()
    ),
    "an Iceberg table whose manifest breaks off": lake(
        lambda table: _cut(max(table.glob("metadata/*-m0.avro")))
    ),
    # manifests
    "an e-mail address as the title": manifest(BUYERS, "title: Buyers", f"title: {PERSON.email}"),
    "a hash as the title": manifest(BUYERS, "title: Buyers", f"title: {MARKERS.hashes[0]}"),
    "a phone number as the title": manifest(BUYERS, "title: Buyers", f'title: "{PERSON.phone}"'),
    "a person as a key": manifest(BUYERS, "title:", f"{PERSON.email}:"),
    "a customer as a key": manifest(BUYERS, "title:", f"c{PERSON.customer}:"),
    "a customer as a name": manifest(BUYERS, "name: buyers", f"name: {PERSON.customer}"),
    "a person as a column": manifest(BUYERS, "Email: email", f"Email: {PERSON.email}"),
    "a customer as a column": manifest(BUYERS, "CustomerId: id", f'CustomerId: "{PERSON.customer}"'),
    "a person as a file": manifest(BUYERS, "people.csv", f"{PERSON.email}.csv"),
    "a customer as a file": manifest(BUYERS, "people.csv", f"{PERSON.customer}.csv"),
    "a customer as a destination": manifest(BUYERS, "[email,", f'[email, "{PERSON.customer}",'),
    "a person in what is no YAML": manifest(BUYERS, "title: Buyers", f"title: [{PERSON.email}: {{"),
    "a person in a tag": manifest(BUYERS, "title: Buyers", f"title: !{PERSON.customer} x"),
    "a person in an alias": manifest(BUYERS, "title: Buyers", f"title: *{PERSON.customer}"),
    "a secret instead of a reference": manifest(REST, "env:CRITEO_SECRET", MARKERS.client_secret),
    "a secret as a key": manifest(REST, "clientSecret:", f"{MARKERS.client_id}:"),
    "a token as a kind": manifest(REST, "kind: Credential", f"kind: {MARKERS.token}"),
    "a secret in a reference": InvalidInput(
        0, lambda one: edit(one, REST, "env:CRITEO_SECRET", f"vault:{MARKERS.client_secret}")
    ),
    "a login in the address of tokens": manifest(
        HOME,
        "endpoint: emulator",
        f'endpoint: emulator, tokenUrl: "https://{MARKERS.proxy_user}:{MARKERS.proxy_password}@api.example/t"',
    ),
    "a login in the endpoint": manifest(
        HOME,
        "endpoint: emulator",
        f'endpoint: "https://{MARKERS.proxy_user}:{MARKERS.proxy_password}@api.example"',
    ),
    "a login in the address of data": manifest(
        HOME,
        "{root: data}",
        f'{{root: "s3://{MARKERS.proxy_user}:{MARKERS.proxy_password}@bucket/people"}}',
    ),
    "a login in the address of state": manifest(
        HOME,
        "file:.reconciler/state/sandbox",
        f"s3://{MARKERS.proxy_user}:{MARKERS.proxy_password}@bucket/state",
    ),
    # state
    "resource states that break off": state("state/sandbox/resources/*.json", _cut),
    "resource states that hold a person": state("state/sandbox/resources/*.json", _rewritten),
    "snapshots that break off": state("state/sandbox/snapshots/*", _cut),
    "snapshots that hold a person": state("state/sandbox/snapshots/*", _rewritten),
    "a head that holds a person": state("state/sandbox/head.json", _rewritten),
    "no snapshots": state("state/sandbox/snapshots/*", Path.unlink),
    "an emulator's file that holds a person": state("emulator/sandbox.sqlite*", _rewritten),
    # what is typed
    "a person as an environment": typed("plan", PERSON.email, code=3),
    "a person as an address": typed("explain", "sandbox", PERSON.email, code=3),
    "a customer as an address": typed("explain", "sandbox", f"email/{PERSON.customer}", code=3),
    "a person to select": typed("plan", "sandbox", "--only", f"email/{PERSON.email}", code=3),
    "a secret too many": typed("apply", "sandbox", "--yes", MARKERS.client_secret),
    "a secret as an option": typed("apply", "sandbox", f"--{MARKERS.client_id}"),
    "a secret of an option": typed("plan", "sandbox", f"--token={MARKERS.token}"),
    "a secret as a command": typed(MARKERS.client_secret, "sandbox"),
    "a person as a fault": typed("emulator", "fault", "sandbox", PERSON.email),
    "a person as a number": typed("emulator", "fault", "sandbox", "429", "--times", PERSON.email),
    "a person as a duration": typed("emulator", "advance", "sandbox", PERSON.email),
    "a person as a host": typed("emulator", "serve", "sandbox", "--host", PERSON.email, "--port", "0"),
    "a person as an operation": typed(
        "emulator", "fault", "sandbox", "429", "--operation", PERSON.email, code=64
    ),
    "a person as a folder": typed("validate", "-C", f"/{PERSON.email}", code=3),
    "a person as a data root": typed("plan", "sandbox", "--data-root", f"/{PERSON.email}", code=3),
    # what surrounds the command
    "a secret as the memory limit": InvalidInput(
        3, lambda _: None, EVERYTHING, {"RECONCILER_MEMORY_LIMIT": MARKERS.client_secret}
    ),
}
