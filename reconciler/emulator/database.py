"""The one SQLite file of an emulator: its schema, its lock and its clock; knows no call of the API."""

import contextlib
import hashlib
import os
import secrets
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.emulator import switches as switching
from reconciler.emulator.clock import computation_before
from reconciler.emulator.switches import Switches

BUSY_SECONDS = 30.0
FIRST_ID = 10**17
SPREAD = 618_033_988_749_894_847  # coprime with the number of ids: no two numbers share one
IDS = 9 * 10**17
VERSION = 2  # of the schema

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS retailers (
    account_id TEXT, id TEXT, name TEXT NOT NULL, PRIMARY KEY (account_id, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, contact_list_id INTEGER NOT NULL,
    account_id TEXT NOT NULL, retailer_id TEXT NOT NULL, name TEXT NOT NULL,
    name_key TEXT NOT NULL, description TEXT, identifier_type TEXT, events TEXT,
    sharing_status TEXT NOT NULL DEFAULT 'NotShared', read_only INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL, updated_at REAL NOT NULL, size INTEGER NOT NULL DEFAULT 0,
    computed_size INTEGER, computed_matches INTEGER
);
CREATE INDEX IF NOT EXISTS segment_names ON segments (account_id, name_key);
CREATE TABLE IF NOT EXISTS used_names (
    account_id TEXT, retailer_id TEXT, name_key TEXT, PRIMARY KEY (account_id, retailer_id, name_key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS members (
    segment INTEGER, member TEXT, PRIMARY KEY (segment, member)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS aliases (form TEXT PRIMARY KEY, member TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audiences (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, account_id TEXT NOT NULL,
    retailer_id TEXT NOT NULL, name TEXT NOT NULL, segment_ids TEXT NOT NULL,
    created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS consents (number INTEGER PRIMARY KEY, revoked INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS consented (
    consent INTEGER, account_id TEXT, PRIMARY KEY (consent, account_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS codes (
    digest TEXT PRIMARY KEY, consent INTEGER NOT NULL, redirect TEXT NOT NULL, challenge TEXT NOT NULL,
    expires_at REAL NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refresh_tokens (
    digest TEXT PRIMARY KEY, consent INTEGER NOT NULL, expires_at REAL NOT NULL, replaced INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, expires_at REAL NOT NULL, consent INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS faults (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, operation TEXT NOT NULL,
    times INTEGER NOT NULL, after INTEGER NOT NULL, seconds REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS late (
    number INTEGER PRIMARY KEY, due REAL NOT NULL, operation TEXT NOT NULL, path TEXT NOT NULL,
    account_id TEXT NOT NULL, segment_id TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS history (
    number INTEGER PRIMARY KEY, arrived_at REAL NOT NULL, committed_at REAL, method TEXT NOT NULL,
    path TEXT NOT NULL, operation TEXT NOT NULL, account_id TEXT NOT NULL, segment_id TEXT NOT NULL,
    status INTEGER, items INTEGER NOT NULL, action TEXT NOT NULL, identifiers INTEGER NOT NULL,
    valid INTEGER NOT NULL, invalid INTEGER NOT NULL, digest TEXT NOT NULL, fault TEXT NOT NULL
);
"""
FORGOTTEN_ON_RESET = (
    "segments", "used_names", "members", "aliases", "audiences", "consents", "consented", "codes",
    "refresh_tokens", "tokens", "faults", "late", "history",
)  # fmt: skip


class IncompatibleVersionError(ValueError):
    """The file was made by another release; what it holds is emulated, so it is not converted."""


@dataclass(frozen=True)
class Session:
    """One transaction, and the instant at which it happens."""

    db: sqlite3.Connection
    now: float
    switches: Switches

    def get(self, key: str) -> object:
        row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put(self, key: str, value: str | int | float | bytes) -> None:
        self.db.execute("REPLACE INTO meta VALUES (?, ?)", (key, value))

    def next_id(self) -> int:
        """An 18-digit number, unique among all entities, the same in every fresh database."""
        number = int(str(self.get("ids") or 0)) + 1
        self.put("ids", number)
        return FIRST_ID + number * SPREAD % IDS


class Database:
    """One connection under one lock: SQLite has a single writer, and every call writes."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._db = _connect(path)
        self._closing = weakref.finalize(self, self._db.close)

    def close(self) -> None:
        with self._lock:
            self._closing()

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """All or nothing, and alone among every thread and process that has the file open."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._open()
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def ahead(self) -> float:
        """By how many seconds the clock is ahead of the real one. Waits for no other transaction."""
        with self._lock:
            (offset,) = self._db.execute("SELECT value FROM meta WHERE key = 'offset'").fetchone()
        return float(offset)

    def now(self) -> float:
        return self._clock() + self.ahead()

    def _open(self) -> Session:
        stored = dict(self._db.execute("SELECT key, value FROM meta WHERE key IN ('offset', 'switches')"))
        return Session(
            self._db,
            self._clock() + float(stored["offset"]),
            switching.decode(stored["switches"]),
        )

    def prepare(self, switches: Switches | None) -> None:
        """Create what is missing; keep what is there."""
        fresh: dict[str, str | int | float | bytes] = {
            "offset": 0.0,
            "switches": switching.encode(Switches()),
            "computed": computation_before(self._clock()),
            "client_id": secrets.token_hex(16),
            "client_secret": secrets.token_hex(32),
            "digest_key": secrets.token_hex(32),
        }
        with self._lock:
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in (0, VERSION):
                raise IncompatibleVersionError("the emulator's file is of another version: delete it")
            self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION};")
            self._db.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", fresh.items())
            if switches is not None:
                self._db.execute(
                    "UPDATE meta SET value = ? WHERE key = 'switches'", (switching.encode(switches),)
                )
            self._db.execute("COMMIT")


def digest(secret: str) -> str:
    """All that is kept of a code or a token: each is long and random, so its digest gives nothing away."""
    return hashlib.sha256(secret.encode()).hexdigest()


def ahead(path: Path) -> float:
    """Return by how many seconds a file's clock is ahead of the real one; 0 if it can't be read."""
    if not path.is_file():
        return 0.0
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'offset'").fetchone()
    except sqlite3.Error:
        return 0.0  # opening it reports why
    return float(row[0]) if row else 0.0


def reset(session: Session) -> None:
    """Forget all but the accounts, the credentials, the switches and the time: a clock never goes back."""
    for table in FORGOTTEN_ON_RESET:
        session.db.execute(f"DELETE FROM {table}")
    session.db.execute("DELETE FROM meta WHERE key = 'ids' OR key LIKE 'rate %'")
    session.put("computed", computation_before(session.now))


def _connect(path: Path) -> sqlite3.Connection:
    """The file is for its owner only: it holds identifiers."""
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = OFF")  # survives a killed process; a witness need not more
    db.execute("PRAGMA cache_size = -65536")
    return db
