"""Open object stores, and replace their error texts, which may quote names and keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from reconciler.core.errors import StorageError

RETRIES, PATIENCE = 4, timedelta(seconds=20)
EXPIRED = ("<Code>ExpiredToken</Code>", "<Code>TokenRefreshRequired</Code>")
"""S3 answers 400 with these, and no 403, when a temporary login has ended."""
NOBODY = ("169.254.169.254", "169.254.170.2", "Account must be specified")
"""Nothing in the environment names a login: then the machine is asked for its role, at these addresses."""
LOG_IN = {
    "s3": "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or give this machine a role",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY or another way to log in",
    "gs": "set GOOGLE_SERVICE_ACCOUNT, or give this machine a role",
}
ABSENT = ("NoSuchBucket", "ContainerNotFound", "bucket does not exist")


class UnreachableError(StorageError):
    """The store's response is an error; it is unknown whether the request took effect."""


class NoBucketError(Exception):
    """The bucket does not exist."""


@dataclass(frozen=True, slots=True)
class BucketLocation:
    """A prefix in a store, with the fixes of its user.

    `where`: its position in the manifests, with which messages begin.
    """

    url: str
    if_absent: str
    if_denied: str
    if_silent: str
    where: str = ""

    def cannot(self, doing: str) -> str:
        problem = f"can't {doing} {self.url}"
        return f"{self.where}: {problem}" if self.where else problem


def open_bucket(place: BucketLocation) -> Any:
    """Open `s3://BUCKET/PREFIX`, `gs://…` or `az://…`; region and login come from the environment.

    Raises ValueError for an invalid URL, UnreachableError without a login.
    """
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    try:
        return from_url(place.url, retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE})
    except BaseError as error:
        if _is(error, NOBODY):
            raise _unknown("open", place) from None
        raise ValueError from None


@contextmanager
def store_errors(doing: str, place: BucketLocation) -> Iterator[None]:
    """Wrap calls to a store only. Raises UnreachableError for any error of the store."""
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    try:
        yield
    except NoBucketError:
        raise _absent(doing, place) from None
    except (PermissionDeniedError, UnauthenticatedError):
        raise _denied(doing, place) from None
    except (BaseError, FileNotFoundError, OSError) as error:
        for signs, error_for in ((EXPIRED, _denied), (ABSENT, _absent), (NOBODY, _unknown)):
            if _is(error, signs):
                raise error_for(doing, place) from None
        raise UnreachableError(
            f"{place.cannot(doing)}: unexpected response from the store", remedy=place.if_silent
        ) from None


def must_be_there(error: FileNotFoundError) -> None:
    """Distinguish a missing bucket from a missing object, by the store's code in the error."""
    if _is(error, ABSENT):
        raise NoBucketError from None


def _is(error: Exception, signs: tuple[str, ...]) -> bool:
    """Return whether an error contains one of these codes: obstore has no attribute for code or status."""
    return any(sign in str(error) for sign in signs)


def _absent(doing: str, place: BucketLocation) -> UnreachableError:
    return UnreachableError(f"{place.cannot(doing)}: there is no such bucket", remedy=place.if_absent)


def _unknown(doing: str, place: BucketLocation) -> UnreachableError:
    scheme = place.url.partition(":")[0]
    return UnreachableError(f"{place.cannot(doing)}: there is no login for it", remedy=LOG_IN[scheme])


def _denied(doing: str, place: BucketLocation) -> UnreachableError:
    return UnreachableError(
        f"{place.cannot(doing)}: permission denied, or the login has expired", remedy=place.if_denied
    )
