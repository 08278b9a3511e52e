"""How a state lies in a bucket, and how each object is read.

    head.json                             what it is a state of, how often written, which addresses it has
    key                                   32 bytes that every digest is keyed with
    lease.json                            who may write: see `lease.py`
    resources/DESTINATION.AUDIENCE.json    a resource state per address; empty if the address was dropped
    snapshots/DIGEST, DIGEST.sha256       sets of members that resource states name, and their checksums
    history/SERIAL.json                   the state as it was before each of the newest runs
    secrets/NAME                          what `state:NAME` refers to, sealed
    sources.json                          what sources were read: advisory, see `core/reuse.py`
    verifications.json                    what arrived: advisory, see `core/verification.py`
    series/MONTH.json                     counts over time: advisory, see `core/series.py`
    audit/NUMBER.json                     what each run did, each entry once: see `audit_log.py`
    erasure.json, erasure.key             who must not come back, see `core/erasure.py`; its keys

Every object that changes has the token of the lease it was written under, and a nonce: two writes are
never the same bytes, so that a store that compares contents can't take one for the other.
"""

import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from reconciler.buckets.bucket import Bucket, StoredObject, Version
from reconciler.core.erasure import ErasureList
from reconciler.core.errors import Finding, StorageError
from reconciler.core.model import Address
from reconciler.core.state.codec import (
    UnsupportedFormatError,
    decode_head,
    decode_resource,
    dump,
    encode_head,
    encode_resource,
    parse,
)
from reconciler.core.state.model import StateHead, StateVersion
from reconciler.core.state.resource import ResourceState
from reconciler.state.erasure_files import KEYS, LIST, erasure_list, keys_content, list_content
from reconciler.state.local_layout import KEY_LENGTH, SERIES, month_name, resource_name
from reconciler.state.seal import PLAIN, Seal, StoredFile
from reconciler.state.sealed_stream import SealedKind
from reconciler.state.versions import HISTORY, document_name, saved_state, serials

HEAD, KEY, LEASE, RESOURCES, SNAPSHOTS = "head.json", "key", "lease.json", "resources", "snapshots"
READERS = 8
_AGAIN = b"\nfenced "
RESTORE = (
    "put back its earlier version from the versions that the bucket keeps (docs/how-to/recover-state.md)"
)
GO_BACK = f"{RESTORE}, or go back: `reconciler state history`, then `state restore --accept-loss`"


_KEY = StoredFile(SealedKind.DOCUMENT, KEY, "the key of the state", RESTORE)
_ERASURE_KEYS = StoredFile(SealedKind.DOCUMENT, KEYS, KEYS, RESTORE)


@dataclass(frozen=True, slots=True)
class HeadObject:
    """`addresses` are all that may have a resource state: objects of other addresses are ignored."""

    head: StateHead
    token: int
    addresses: frozenset[Address]
    version: Version = field(compare=False)


@dataclass(frozen=True, slots=True)
class ResourceObject:
    """`resource` is None if the address was dropped: its object stays, so that late writes fail."""

    address: Address
    resource: ResourceState | None
    token: int
    version: Version = field(compare=False)


def head_bytes(head: StateHead, token: int, addresses: Iterable[Address]) -> bytes:
    names = [{"destination": one.destination, "audience": one.audience} for one in sorted(addresses)]
    return _dump({"token": token, "addresses": names, "head": encode_head(head)})


def resource_bytes(resource: ResourceState | None, token: int) -> bytes:
    return _dump({"token": token, "resource": encode_resource(resource) if resource else None})


def with_new_version(content: bytes) -> bytes:
    """Return the damaged content under a new version, so that no earlier writer can replace it."""
    return content.partition(_AGAIN)[0] + _AGAIN + secrets.token_hex(8).encode()


def resource_path(address: Address) -> str:
    return f"{RESOURCES}/{resource_name(address)}"


def series_path(month: str) -> str:
    return f"{SERIES}/{month_name(month)}"


