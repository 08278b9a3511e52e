"""Faults of states, disks, clocks and secrets."""

import base64
import errno
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
from faults.case import APPLY, Case, Group, Leaves
from faults.manifest_faults import edits
from faults.project import World, remove
from support.fakes.disk import watched

from reconciler.core.state.codec import FORMAT_VERSION, dump, parse
from reconciler.state.seal import Seal, StoredFile
from reconciler.state.sealed_stream import SealedKind

BACKUP = "put it back from a backup (docs/how-to/recover-state.md)"


def one(pattern: str) -> Callable[[World], Path]:
    return lambda world: min(world.corrupt().glob(pattern))


RESOURCE, HEAD, KEY, SNAPSHOT = one("resources/*.json"), one("head.json"), one("key"), one("snapshots/*")


def halves(find: Callable[[World], Path]) -> Callable[[World], object]:
    def halve(world: World) -> None:
        file = find(world)
        os.truncate(file, file.stat().st_size // 2)

    return halve


def removes(find: Callable[[World], Path]) -> Callable[[World], object]:
    return lambda world: find(world).unlink()


def becomes(find: Callable[[World], Path], content: bytes) -> Callable[[World], object]:
    return lambda world: find(world).write_bytes(content)


def replaces_one_member(find: Callable[[World], Path]) -> Callable[[World], object]:
    """Replace a member, like a flipped bit."""
    first = "(SELECT min(member) FROM kept)"
    query = f"SELECT member FROM kept WHERE member > {first} UNION ALL SELECT max(member) FROM kept"
    return lambda world: rewritten(find(world), query)


def loses_one_member(find: Callable[[World], Path]) -> Callable[[World], object]:
    return lambda world: rewritten(find(world), "FROM kept WHERE member > (SELECT min(member) FROM kept)")


def rewritten(file: Path, query: str) -> None:
    """Replace the file by a valid Parquet file of other rows."""
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE kept AS SELECT member FROM read_parquet('{file}')")
        database.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet)")


def says(find: Callable[[World], Path], **values: object) -> Callable[[World], object]:
    """Set a key of a JSON file."""

    def say(world: World) -> None:
        file = find(world)
        file.write_bytes(dump(parse(file.read_bytes()) | values))

    return say


def is_a_file(world: World) -> None:
    remove(world.corrupt())
    world.state.write_text("x")


def resources_are_a_file(world: World) -> None:
    remove(world.corrupt() / "resources")
    (world.state / "resources").write_text("x")


def names_a_key(world: World) -> None:
    named = 'state: {snapshotKey: "env:SNAPSHOT_KEY", url:'
    world.edit("environment.yaml", "state: {url:", named)


def is_sealed(world: World) -> None:
    file = SNAPSHOT(world)
    stored = StoredFile(SealedKind.SNAPSHOT, file.name, file.name, "")
    file.write_bytes(Seal(lambda: b"k" * 32).pack(stored, file.read_bytes()))


def is_half_a_sealed_one(world: World) -> None:
    is_sealed(world)
    halves(SNAPSHOT)(world)
    names_a_key(world)
    world.environ["SNAPSHOT_KEY"] = base64.b64encode(b"k" * 32).decode()


def is_locked(world: World) -> None:
    from reconciler.state.local_store import LocalStore

    store = LocalStore(world.root / ".reconciler/state/sandbox", "sandbox")
    world.stack.enter_context(store.lock("the nightly run"))


def ends_the_other_run(world: World) -> None:
    world.stack.close()


def refuses(code: int, call: str = "fsync", name: str = "") -> Callable[[World], object]:
    """Let the disk refuse each call of one kind."""

    def refuse(world: World) -> None:
        def at(called: str) -> None:
            if called == call:
                raise OSError(code, "someone@private.example")

        world.disk = lambda: watched(at)

    return refuse


def jumps(**by: float) -> Callable[[World], object]:
    def jump(world: World) -> None:
        world.skew = timedelta(**by)

    return jump


def resources_of_the_future(world: World) -> None:
    """Simulate a run with a clock an hour ahead, which was then corrected."""
    world.skew = timedelta(hours=1)
    ended = world.run(*APPLY)
    assert ended.code == 0, ended.said
    world.skew = timedelta(0)
    world.people.write_text(world.people.read_text().replace("person00079@", "person00080@"))


def has(**variables: str | None) -> Callable[[World], object]:
    """Set or remove variables."""

    def have(world: World) -> None:
        merged = world.environ | variables
        world.environ = {name: value for name, value in merged.items() if value is not None}

    return have


def from_a_file(content: bytes | None, mode: int = 0o600) -> Callable[[World], object]:
    def write(world: World) -> None:
        world.edit("rest.yaml", "env:SECRET", "file:secret.txt")
        if content is not None:
            file = world.root / "secret.txt"
            file.write_bytes(content)
            file.chmod(mode)

    return write


