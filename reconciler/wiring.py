"""Composition root: builds the edges of one environment, and takes them down again."""

import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.clock import SystemClock, Waits
from reconciler.core.model import Address, Credential, Desired
from reconciler.core.ports import SegmentReader, SegmentWriter, StateReader, StateStore
from reconciler.core.secret import Secret
from reconciler.credentials.resolve import resolve
from reconciler.criteo.connect import Connection, connect
from reconciler.disk.private import HOME, private_directory
from reconciler.emulator.emulator import Emulator
from reconciler.emulator.mount import transport
from reconciler.manifests import find_root, load
from reconciler.members.engine import DuckDbEngine
from reconciler.members.scratch import Scratch, remove_unused
from reconciler.settings import Settings
from reconciler.state.factory import open_store

EMULATOR = "emulator"
THROW_AWAY = "reconciler-emulated-"
EMULATED_URL = "http://emulator.invalid"
ISSUES_ITS_OWN = "the emulator issues its own credentials; the references in the manifests are not read"


@dataclass(frozen=True, slots=True)
class Workspace:
    """One environment, ready to be observed: what it should be, and the edges to find out what it is."""

    root: Path
    desired: Desired
    store: StateStore
    clock: SystemClock
    emulated: bool
    _settings: Settings
    _private: Path
    _open: ExitStack
    _connections: dict[str, Connection]

    def readers(self) -> Mapping[str, SegmentReader]:
        """By credential. Secrets are read now, and not before."""
        return {name: connection.reader for name, connection in self._connected().items()}

    def writers(self) -> Mapping[str, SegmentWriter]:
        """By credential; asked for by apply only."""
        return {name: connection.writer() for name, connection in self._connected().items()}

    def reader_of(self, address: Address) -> SegmentReader:
        """The reader that may see an address; for one that left the manifests, any."""
        readers = self.readers()
        credentials = {spec.address: spec.credential for spec in self.desired.segments}
        return readers[credentials.get(address, next(iter(readers)))]

    def engine(self, state: StateReader) -> DuckDbEngine:
        environment = self.desired.environment
        data_root = environment.data_root
        engine = DuckDbEngine(
            data_root if "://" in data_root else str(self.root / data_root),
            private_directory(self._private / "cache" / environment.name),
            state.fetch,
            state.key(),
            environment.sample_rows,
            self._settings.memory_limit,
        )
        self._open.callback(engine.close)
        return engine

    def addresses(self, state: StateReader) -> frozenset[Address]:
        """All that the manifests or the state name."""
        declared = {spec.address for spec in self.desired.segments}
        return frozenset(declared | {receipt.address for receipt in state.receipts()})

    def _connected(self) -> Mapping[str, Connection]:
        if not self._connections:
            emulator = self._emulator() if self.emulated else None
            used = {spec.credential for spec in self.desired.segments}
            for credential in self.desired.credentials:
                if used and credential.name not in used:
                    continue
                opened = self._emulation(emulator) if emulator else self._connection(credential)
                self._connections[credential.name] = self._open.enter_context(opened)
        return self._connections

    def _emulator(self) -> Emulator:
        folder = private_directory(self._private / EMULATOR)
        emulator = self._open.enter_context(
            Emulator.open(emulator_file(folder, self.desired.environment.name))
        )
        for account_id, retailers in seat_accounts(self.desired).items():
            emulator.ensure_account(account_id, retailers)
        return emulator

    def _emulation(self, emulator: Emulator) -> Connection:
        issued = emulator.credentials
        api = self.desired.environment.api
        return connect(
            base_url=EMULATED_URL,
            version=api.version,
            token_url="",
            client_id=Secret(issued.client_id),
            client_secret=Secret(issued.client_secret),
            grant="clientCredentials",
            timeout=api.timeout,
            clock=self.clock,
            transport=transport(emulator.app),
        )

    def _connection(self, credential: Credential) -> Connection:
        api, environ = self.desired.environment.api, self._settings.environ
        return connect(
            base_url=api.endpoint,
            version=api.version,
            token_url=api.token_url,
            client_id=resolve(credential.client_id, environ, self.root),
            client_secret=resolve(credential.client_secret, environ, self.root),
            grant=credential.grant,
            timeout=api.timeout,
            clock=self.clock,
        )


@contextmanager
def workspace(
    settings: Settings, environment: str, stop: threading.Event, shown: Waits
) -> Iterator[Workspace]:
    """Loads the manifests; edges are opened when asked for, and closed at the end."""
    root = find_root(settings.directory)
    desired = load(root, environment, data_root=settings.data_root)
    with suppress(OSError):
        remove_unused(Path(tempfile.gettempdir()), THROW_AWAY)  # people are in what a killed run left
    with ExitStack() as stack:
        private = root / HOME
        if settings.emulate:
            scratch = Scratch(Path(tempfile.gettempdir()), THROW_AWAY)
            stack.callback(scratch.remove)
            private = scratch.folder / HOME
            desired = _throw_away(desired, private)
        emulated = desired.environment.api.endpoint == EMULATOR
        if emulated:
            desired = replace(desired, notes=(*desired.notes, ISSUES_ITS_OWN))
        yield Workspace(
            root=root,
            desired=desired,
            store=open_store(desired.environment.state_url, root, environment),
            clock=SystemClock(stop, shown),
            emulated=emulated,
            _settings=settings,
            _private=private,
            _open=stack,
            _connections={},
        )


def emulator_file(folder: Path, environment: str) -> Path:
    """Where the emulator of an environment lives."""
    return folder / f"{environment}.sqlite"


def _throw_away(desired: Desired, private: Path) -> Desired:
    """The same environment on an emulator and a state that end with the command."""
    environment = desired.environment
    emulated = replace(
        environment,
        api=replace(environment.api, endpoint=EMULATOR),
        state_url=f"file://{private / 'state' / environment.name}",
    )
    return replace(desired, environment=emulated)


def seat_accounts(desired: Desired) -> dict[str, list[str]]:
    """Retailers by account, as the environment's seats name them."""
    accounts: dict[str, list[str]] = {}
    for _, seat in desired.environment.seats:
        accounts.setdefault(seat.account_id, []).append(seat.retailer_id)
    return accounts