class BucketLayout:
    """Reads a bucket without a cache, as another process may write."""

    def __init__(self, bucket: Bucket, environment: str, seal: Seal = PLAIN) -> None:
        self._seal = seal
        self.bucket = bucket
        self.environment = environment

    def head(self) -> HeadObject | None:
        found = self.bucket.read(HEAD)
        if found is None:
            return None
        try:
            data = _envelope(found.content, "head")
            head, token, addresses = decode_head(data["head"]), _token(data), _addresses(data)
        except StorageError as error:
            raise StorageError(f"{HEAD}: {error.problem}", remedy=error.remedy or RESTORE) from None
        if head.environment != self.environment:
            raise StorageError(
                f"the state is that of {head.environment}, not of {self.environment}",
                remedy="give each environment its own `state: {url: …}`",
            )
        return HeadObject(head, token, addresses, found.version)

    def key(self) -> bytes:
        """Return the key; b"" if there is none yet."""
        found = self.bucket.read(KEY)
        if found is None:
            if self.head() is not None:
                raise StorageError("the key of the state is missing", remedy=RESTORE)
            return b""
        key = self._seal.unpack(_KEY, found.content)
        if len(key) != KEY_LENGTH:
            raise StorageError(f"the key of the state is not {KEY_LENGTH} bytes long", remedy=RESTORE)
        return key

    def create_key(self, key: bytes) -> None:
        """Raise PreconditionFailedError if there is a key."""
        self.bucket.create(KEY, self._seal.pack(_KEY, key))

    def put_key(self, key: bytes) -> None:
        """Write the key in place of another one."""
        found = self.bucket.read(KEY)
        if found is None:
            self.create_key(key)
        elif self._seal.unpack(_KEY, found.content) != key:
            self.bucket.replace(KEY, self._seal.pack(_KEY, key), found.version)

    def upload_key(self, key: bytes) -> None:
        """Write the same key again, as keys are written now."""
        self.bucket.upload(KEY, self._seal.pack(_KEY, key))

    def erasures(self) -> ErasureList:
        found = self.bucket.read(LIST)
        return erasure_list(found.content if found else None, self._erasure_keys)

    def erasure_files(self, erasures: ErasureList) -> tuple[tuple[str, bytes], ...]:
        """Return the objects of the list, in the order in which they are written."""
        keys = self._seal.pack(_ERASURE_KEYS, keys_content(erasures))
        return (KEYS, keys), (LIST, list_content(erasures))

    def _erasure_keys(self) -> bytes | None:
        found = self.bucket.read(KEYS)
        return self._seal.unpack(_ERASURE_KEYS, found.content) if found else None

    def resources(self, addresses: Iterable[Address]) -> list[ResourceObject]:
        """Return all resource states. The error names every unreadable object."""
        with ThreadPoolExecutor(READERS) as pool:
            answers = list(pool.map(self._attempt, sorted(addresses)))
        wrong = [one for one in answers if isinstance(one, StorageError)]
        if wrong:
            raise StorageError(
                f"{len(wrong)} of {len(answers)} resource states can't be read",
                findings=[Finding("", error.problem, error.remedy) for error in wrong],
            )
        return [one for one in answers if isinstance(one, ResourceObject)]

    def resource(self, address: Address) -> ResourceObject | None:
        path = resource_path(address)
        found = self.bucket.read(path)
        if found is None:
            return None
        try:
            resource, token = _resource(found.content, address)
        except StorageError as error:
            raise StorageError(f"{path}: {error.problem}", remedy=error.remedy or GO_BACK) from None
        return ResourceObject(address, resource, token, found.version)

    def damaged(self, address: Address) -> StoredObject | None:
        """Return the object of an unreadable resource state; a newer format is not unreadable."""
        found = self.bucket.read(resource_path(address))
        if found is None:
            return None
        try:
            _resource(found.content, address)
        except UnsupportedFormatError:
            return None
        except StorageError:
            return found
        return None

    def saved(self) -> Iterator[StateVersion]:
        """Return the state versions, oldest first."""
        for serial in serials(self.bucket.names(HISTORY)):
            state = self.saved_as(serial)
            if state is not None:
                yield state

    def saved_as(self, serial: int) -> StateVersion | None:
        path = f"{HISTORY}/{document_name(serial)}"
        found = self.bucket.read(path)
        return None if found is None else saved_state(found.content, path)

    def _attempt(self, address: Address) -> ResourceObject | StorageError | None:
        try:
            return self.resource(address)
        except StorageError as error:
            return error


def _dump(plain: dict[str, object]) -> bytes:
    return dump(plain | {"nonce": secrets.token_hex(8)})


def _resource(content: bytes, address: Address) -> tuple[ResourceState | None, int]:
    data = _envelope(content, "resource")
    resource = decode_resource(data["resource"]) if data["resource"] is not None else None
    if resource is not None and resource.address != address:
        raise StorageError("holds the resource state of another address")
    return resource, _token(data)


def _envelope(content: bytes, key: str) -> dict[str, object]:
    data = parse(content)
    if not data.keys() >= {"token", key}:
        raise StorageError("is corrupt or edited by hand")
    return data


def _token(data: dict[str, object]) -> int:
    token = data["token"]
    if not isinstance(token, int):
        raise StorageError("has no token")
    return token


def _addresses(data: dict[str, object]) -> frozenset[Address]:
    try:
        return frozenset(Address(one["destination"], one["audience"]) for one in data["addresses"])  # type: ignore[attr-defined]
    except (KeyError, TypeError):
        raise StorageError("its list of addresses is damaged") from None
