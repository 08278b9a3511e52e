"""Open the store of a `state: {url: …}`."""

from collections.abc import Callable
from pathlib import Path

from reconciler.buckets import is_bucket
from reconciler.buckets.bucket import ObjectStore
from reconciler.buckets.connection import BucketLocation, open_bucket
from reconciler.core.errors import ConfigurationError, StorageError
from reconciler.core.model import Environment
from reconciler.core.ports import Clock, StateStore
from reconciler.state.local_store import LocalStore
from reconciler.state.seal import PLAIN, Seal


def open_store(
    environment: Environment,
    root: Path,
    snapshots: Callable[[], Path],
    leftovers: Path,
    clock: Clock,
    seal: Seal = PLAIN,
) -> StateStore:
    """Open `file:DIRECTORY`, relative to the project's root, `file:///DIRECTORY`, or a bucket and a prefix.

    `snapshots` holds plain snapshots while they are used; `leftovers` holds resource states that the store
    did not accept.
    """
    url = environment.state_url
    if is_bucket(url):
        from reconciler.state.bucket_reader import StoreContext
        from reconciler.state.bucket_store import BucketStore
        from reconciler.state.lease import LeaseTiming

        around = StoreContext(
            clock.now, clock.wait, snapshots, leftovers / environment.name, environment.retention, seal=seal
        )
        return BucketStore(_bucket(url), environment.name, LeaseTiming.of(environment.api.timeout), around)
    scheme, _, rest = url.partition(":")
    directory = rest.removeprefix("//")
    if scheme != "file" or not directory or (rest.startswith("//") and not directory.startswith("/")):
        raise ConfigurationError(
            f"{environment.name}: the state's url names no place where state can be kept",
            remedy=f'state: {{url: "file:.reconciler/state/{environment.name}"}}',
        )
    return LocalStore(
        root / directory, environment.name, keep=environment.retention, seal=seal, opened=snapshots
    )


def _bucket(url: str) -> ObjectStore:
    place = placed(url)
    try:
        return ObjectStore(open_bucket(place), place)
    except ValueError:
        raise StorageError(
            f"{url} is no place where state can be kept",
            remedy="write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX",
        ) from None


def placed(url: str) -> BucketLocation:
    """Return the location of a state, with the fix for its errors."""
    return BucketLocation(
        url,
        if_absent="create it, or correct `state: {url: …}` in environment.yaml",
        if_denied="give this job read and write on the prefix (docs/how-to/object-stores.md) and a login",
        if_silent="check the network, the store's status, and whether a variable such as "
        "AWS_ENDPOINT_URL names another store; then run again: nothing is lost",
    )
