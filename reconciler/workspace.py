"""Composition root: opens the edges of one environment, and closes them."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.clock import OffsetClock, StopSignal, SystemClock, WaitReporter
from reconciler.connections import ConnectionFactory
from reconciler.core.consent.model import Consent, expiry_note
from reconciler.core.credential import Credential, CredentialRole
from reconciler.core.desired_state import DesiredState
from reconciler.core.erasure import ErasureList
from reconciler.core.errors import ConfigurationError
from reconciler.core.members import SnapshotRef
from reconciler.core.model import Address
from reconciler.core.plan.observed import ObservedState
from reconciler.core.ports import (
    ConnectionInspector,
    MemberEngine,
    SegmentReader,
    SegmentWriter,
    StateReader,
    StateStore,
)
from reconciler.core.role_choice import READING, RoleChoice
from reconciler.core.state.resource import ResourceState
from reconciler.core.telemetry import Attribute, EnvironmentName, Telemetry
from reconciler.credentials import SecretResolver
from reconciler.criteo.connection import Connection
from reconciler.disk.private_dir import WORK_DIR, private_directory
from reconciler.disk.scratch_dir import ScratchDir, remove_unused
from reconciler.emulation import (
    clock_ahead,
    emulated_connection,
    open_emulator,
    served_clock_ahead,
    throw_away,
)
from reconciler.emulator import Emulator
from reconciler.manifests import find_root, load
from reconciler.manifests.checks.placeholders import is_placeholder
from reconciler.members.data_root import CHECKED, DataRoot, LocalFolder, open_root
from reconciler.members.lazy_engine import LazyEngine
from reconciler.members.queries.databases import Databases
from reconciler.members.stages import Stages
from reconciler.settings import Settings
from reconciler.state.open_store import open_store
from reconciler.state.seal import Seal
from reconciler.telemetry.observed_ports import observed_engine, observed_store

if TYPE_CHECKING:
    from reconciler.members.engine import DuckDbEngine
    from reconciler.members.verify import SnapshotVerifier

EXAMPLE = "data"
"""The folder of example data that `init` makes."""
THROW_AWAY = "reconciler-emulated-"

ISSUES_ITS_OWN = "the emulator issues its own credentials; the references in the manifests are not read"


@dataclass(frozen=True, slots=True)
class Workspace:
    """One environment with its desired state, and the edges to observe and change it."""

    root: Path
    desired: DesiredState
    store: StateStore
    seal: Seal
    clock: SystemClock
    emulated: bool
    ahead: timedelta
    data: Callable[[], DataRoot]
    _settings: Settings
    _private: Path
    _open: ExitStack
    _connections: dict[str, Connection]
    _stages: Stages
    _role: RoleChoice

    @property
    def telemetry(self) -> Telemetry:
        return self._settings.telemetry

    def readers(self) -> Mapping[str, SegmentReader]:
        """Return the readers by credential; reads the secrets."""
        return {name: connection.reader for name, connection in self._connected().items()}

    def inspectors(self) -> Mapping[str, ConnectionInspector]:
        """Return the inspectors by credential, over the same connections."""
        return {name: connection.inspector for name, connection in self._connected().items()}

    def writers(self) -> Mapping[str, SegmentWriter]:
        """Return the writers by credential; only apply calls this."""
        return {name: connection.writer() for name, connection in self._connected().items()}

    def trace_ids(self) -> tuple[str, ...]:
        """Return the trace IDs of Criteo's responses, by credential; the newest of each."""
        return tuple(one for connection in self._connections.values() for one in connection.trace_ids)

    def reader_of(self, address: Address) -> SegmentReader:
        """Return the reader of an address; any reader, if it was removed from the manifests."""
        readers = self.readers()
        credentials = {spec.address: spec.credential for spec in self.desired.segments}
        return readers[credentials.get(address, next(iter(readers)))]

    def inspector(self, role: CredentialRole) -> ConnectionInspector:
        """Return a new connection for checks; reads the secrets."""
        connection = self._emulation(self._emulator()) if self.emulated else self.access().connection(role)
        return self._open.enter_context(connection).inspector

    @property
    def reviewed(self) -> bool:
        """Return whether CI shows the result to reviewers; a run with `--emulate` is temporary."""
        return self._settings.ci and not self._settings.emulate

    def notes(self) -> tuple[str, ...]:
        """Return notes about the credentials that were used."""
        now = self.clock.now()
        notes = (
            expiry_note(consent, str(role), role.login(self.desired.environment.name), now)
            for role, consent in self.consents()
        )
        return tuple(note for note in notes if note)

    def consents(self) -> tuple[tuple[CredentialRole, Consent], ...]:
        """Return the consents of the credentials that are used; the emulator needs none."""
        if self.emulated:
            return ()
        access = self.access()
        roles = (self._role(credential) for credential in self.used_credentials())
        consented = (role for role in roles if role.application.grant == "authorizationCode")
        return tuple((role, access.held(role)) for role in consented)

    def dated(self, observed: ObservedState) -> ObservedState:
        """Shift file times by the emulator's lead, so that files keep their age."""
        targets = {
            address: replace(target, newest=target.newest + self.ahead) if target.newest else target
            for address, target in observed.targets.items()
        }
        return replace(observed, targets=targets) if self.ahead else observed

    def engine(self, state: StateReader) -> MemberEngine:
        sample, fetch = self.desired.environment.sample_rows, state.snapshot_file
        return self._opened(self.data(), sample, state.key(), fetch, state.erasures(), self._stages)

    def erasing_engine(self, state: StateReader, erasures: ErasureList) -> MemberEngine:
        """Return an engine with an erasure list that is not stored yet. It reads all rows of sources."""
        try:
            root = self.data()
        except ConfigurationError:  # no row can be read; what the state holds is erased all the same
            root = LocalFolder(self.cache())
        return self._opened(root, None, state.key(), state.snapshot_file, erasures, self._stages)

    def engine_of(
        self, key: bytes, fetch: Callable[[SnapshotRef], str], erasures: ErasureList
    ) -> MemberEngine:
        """Return an engine for the snapshots of a state elsewhere. It reads no source."""
        here = self._stages.here()
        return self._opened(LocalFolder(self.cache()), None, key, fetch, erasures, here)

    def engine_over(self, folder: Path, state: StateReader) -> MemberEngine:
        """Return an engine that reads all members in the files of a folder here, without sampling."""
        root, here = LocalFolder(folder), self._stages.here()
        return self._opened(root, None, state.key(), state.snapshot_file, state.erasures(), here)

    def _opened(
        self,
        root: DataRoot,
        sample_rows: int | None,
        key: bytes,
        fetch: Callable[[SnapshotRef], str],
        erasures: ErasureList,
        stages: Stages,
    ) -> MemberEngine:
        self.seal.check()

        def opened() -> "DuckDbEngine":
            from reconciler.members.engine import DuckDbEngine

            stage, compare = stages.choose(root, erasures)
            limit, check, databases = self._settings.memory_limit, self.clock.check, self.databases()
            return DuckDbEngine(
                root,
                self.cache(),
                fetch,
                key,
                sample_rows,
                limit,
                check=check,
                erasures=erasures,
                databases=databases,
                stage=stage,
                compare=compare,
            )

        engine = LazyEngine(root, sample_rows, erasures.fingerprint, opened)
        self._open.callback(engine.close)
        return observed_engine(engine, self.telemetry)

    def databases(self) -> Databases:
        """Return the databases of sources, with the logins of this command; secrets are read on demand."""
        roles = {one.name: self._role(one) for one in self.desired.connections}
        return Databases(roles, lambda reference: self.access().places.fetch(reference), self.root)

    def verifier(self, fetch: Callable[[SnapshotRef], str], key: bytes) -> "SnapshotVerifier":
        """Return a verifier of snapshots with this key; the caller closes it."""
        from reconciler.members.verify import SnapshotVerifier

        self.seal.check()
        return SnapshotVerifier(self.cache(), fetch, key, self._settings.memory_limit)

    def cache(self) -> Path:
        """Return the folder for members during a command."""
        return private_directory(self._private / "cache" / self.desired.environment.name)

    def addresses(self, resources: Iterable[ResourceState]) -> frozenset[Address]:
        """Return all addresses of the manifests and the state."""
        declared = {spec.address for spec in self.desired.segments}
        return frozenset(declared | {resource.address for resource in resources})

    def _connected(self) -> Mapping[str, Connection]:
        if not self._connections:
            opened = {name: self._open.enter_context(one) for name, one in self._connecting()}
            self._connections.update(opened)
        return self._connections

    def _connecting(self) -> Iterator[tuple[str, Connection]]:
        emulator, access = self._emulator() if self.emulated else None, self.access()
        for credential in self.used_credentials():
            yield (
                credential.name,
                self._emulation(emulator) if emulator else access.connection(self._role(credential)),
            )

    def _emulator(self) -> Emulator:
        return self._open.enter_context(open_emulator(self._private, self.desired))

    def _emulation(self, emulator: Emulator) -> Connection:
        return emulated_connection(emulator, self.desired, self.clock, self.telemetry)

    def used_credentials(self) -> tuple[Credential, ...]:
        """Return the credentials of segments; all credentials if there are no segments."""
        used = {spec.credential for spec in self.desired.segments}
        return tuple(one for one in self.desired.credentials if not used or one.name in used)

    def access(self) -> ConnectionFactory:
        """Return a factory for real connections, also if the manifests name the emulator."""
        return ConnectionFactory(self.desired.environment, self.secrets(), self.clock, self.telemetry)

    def secrets(self) -> SecretResolver:
        """Return a resolver of secret references."""
        environment = self.desired.environment
        return SecretResolver(
            self._settings.environ, self.root, self.store.sealed(), environment, self.clock.check
        )


