"""A folder in an object store: small whole objects, written only if nobody else has written meanwhile.

Knows nothing of state. What a store refuses becomes a StorageError here, without a word of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from reconciler.core.errors import StorageError
from reconciler.disk.atomic import writing

Version = tuple[str | None, str | None]
"""What a conditional write compares: the entity tag, and the generation where a store counts them."""

RETRIES, PATIENCE = 4, timedelta(seconds=20)
EXPIRED = ("<Code>ExpiredToken</Code>", "<Code>TokenRefreshRequired</Code>")
"""S3 answers 400 with these, and no 403, when a temporary login has ended."""


class LostRaceError(Exception):
    """Somebody else wrote the object since it was read."""


class UnreachableError(StorageError):
    """The store gives no good answer; whether it did what it was asked to is not known."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it was when it was read."""

    content: bytes
    version: Version


class Bucket(Protocol):
    """Errors: StorageError; LostRaceError where it is named. Contents must differ, or races go unseen."""

    def read(self, path: str) -> Stored | None:
        """None when there is no such object."""
        ...

    def create(self, path: str, content: bytes) -> Version:
        """LostRaceError when it is there already."""
        ...

    def replace(self, path: str, content: bytes, version: Version) -> Version:
        """LostRaceError when it is not of that version any more."""
        ...

    def upload(self, path: str, content: Path | bytes) -> None:
        """Whatever is there: for objects that are named by their content."""
        ...

    def download(self, path: str, file: Path) -> bool:
        """False when there is no such object."""
        ...

    def remove(self, path: str) -> None:
        """Removing one that is gone already is no error."""
        ...

    def names(self, folder: str) -> dict[str, datetime]:
        """When each object of a folder was written, by its name; folders in it are left out."""
        ...


def open_bucket(url: str) -> "ObjectStore":
    """`s3://BUCKET/PREFIX`, `gs://…` or `az://…`; where and who comes from the environment."""
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    try:
        store = from_url(url, retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE})
    except (BaseError, ValueError):
        raise StorageError(
            f"{url} is no place where state can be kept",
            remedy="write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX",
        ) from None
    return ObjectStore(store, url)


class ObjectStore:
    """Bucket over obstore: S3, Google Cloud Storage, Azure. `url` is for messages."""

    def __init__(self, store: Any, url: str) -> None:
        self._store = store
        self._url = url

    def read(self, path: str) -> Stored | None:
        with self._explained("read"):
            try:
                found = self._store.get(path)
            except FileNotFoundError as error:
                _must_be_there(error)
                return None
            return Stored(bytes(found.bytes()), (found.meta.get("e_tag"), found.meta.get("version")))

    def create(self, path: str, content: bytes) -> Version:
        return self._put(path, content, "create")

    def replace(self, path: str, content: bytes, version: Version) -> Version:
        tag, generation = version
        condition = {"e_tag": tag, "version": generation}
        return self._put(path, content, {name: value for name, value in condition.items() if value})

    def upload(self, path: str, content: Path | bytes) -> None:
        with self._explained("write"):
            self._store.put(path, content)

    def download(self, path: str, file: Path) -> bool:
        """What this machine's disk refuses is not the store's fault."""
        with self._explained("read"):
            try:
                pieces = self._store.get(path).stream()
            except FileNotFoundError as error:
                _must_be_there(error)
                return False
            with writing(file) as target:
                for piece in pieces:
                    target.write(piece)
            return True

    def remove(self, path: str) -> None:
        with self._explained("remove"), suppress(FileNotFoundError):
            self._store.delete(path)

    def names(self, folder: str) -> dict[str, datetime]:
        with self._explained("list"):
            listed = self._store.list_with_delimiter(f"{folder}/" if folder else None)
            return {one["path"].rpartition("/")[2]: one["last_modified"] for one in listed["objects"]}

    def _put(self, path: str, content: bytes, mode: object) -> Version:
        """A retried write may have met its own first attempt: then what is there is what we wrote."""
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._explained("write"):
            try:
                put = self._store.put(path, content, mode=mode)
                return put.get("e_tag"), put.get("version")
            except (AlreadyExistsError, PreconditionError):
                there = self.read(path)
                if there is not None and there.content == content:
                    return there.version
                raise LostRaceError from None

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            yield
        except _NoBucketError:
            raise UnreachableError(
                f"can't {doing} {self._url}: there is no such bucket",
                remedy="create it, or correct `state: {url: …}` in environment.yaml",
            ) from None
        except (PermissionDeniedError, UnauthenticatedError):
            raise self._denied(doing) from None
        except (BaseError, FileNotFoundError, OSError) as error:
            if any(code in str(error) for code in EXPIRED):
                raise self._denied(doing) from None
            raise UnreachableError(
                f"can't {doing} {self._url}: the store gives no good answer",
                remedy="check the network, the store's status, and whether a variable such as "
                "AWS_ENDPOINT_URL names another store; then run again: nothing is lost",
            ) from None

    def _denied(self, doing: str) -> UnreachableError:
        return UnreachableError(
            f"can't {doing} {self._url}: permission denied, or the login has expired",
            remedy="give this job read and write on the prefix (docs/state.md), and a living login",
        )


class _NoBucketError(Exception):
    """There is no bucket, and so no object in it."""


def _must_be_there(error: FileNotFoundError) -> None:
    """A missing bucket looks like a missing object, but for the store's own code in the error."""
    if any(code in str(error) for code in ("NoSuchBucket", "ContainerNotFound", "bucket does not exist")):
        raise _NoBucketError from None
