"""Opens object stores, and puts what they refuse into our words: theirs may quote names and keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from reconciler.core.errors import StorageError

RETRIES, PATIENCE = 4, timedelta(seconds=20)
EXPIRED = ("<Code>ExpiredToken</Code>", "<Code>TokenRefreshRequired</Code>")
"""S3 answers 400 with these, and no 403, when a temporary login has ended."""
ABSENT = ("NoSuchBucket", "ContainerNotFound", "bucket does not exist")


class UnreachableError(StorageError):
    """The store gives no good answer; whether it did what it was asked to is not known."""


class NoBucketError(Exception):
    """There is no bucket, and so no object in it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A prefix in a store, and what to do about it, in the words of whoever uses it."""

    url: str
    if_absent: str
    if_denied: str
    if_silent: str


def opened(url: str) -> Any:
    """`s3://BUCKET/PREFIX`, `gs://…` or `az://…`; where and who comes from the environment. ValueError."""
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    try:
        return from_url(url, retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE})
    except BaseError:
        raise ValueError from None


@contextmanager
def explained(doing: str, place: Place) -> Iterator[None]:
    """Around calls to a store, and nothing else. UnreachableError for whatever it refuses."""
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    try:
        yield
    except NoBucketError:
        raise _absent(doing, place) from None
    except (PermissionDeniedError, UnauthenticatedError):
        raise _denied(doing, place) from None
    except (BaseError, FileNotFoundError, OSError) as error:
        if any(code in str(error) for code in EXPIRED):
            raise _denied(doing, place) from None
        if any(code in str(error) for code in ABSENT):
            raise _absent(doing, place) from None
        raise UnreachableError(
            f"can't {doing} {place.url}: the store gives no good answer", remedy=place.if_silent
        ) from None


def must_be_there(error: FileNotFoundError) -> None:
    """A missing bucket looks like a missing object, but for the store's own code in the error."""
    if any(code in str(error) for code in ABSENT):
        raise NoBucketError from None


def _absent(doing: str, place: Place) -> UnreachableError:
    return UnreachableError(f"can't {doing} {place.url}: there is no such bucket", remedy=place.if_absent)


def _denied(doing: str, place: Place) -> UnreachableError:
    return UnreachableError(
        f"can't {doing} {place.url}: permission denied, or the login has expired", remedy=place.if_denied
    )
