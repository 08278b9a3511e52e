"""How a state lies in a directory, and how each file is read.

    DIRECTORY/head.json                             what it is a state of, and how often it was written
    DIRECTORY/key                                   32 bytes that every digest is keyed with
    DIRECTORY/lock                                  held by the one writer, signed with its name
    DIRECTORY/resources/DESTINATION.AUDIENCE.json    one resource state per address
    DIRECTORY/snapshots/DIGEST                      sets of members that resource states name
    DIRECTORY/history/SERIAL.json                   the state as it was before each of the newest runs
    DIRECTORY/secrets/NAME                          what `state:NAME` refers to, sealed
    DIRECTORY/sources.json                          what sources were read: advisory, see `core/reuse.py`
    DIRECTORY/verifications.json                    what arrived: advisory, see `core/verification.py`
    DIRECTORY/series/MONTH.json                     counts over time: advisory, see `core/series.py`
    DIRECTORY/audit/NUMBER.json                     what each run did, each entry once: see `audit_log.py`
    DIRECTORY/erasure.json, erasure.key             who must not come back, see `core/erasure.py`; its keys

Each file is replaced as a whole, so a reader needs no lock. The key is there before the head, the head
before any resource state, and a snapshot before the resource state that names it.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.core.erasure import ErasureList
from reconciler.core.errors import StorageError
from reconciler.core.model import Address
from reconciler.core.state.codec import UnsupportedFormatError, decode_head, decode_resource, parse
from reconciler.core.state.model import StateHead, StateVersion
from reconciler.core.state.resource import ResourceState
from reconciler.disk.atomic import names_in, read_file, replace_file
from reconciler.state.audit_log import AUDIT
from reconciler.state.erasure_files import KEYS, LIST, erasure_list, keys_content, list_content
from reconciler.state.seal import PLAIN, Seal, StoredFile
from reconciler.state.sealed_stream import SealedKind
from reconciler.state.versions import HISTORY, document_name, saved_state, serials

KEY_LENGTH = 32
SOURCES = "sources.json"
VERIFICATIONS = "verifications.json"
SERIES = "series"
BACKUP = "put it back from a backup (docs/how-to/recover-state.md)"
GO_BACK = f"{BACKUP}, or go back: `reconciler state history`, then `state restore --accept-loss`"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_DIGEST = re.compile(r"[A-Za-z0-9_-]{1,128}")


def is_digest(text: str) -> bool:
    return bool(_DIGEST.fullmatch(text))


def occupied() -> StorageError:
    return StorageError(
        "there is a state already, and it is another one",
        remedy="name a new place in the environment's `state: {url: …}`; nothing was changed here",
    )


def resource_name(address: Address) -> str:
    """Return the file name. Names have no dot, so no two addresses share a file."""
    if not (_NAME.fullmatch(address.destination) and _NAME.fullmatch(address.audience)):
        raise StorageError(
            "a destination or audience has a name that no state can have: not 1 to 63 characters of a-z, 0-9 "
            "and hyphen",
            remedy=GO_BACK,
        )
    return f"{address.destination}.{address.audience}.json"


def month_name(month: str) -> str:
    """Return the file name of a month of points."""
    return f"{month}.json"


def months_in(names: Iterable[str]) -> tuple[str, ...]:
    """Return the months that files of points are named after."""
    months = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return tuple(month for month in months if _MONTH.fullmatch(month))


def address_in(name: str) -> Address:
    """Return the address of a resource state, by its file name alone."""
    destination, _, audience = name.removesuffix(".json").partition(".")
    return Address(destination, audience)


def _document(file: Path) -> StoredFile:
    return StoredFile(SealedKind.DOCUMENT, file.name, str(file), BACKUP)


class LocalLayout:
    """Reads a directory without a cache, as another process may write."""

    def __init__(self, directory: Path, environment: str, seal: Seal = PLAIN) -> None:
        self._seal = seal
        self.directory = directory
        self.environment = environment
        self.lock = directory / "lock"
        self.head_file = directory / "head.json"
        self.key_file = directory / "key"
        self.resources = directory / "resources"
        self.snapshots = directory / "snapshots"
        self.history = directory / HISTORY
        self.secrets = directory / "secrets"
        self.records_file = directory / SOURCES
        self.verifications_file = directory / VERIFICATIONS
        self.series = directory / SERIES
        self.audit = directory / AUDIT
        self.erasure_file = directory / LIST
        self.erasure_keys = directory / KEYS

    def resource_file(self, address: Address) -> Path:
        return self.resources / resource_name(address)

    def series_file(self, month: str) -> Path:
        return self.series / month_name(month)

    def snapshot_file(self, digest: str) -> Path:
        if not is_digest(digest):
            raise StorageError(f"{self.directory}: a snapshot has a name that is no digest", remedy=BACKUP)
        return self.snapshots / digest

    def resource_files(self) -> list[Path]:
        names = names_in(self.resources)
        return [self.resources / name for name in sorted(names) if name.endswith(".json")]

    def head(self) -> StateHead | None:
        """Return the head. Lists resource states first: the head is written before them."""
        resources = self.resource_files()
        content = read_file(self.head_file)
        if content is None and resources:
            raise StorageError(f"{self.head_file} is missing, but there are resource states", remedy=BACKUP)
        if content is None:
            return None
        with self._naming(self.head_file):
            head = decode_head(parse(content))
        if head.environment != self.environment:
            raise StorageError(
                f"{self.directory} is the state of {head.environment}, not of {self.environment}",
                remedy="give each environment its own `state: {url: …}`",
            )
        return head

    def key(self) -> bytes:
        """Return the key; b"" if there is none yet. The head is read first, as the key is older."""
        head = self.head()
        key = read_file(self.key_file)
        if key is None and head:
            raise StorageError(f"{self.key_file} is missing", remedy=BACKUP)
        if key is not None:
            key = self._seal.unpack(_document(self.key_file), key)
        if key is not None and len(key) != KEY_LENGTH:
            raise StorageError(f"{self.key_file} is not {KEY_LENGTH} bytes long", remedy=BACKUP)
        return key or b""

    def write_key(self, key: bytes) -> None:
        replace_file(self.key_file, self._seal.pack(_document(self.key_file), key))

    def erasures(self) -> ErasureList:
        return erasure_list(read_file(self.erasure_file), self._erasure_keys)

    def write_erasures(self, erasures: ErasureList) -> None:
        keys = self._seal.pack(_document(self.erasure_keys), keys_content(erasures))
        replace_file(self.erasure_keys, keys)
        replace_file(self.erasure_file, list_content(erasures))

    def _erasure_keys(self) -> bytes | None:
        content = read_file(self.erasure_keys)
        return content and self._seal.unpack(_document(self.erasure_keys), content)

    def resource(self, file: Path) -> ResourceState | None:
        """Return the resource state; None if it was dropped since it was listed."""
        content = read_file(file)
        if content is None:
            return None
        with self._naming(file, GO_BACK):
            resource = decode_resource(parse(content))
            if file != self.resource_file(resource.address):
                raise StorageError("holds the resource state of another address")
        return resource

    def is_damaged(self, file: Path) -> bool:
        """Return whether the resource state is unreadable; a newer format is not."""
        content = read_file(file)
        if content is None:
            return False
        try:
            return file != self.resource_file(decode_resource(parse(content)).address)
        except UnsupportedFormatError:
            return False
        except StorageError:
            return True

    def saved(self) -> Iterator[StateVersion]:
        """Return the state versions, oldest first."""
        for serial in serials(names_in(self.history)):
            state = self.saved_as(serial)
            if state is not None:
                yield state

    def saved_as(self, serial: int) -> StateVersion | None:
        file = self.history / document_name(serial)
        content = read_file(file)
        return None if content is None else saved_state(content, str(file))

    @contextmanager
    def _naming(self, file: Path, remedy: str = BACKUP) -> Iterator[None]:
        """Add the file and the fix to a decoding error."""
        try:
            yield
        except StorageError as error:
            raise StorageError(f"{file}: {error.problem}", remedy=error.remedy or remedy) from None