@contextmanager
def open_workspace(
    settings: Settings,
    environment: str,
    stop: StopSignal,
    shown: WaitReporter,
    role: RoleChoice = READING,
    read: Callable[..., DesiredState] = load,
) -> Iterator[Workspace]:
    """Load the manifests; edges are opened on demand, and closed at the end.

    `role`: the application of a credential to use, if it has one for reading. `read`: loads the manifests.
    """
    root = find_root(settings.directory)
    desired = read(root, environment, data_root=settings.data_root)
    settings.telemetry.note(Attribute.ENVIRONMENT, EnvironmentName(desired.environment.name))
    if not settings.emulate:
        _refuse_placeholders(desired, root)
    with suppress(OSError):
        for prefix in (THROW_AWAY, CHECKED):  # people are in what a killed run left
            remove_unused(Path(tempfile.gettempdir()), prefix)
        remove_unused(root / WORK_DIR / "cache" / environment)
    with ExitStack() as stack:
        private = root / WORK_DIR
        if settings.emulate:
            scratch = ScratchDir(Path(tempfile.gettempdir()), THROW_AWAY)
            stack.callback(scratch.remove)
            private = scratch.folder / WORK_DIR
            desired = throw_away(desired, private)
        emulated = desired.environment.api.emulated
        if emulated:
            desired = replace(desired, notes=(*desired.notes, ISSUES_ITS_OWN))
        real = SystemClock(stop, shown)
        api = desired.environment.api
        ahead = clock_ahead(private, environment) if emulated else served_clock_ahead(api)
        clock = OffsetClock(stop, shown, ahead) if ahead else real
        snapshots = _snapshots(private, environment, stack)

        def key(reference: str) -> bytes:
            return space.access().places.snapshot_key(reference)

        seal = Seal.of(desired.environment, cache(key))
        store = open_store(desired.environment, root, snapshots, private / "outbox", real, seal)
        space = Workspace(
            root=root,
            desired=desired,
            store=observed_store(store, settings.telemetry),
            seal=seal,
            clock=clock,
            emulated=emulated,
            ahead=ahead,
            data=_data(root, desired, private, clock, stack),
            _settings=settings,
            _private=private,
            _open=stack,
            _connections={},
            _stages=Stages.of(
                desired.environment, lambda one: space.access().places.fetch(one), clock.check, stack
            ),
            _role=role,
        )
        yield space


