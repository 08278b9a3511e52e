"""The emulator as an object: opened on a file, mounted or served, inspected and tampered with."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from reconciler.emulator import audiences, consents, database, faults, history, members, segments
from reconciler.emulator import delayed_commits as late
from reconciler.emulator import switches as switching
from reconciler.emulator.database import Database, Session
from reconciler.emulator.faults import Fault, Kind
from reconciler.emulator.history import Request
from reconciler.emulator.pipeline import RequestPipeline
from reconciler.emulator.segments import Segment
from reconciler.emulator.switches import Switches

if TYPE_CHECKING:
    from reconciler.emulator.server import Server


@dataclass(frozen=True)
class Credentials:
    client_id: str
    client_secret: str = field(repr=False)


class Emulator:
    """Any number of processes may open the same file; all see the same world and clock."""

    def __init__(self, path: Path, database: Database) -> None:
        self.path = path
        self.pipeline = RequestPipeline(database)
        self._database = database

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        switches: Switches | None = None,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Creates the file if there is none. Switches not given are those kept in the file."""
        database = Database(Path(path), clock)
        database.prepare(switches)
        return cls(Path(path), database)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- the world it serves ------------------------------------------------------------------

    @property
    def credentials(self) -> Credentials:
        """Made once per file."""
        with self._settled() as session:
            return Credentials(str(session.get("client_id")), str(session.get("client_secret")))

    @property
    def switches(self) -> Switches:
        with self._settled() as session:
            return session.switches

    def configure(self, switches: Switches) -> None:
        with self._settled() as session:
            session.put("switches", switching.encode(switches))

    def ensure_account(
        self, account_id: str, retailer_ids: Iterable[str], name: str = "Emulated account"
    ) -> None:
        """An account that consented. Retailers are added to those it has."""
        with self._settled() as session:
            session.db.execute(
                "INSERT INTO accounts VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
                (account_id, name),
            )
            session.db.executemany(
                "INSERT OR IGNORE INTO retailers VALUES (?, ?, ?)",
                [(account_id, retailer, f"Retailer {retailer}") for retailer in retailer_ids],
            )

    def withdraw_account(self, account_id: str) -> None:
        """Withdraw the consent of an account: its calls get 403. Its segments stay."""
        with self._settled() as session:
            session.db.execute("DELETE FROM accounts WHERE id = ?", (account_id,))

    def revoke_consents(self) -> int:
        """As an account's administrator would at Criteo; returns how many were alive.

        What client credentials reach stays as it is: see `withdraw_account` for that.
        """
        with self._settled() as session:
            return consents.revoke_all(session)

    def seed_audience(self, account_id: str, retailer_id: str, name: str, segment_ids: Iterable[str]) -> str:
        """An audience that is the union of segments; returns its id."""
        with self._settled() as session:
            return audiences.insert(session, account_id, retailer_id, name, tuple(segment_ids))

    # -- time and trouble ---------------------------------------------------------------------

    @property
    def now(self) -> float:
        with self._settled() as session:
            return session.now

    def advance(self, seconds: float) -> None:
        """Moves the clock forward; what falls due on the way happens, in its order."""
        if seconds < 0:
            raise ValueError("the clock moves forward only")
        with self._settled() as session:
            session.put("offset", float(str(session.get("offset"))) + seconds)
        with self._settled():
            pass

    def reset(self) -> None:
        """Forgets all but the accounts, the credentials, the switches and the time."""
        with self._database.session() as session:
            database.reset(session)

    def fault(
        self,
        kind: Kind,
        operation: str = faults.ANY,
        *,
        times: int = 1,
        after: int = 0,
        seconds: float = 1.0,
    ) -> None:
        """Adds one; see `Fault` for what the numbers mean."""
        fault = Fault(kind, operation, times, after, seconds)
        with self._settled() as session:
            faults.add(session, fault)

    def clear_faults(self) -> None:
        with self._settled() as session:
            faults.clear(session)

    # -- the witness --------------------------------------------------------------------------

    def history(self) -> tuple[Request, ...]:
        with self._settled() as session:
            return history.read(session)

    def segments(self) -> tuple[Segment, ...]:
        with self._settled() as session:
            return segments.every(session)

    def members(self, segment_id: str) -> frozenset[str]:
        """Return the members of a segment. No call of the API returns them."""
        with self._segment(segment_id) as (session, segment):
            return members.read(session, segment)

    # -- somebody at Criteo's own console -----------------------------------------------------

    def rename_by_hand(self, segment_id: str, name: str) -> None:
        with self._segment(segment_id) as (session, segment):
            segments.update(session, segment_id, name, segment.description, segment.events)

    def describe_by_hand(self, segment_id: str, description: str) -> None:
        with self._segment(segment_id) as (session, segment):
            segments.update(session, segment_id, segment.name, description, segment.events)

    def delete_by_hand(self, segment_id: str) -> None:
        with self._segment(segment_id) as (session, segment):
            segments.delete(session, segment)

    def clear_by_hand(self, segment_id: str) -> None:
        with self._segment(segment_id) as (session, segment):
            members.clear(session, segment)

    def fill_by_hand(self, segment_id: str, identifiers: Iterable[str]) -> None:
        """Add members, as another sender would."""
        with self._segment(segment_id) as (session, segment):
            members.add(session, segment, list(identifiers))

    def set_read_only(self, segment_id: str, read_only: bool) -> None:
        with self._segment(segment_id) as (session, segment):
            segments.set_read_only(session, segment, read_only)

    def share_by_hand(self, segment_id: str, status: str) -> None:
        """Share a contact list: `NotShared`, `SharedWithAll` or `SharedWithDemandAccounts`."""
        with self._segment(segment_id) as (session, segment):
            segments.set_sharing(session, segment, status)

    # -- serving ------------------------------------------------------------------------------

    def serve(self, host: str, port: int, ready: Callable[[str], None]) -> None:
        """Answers on a loopback socket until interrupted; port 0 takes a free one."""
        server = self._server(host, port)
        ready(server.url)
        server.run()

    @contextlib.contextmanager
    def serving(self, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
        """Answers from another thread of this process; gives the URL."""
        server = self._server(host, port)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield server.url
        finally:
            server.stop()
            thread.join()

    def _server(self, host: str, port: int) -> "Server":
        """What serves is imported only here: most commands use the emulator in their own process."""
        from reconciler.emulator.server import Server
        from reconciler.emulator.wsgi import application

        return Server(application(self.pipeline), host, port)

    @contextlib.contextmanager
    def _settled(self) -> Iterator[Session]:
        with self._database.session() as session:
            late.settle(session)
            yield session

    @contextlib.contextmanager
    def _segment(self, segment_id: str) -> Iterator[tuple[Session, Segment]]:
        with self._settled() as session:
            segment = segments.find(session, segment_id)
            if segment is None:
                raise LookupError(f"no segment {segment_id}")
            yield session, segment