STATES = Group(
    "State",
    "Reconciler refuses a corrupt state and does not change it. Restore `.reconciler/state` from a backup; "
    "without a backup, follow [Recover a state](../how-to/recover-state.md).",
    (
        Case(
            "a resource state was cut in half",
            halves(RESOURCE),
            10,
            "customer.buyers.json: not a whole JSON object",
            BACKUP,
        ),
        Case(
            "a resource state is empty",
            becomes(RESOURCE, b""),
            10,
            "customer.buyers.json: not a whole JSON object",
            BACKUP,
        ),
        Case(
            "a resource state is junk",
            becomes(RESOURCE, b"\x00\xff" * 99),
            10,
            "customer.buyers.json: not a whole JSON object",
            BACKUP,
        ),
        Case(
            "a newer version wrote a resource state",
            says(RESOURCE, format_version=FORMAT_VERSION + 1),
            10,
            f"customer.buyers.json: format version {FORMAT_VERSION + 1}",
            "newer",
        ),
        Case(
            "a resource state has an unknown key",
            says(RESOURCE, surprise=1),
            10,
            "customer.buyers.json",
            BACKUP,
        ),
        Case(
            "a resource state lies under another name",
            lambda world: RESOURCE(world).rename(world.state / "resources" / "email.x.json"),
            10,
            "holds the resource state of another address",
            BACKUP,
        ),
        Case("the head was cut in half", halves(HEAD), 10, "head.json: not a whole JSON object", BACKUP),
        Case(
            "the head is missing",
            removes(HEAD),
            10,
            "head.json is missing, but there are resource states",
            BACKUP,
        ),
        Case(
            "a newer version wrote the head",
            says(HEAD, format_version=FORMAT_VERSION + 1),
            10,
            f"head.json: format version {FORMAT_VERSION + 1}",
            "newer",
        ),
        Case(
            "the state is another environment's",
            says(HEAD, environment="production"),
            10,
            "is the state of production, not of sandbox",
            "give each environment its own `state: {url: …}`",
        ),
        Case(
            "the state is gone",
            lambda world: remove(world.corrupt()),
            5,
            "2 of 2 segments have this environment's ownership tag",
            "reconciler state rebuild sandbox",
            leaves=Leaves.NOTED,
        ),
        Case("the key is missing", removes(KEY), 10, "key is missing", BACKUP),
        Case("the key was cut in half", halves(KEY), 10, "key is not 32 bytes long", BACKUP),
        Case("a snapshot is missing", removes(SNAPSHOT), 10, "a snapshot is missing", BACKUP),
        Case("a snapshot was cut in half", halves(SNAPSHOT), 10, "does not match its name", BACKUP),
        Case("a snapshot is empty", becomes(SNAPSHOT, b""), 10, "a snapshot is missing", BACKUP),
        Case(
            "a snapshot is junk",
            becomes(SNAPSHOT, b"junk" * 99),
            10,
            "is damaged: its content does not match its name",
            BACKUP,
        ),
        Case(
            "a snapshot holds one wrong member",
            replaces_one_member(SNAPSHOT),
            10,
            "is damaged: its content does not match its name",
            BACKUP,
        ),
        Case(
            "a snapshot holds one member fewer",
            loses_one_member(SNAPSHOT),
            10,
            "is damaged: its content does not match its name",
            BACKUP,
        ),
        Case(
            "the key of snapshots is not set",
            names_a_key,
            3,
            "a key of snapshots can't be read: the environment variable SNAPSHOT_KEY is not set",
            "give this job env:SNAPSHOT_KEY, or correct `snapshotKey`",
        ),
        Case(
            "a snapshot is sealed with a key that is not named",
            is_sealed,
            3,
            "is sealed with key",
            "name that key as `snapshotKey` or in `earlierSnapshotKeys` of `state`",
        ),
        Case(
            "a sealed snapshot was cut in half",
            is_half_a_sealed_one,
            10,
            "is sealed, and damaged: it was cut off, altered, or is another file",
            BACKUP,
        ),
        Case(
            "the state is a file",
            is_a_file,
            10,
            "a file is where a folder should be",
            "move it away, or put the state back from a backup",
        ),
        Case(
            "the folder of resource states is a file",
            resources_are_a_file,
            10,
            "resources: a file is where a folder should be",
            "move it away, or put the state back from a backup",
        ),
        Case(
            "another run holds the lock",
            is_locked,
            7,
            "another run holds the state: the nightly run, process",
            "wait for it to end",
            repairs=ends_the_other_run,
        ),
        Case(
            "the disk is full",
            refuses(errno.ENOSPC),
            10,
            "the disk is full",
            "free disk space",
            leaves=Leaves.NOTED,
        ),
        Case(
            "the disk is full before the first file",
            refuses(errno.ENOSPC, "create"),
            10,
            "the disk is full",
            "free disk space",
            leaves=Leaves.NOTED,
        ),
        Case(
            "the disk can't be written",
            refuses(errno.EROFS, "replace"),
            10,
            "Read-only file system",
            "check the disk",
            leaves=Leaves.NOTED,
        ),
        Case(
            "the disk reports an error",
            refuses(errno.EIO, "write"),
            10,
            "Input/output error",
            "check the disk",
            leaves=Leaves.NOTED,
        ),
        Case(
            "nobody has a right to write",
            refuses(errno.EACCES, "create"),
            10,
            "permission denied",
            "the right to read and write there",
            leaves=Leaves.NOTED,
        ),
    ),
)
CLOCKS = Group(
    "Clocks",
    "A wrong clock can cost a wait or a token, but no member.",
    (
        Case(
            "our clock is an hour behind",
            jumps(hours=-1),
            0,
            "Applied on sandbox",
            leaves=Leaves.ALL,
            way="http",
        ),
        Case(
            "our clock is an hour ahead",
            jumps(hours=1),
            0,
            "Applied on sandbox",
            leaves=Leaves.ALL,
            way="http",
        ),
        Case(
            "our clock is ten years behind",
            jumps(days=-3653),
            0,
            "Applied on sandbox",
            leaves=Leaves.ALL,
            way="http",
        ),
        Case(
            "our clock is ten years ahead",
            jumps(days=3653),
            0,
            "Applied on sandbox",
            leaves=Leaves.ALL,
            way="http",
        ),
        Case(
            "our clock is an hour behind at the first apply",
            jumps(hours=-1),
            0,
            "Applied on sandbox",
            leaves=Leaves.ALL,
            way="http",
            start="fresh",
        ),
        Case(
            "our clock is an hour ahead at the first apply",
            jumps(hours=1),
            0,
            "Applied on sandbox",
            leaves=Leaves.ALL,
            way="http",
            start="fresh",
        ),
        Case(
            "our clock was set back by an hour since the last apply",
            resources_of_the_future,
            0,
            "Applied on sandbox",
            leaves=Leaves.ALL,
            way="http",
        ),
    ),
)
CREDENTIALS = Group(
    "Credentials",
    "Messages name references, never secrets. Reconciler sent at most a token request to Criteo.",
    (
        Case(
            "the variable of a secret is not set",
            has(SECRET=None),
            4,
            "the environment variable SECRET is not set",
            "export SECRET",
            way="http",
        ),
        Case(
            "the variable of a secret is empty",
            has(SECRET=" "),
            4,
            "the environment variable SECRET is empty",
            "export SECRET",
            way="http",
        ),
        Case(
            "the file of a secret is missing",
            from_a_file(None),
            4,
            "the secret file secret.txt can't be read: No such file",
            "create it",
            way="http",
        ),
        Case(
            "the file of a secret is open to others",
            from_a_file(b"s3cr3t-value", 0o644),
            4,
            "the secret file secret.txt is open to others (mode 0644)",
            "chmod 600 secret.txt",
            way="http",
        ),
        Case(
            "the file of a secret is empty",
            from_a_file(b"\n"),
            4,
            "the secret file secret.txt holds no text",
            "write the secret into secret.txt",
            way="http",
        ),
        Case(
            "the file of a secret is junk",
            from_a_file(b"\xff\xfe\x00"),
            4,
            "the secret file secret.txt holds no text",
            "write the secret into secret.txt",
            way="http",
        ),
        Case(
            "a secret holds a line end in its middle",
            has(SECRET="s3cr3t-val\nue"),
            4,
            "401 invalid_client",
            "check clientId and clientSecret",
            way="http",
        ),
        Case(
            "a secret was pasted into the manifest",
            edits("env:SECRET", "s3cr3t-value-of-somebody", "rest.yaml"),
            3,
            "clientSecret",
            "env:",
            way="http",
        ),
        Case(
            "a secret is kept in a Vault that nobody has named",
            edits("env:SECRET", "vault:secret/criteo#x", "rest.yaml"),
            4,
            "VAULT_ADDR is not set",
            "export VAULT_ADDR=",
            way="http",
        ),
        Case(
            "the program that should print a secret fails",
            edits("env:SECRET", "command:false --token hunter2", "rest.yaml"),
            4,
            "the command false",
            "run it yourself",
            way="http",
        ),
        Case(
            "a secret is kept in the state, and is not there",
            edits("env:SECRET", "state:criteo", "rest.yaml"),
            4,
            "nothing is kept as state:criteo",
            "change the reference state:criteo",
            way="http",
        ),
        Case(
            "the secret is wrong",
            has(SECRET="s3cr3t-of-yesterday"),
            4,
            "the token endpoint answers 401 invalid_client",
            "check clientId and clientSecret",
            way="http",
        ),
    ),
)