def _refuse_placeholders(desired: DesiredState, root: Path) -> None:
    """Refuse placeholders before any request: another account may own a bucket of that name."""
    if desired.placeholders:
        raise ConfigurationError(
            f"environments/{desired.environment.name} is not filled in yet",
            remedy=f"write what is yours; until then, see what it would do with `{_tried(desired, root)}`",
            findings=desired.placeholders,
        )


def _tried(desired: DesiredState, root: Path) -> str:
    """Return the command that plans before placeholders are replaced."""
    environment = desired.environment
    command = f"reconciler plan {environment.name} --emulate"
    if not is_placeholder(environment.data_root):
        return command
    return f"{command} --data-root {EXAMPLE if (root / EXAMPLE).is_dir() else 'DIR'}"


def _snapshots(private: Path, environment: str, stack: ExitStack) -> Callable[[], Path]:
    """Return a private folder of this process, created when a snapshot is read, removed at the end."""

    @cache
    def folder() -> Path:
        scratch = ScratchDir(private_directory(private / "cache" / environment), "snapshots-")
        stack.callback(scratch.remove)
        return scratch.folder

    return folder


def _data(
    root: Path, desired: DesiredState, private: Path, clock: SystemClock, stack: ExitStack
) -> Callable[[], DataRoot]:
    """Return the data root. An object store is mirrored once per command."""
    environment = desired.environment

    @cache
    def opened() -> DataRoot:
        place = environment.data_root
        if is_placeholder(place):
            raise ConfigurationError(
                f"{environment.data_place}: this does not say yet where the exports are",
                remedy="write that as `data.root`, or name a folder with --data-root",
            )
        where = str(environment.data_place or "--data-root")
        return open_root(place, scratch, clock.check, where, root)

    def scratch() -> Path:
        made = ScratchDir(private_directory(private / "cache" / environment.name), "sources-")
        stack.callback(made.remove)
        return private_directory(made.folder / "files")

    return opened
