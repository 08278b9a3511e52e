"""The state of one environment in a directory on this machine; a writer holds its lock."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from reconciler.core.approval.model import ApprovalRecord, record_approval
from reconciler.core.audit.model import AuditLog
from reconciler.core.erasure import ErasureList
from reconciler.core.errors import Finding, LockedError, StorageError
from reconciler.core.members import SnapshotRef
from reconciler.core.model import DEFAULT_RETENTION, Address, Retention
from reconciler.core.ports import SecretStore, StateReader, StateWriter
from reconciler.core.reuse import ReadRecords
from reconciler.core.series import SeriesMonth, expired_months
from reconciler.core.state.codec import (
    dump,
    dump_series,
    encode_head,
    encode_records,
    encode_resource,
    encode_state,
    encode_verifications,
    records_in,
    series_in,
    verifications_in,
)
from reconciler.core.state.model import LockHolder, SnapshotSeals, StateHead, StateVersion, StateVersionInfo
from reconciler.core.state.resource import ResourceState
from reconciler.core.verification import Verifications
from reconciler.disk.atomic import (
    copy_file,
    names_in,
    read_file,
    remove_file,
    remove_temporary_files,
    replace_file,
)
from reconciler.disk.file_lock import file_lock, holder_of
from reconciler.disk.private_dir import private_directory
from reconciler.state.audit_log import LocalAuditLog
from reconciler.state.local_layout import (
    KEY_LENGTH,
    LocalLayout,
    address_in,
    month_name,
    months_in,
    occupied,
)
from reconciler.state.local_snapshots import LocalSnapshots
from reconciler.state.seal import PLAIN, Seal
from reconciler.state.secret_store import LocalSecretStore
from reconciler.state.versions import (
    absent,
    damaged_name,
    document,
    document_name,
    named,
    summaries,
    superseded,
    unreadable_version,
)

_LINEAGE_LENGTH = 16


def _now() -> datetime:
    return datetime.now(UTC)


def _no_folder() -> Path:
    raise AssertionError("a store without a seal opens nothing")


class LocalStore:
    """`invent` generates the lineage and the key; `now` dates the lock and the state versions.

    `opened` is a private folder of this process, for the content of sealed snapshots.
    """

    def __init__(
        self,
        directory: Path,
        environment: str,
        invent: Callable[[int], bytes] = secrets.token_bytes,
        now: Callable[[], datetime] = _now,
        keep: Retention = DEFAULT_RETENTION,
        seal: Seal = PLAIN,
        opened: Callable[[], Path] = _no_folder,
    ) -> None:
        self._files = LocalLayout(directory, environment, seal)
        self._seal = seal
        self._snapshots = LocalSnapshots(self._files, seal, opened)
        self._keep = keep
        self._invent = invent
        self._now = now

    def reader(self) -> StateReader:
        """Return a reader; creates nothing on disk. Refuses the state of another environment."""
        self._files.head()
        return LocalReader(self._files, self._snapshots, self._invent)

    def holder(self) -> LockHolder | None:
        description = holder_of(self._files.lock)
        return LockHolder("", description) if description else None

    def break_lock(self, holder_id: str) -> None:  # noqa: ARG002 - there are none here
        raise LockedError(
            "the lock of a state in a folder ends with the process that holds it",
            remedy=f"end that process: {holder_of(self._files.lock) or 'it is not locked'}",
        )

    def audit(self) -> AuditLog:
        return LocalAuditLog(self._files.audit)

    def sealed(self) -> SecretStore:
        return LocalSecretStore(self._files.secrets, self._now)

    @contextmanager
    def lock(self, who: str) -> Iterator[StateWriter]:
        files = self._files
        private_directory(files.directory)
        taken = f"{files.environment}: another run holds the state"
        with file_lock(files.lock, taken, who, self._now()):
            files.head()
            self._seal.check()
            for directory in (
                files.directory,
                files.resources,
                files.snapshots,
                files.history,
                files.audit,
            ):
                remove_temporary_files(private_directory(directory))
            writer = LocalWriter(files, self._snapshots, self._invent, self._now, self._keep)
            try:
                yield writer
            finally:
                writer.close()


class LocalReader:
    def __init__(self, files: LocalLayout, snapshots: LocalSnapshots, invent: Callable[[int], bytes]) -> None:
        self._files = files
        self._snapshots = snapshots
        self._invent = invent
        self._key = b""

    def head(self) -> StateHead | None:
        return self._files.head()

    def resources(self) -> tuple[ResourceState, ...]:
        """Return all resource states. The error names every unreadable file."""
        found: list[ResourceState] = []
        wrong: list[StorageError] = []
        for file in self._files.resource_files():
            try:
                resource = self._files.resource(file)
            except StorageError as error:
                wrong.append(error)
            else:
                found += [resource] if resource else []
        if wrong:
            raise StorageError(
                f"{self._files.directory}: {len(wrong)} of {len(wrong) + len(found)} resource states "
                "can't be read",
                findings=[Finding("", error.problem, error.remedy) for error in wrong],
            )
        return tuple(sorted(found, key=lambda resource: resource.address))

    def snapshot_file(self, snapshot: SnapshotRef) -> str:
        return self._snapshots.file(snapshot)

    def seals(self) -> SnapshotSeals:
        return self._snapshots.seals()

    def key(self) -> bytes:
        self._key = self._key or self._files.key() or self._invent(KEY_LENGTH)
        return self._key

    def read_records(self) -> ReadRecords:
        with suppress(StorageError):
            return records_in(read_file(self._files.records_file))
        return ReadRecords()

    def verifications(self) -> Verifications:
        return verifications_in(read_file(self._files.verifications_file))

    def series(self, month: str) -> SeriesMonth:
        return series_in(read_file(self._files.series_file(month)), month)

    def erasures(self) -> ErasureList:
        return self._files.erasures()

    def versions(self) -> tuple[StateVersionInfo, ...]:
        return summaries(self._files.saved())

    def version(self, serial: int) -> StateVersion:
        found = self._files.saved_as(serial)
        if found is None:
            raise absent(serial, (one.serial for one in self.versions()))
        return found


class LocalWriter(LocalReader):
    """Writes from several threads, one per address. The first write opens the run."""

    def __init__(
        self,
        files: LocalLayout,
        snapshots: LocalSnapshots,
        invent: Callable[[int], bytes],
        now: Callable[[], datetime],
        keep: Retention,
    ) -> None:
        super().__init__(files, snapshots, invent)
        self._keep = keep
        self._now = now
        self._gate = threading.RLock()
        self._opened: StateHead | None = None
        self._fresh: set[str] = set()  # stored, but not named by a resource state yet: prune keeps them
        self._closed = False

    def close(self) -> None:
        self._closed = True

    def key(self) -> bytes:
        with self._writing():
            self._key = self._key or self._files.key()
            if not self._key:
                key = self._invent(KEY_LENGTH)
                self._files.write_key(key)
                self._key = key
            return self._key

    def begin_run(self) -> StateHead:
        with self._writing():
            if self._opened is None:
                self.key()
                old = self.head()
                if old is not None:
                    self._keep_state(old)
                old = old or StateHead(self._invent(_LINEAGE_LENGTH).hex(), 0, self._files.environment)
                self._opened = self._put_head(replace(old, serial=old.serial + 1))
            return self._opened

    def record_approval(self, use: ApprovalRecord, since: datetime) -> None:
        with self._writing():
            head = self.begin_run()
            self._opened = self._put_head(
                replace(head, approvals=record_approval(head.approvals, use, since))
            )

    def initialize(self, head: StateHead, key: bytes) -> None:
        with self._writing():
            there = self.head()
            if there is None:
                self._files.write_key(key)
                self._put_head(head)
            elif there != head or self._files.key() != key:
                raise occupied()
            self._key, self._opened = key, head

    def quarantine(self) -> tuple[Address, ...]:
        with self._writing():
            damaged = [file for file in self._files.resource_files() if self._files.is_damaged(file)]
            for file in damaged:
                copy_file(file, self._files.history / damaged_name(file.name))
                remove_file(file)
            return tuple(address_in(file.name) for file in damaged)

    def write(self, resource: ResourceState) -> None:
        self.begin_run()
        replace_file(self._files.resource_file(resource.address), dump(encode_resource(resource)))
        with self._writing():
            self._fresh -= resource.snapshots

    def drop(self, resource: ResourceState) -> None:
        self.begin_run()
        remove_file(self._files.resource_file(resource.address))

    def store_snapshot(self, snapshot: SnapshotRef, file: str) -> None:
        if not snapshot:
            return
        with self._writing():
            self._fresh.add(snapshot.digest)
            self._snapshots.store(snapshot.digest, Path(file))

    def reseal_keys(self) -> None:
        with self._writing():
            self._files.write_key(self.key())
            if (erasures := self.erasures()).keys:
                self._files.write_erasures(erasures)

    def reseal(self, digest: str) -> None:
        with self._writing():
            self._snapshots.reseal(digest)

    def write_read_records(self, records: ReadRecords) -> None:
        with self._writing():
            replace_file(self._files.records_file, dump(encode_records(records)))

    def write_verifications(self, verifications: Verifications) -> None:
        with self._writing():
            replace_file(self._files.verifications_file, dump(encode_verifications(verifications)))

    def write_series(self, month: SeriesMonth) -> None:
        with self._writing():
            remove_temporary_files(private_directory(self._files.series))
            replace_file(self._files.series_file(month.month), dump_series(month))
            for expired in expired_months(months_in(names_in(self._files.series)), month.month):
                remove_file(self._files.series / month_name(expired))

    def write_erasures(self, erasures: ErasureList) -> None:
        with self._writing():
            self._files.write_erasures(erasures)

    def rewrite_version(self, version: StateVersion) -> None:
        with self._writing():
            file = self._files.history / document_name(version.head.serial)
            replace_file(file, dump(encode_state(version)))

    def purge(self) -> None:
        if named(self._files.saved) is None:
            raise unreadable_version()
        self.prune()

    def prune(self) -> None:
        with self._writing():
            current = {digest for resource in self.resources() for digest in resource.snapshots}
            kept = named(self._files.saved)
            if kept is None:
                return
            for digest in names_in(self._files.snapshots) - current - kept - self._fresh:
                remove_file(self._files.snapshots / digest)

    def check_lock(self) -> None:
        """The lock is held as long as the process runs."""

    def _keep_state(self, head: StateHead) -> None:
        """Save the version, and remove older ones; `prune` removes the snapshots that only these name."""
        history, now = self._files.history, self._now()
        content = document(head, self.resources(), now)
        replace_file(history / document_name(head.serial), content)
        for name in superseded(names_in(history), self._keep, self._files.saved_as, now):
            remove_file(history / name)

    def _put_head(self, head: StateHead) -> StateHead:
        replace_file(self._files.head_file, dump(encode_head(head)))
        return head

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._gate:
            if self._closed:
                raise AssertionError("the lock of this writer is gone")
            yield
