"""Which store a `state: {url: …}` means."""

from collections.abc import Callable
from pathlib import Path

from reconciler.core.errors import ConfigurationError
from reconciler.core.model import Environment
from reconciler.core.ports import Clock, StateStore
from reconciler.state.local import LocalStore

BUCKETS = ("s3://", "gs://", "az://")


def open_store(
    environment: Environment, root: Path, snapshots: Callable[[], Path], leftovers: Path, clock: Clock
) -> StateStore:
    """`file:DIRECTORY`, relative to the project's root, `file:///DIRECTORY`, or a bucket and a prefix.

    Where snapshots lie while they are read from a bucket, and receipts that it could not take.
    """
    url = environment.state_url
    if url.startswith(BUCKETS):
        from reconciler.state.bucket import open_bucket
        from reconciler.state.lease import Timing
        from reconciler.state.reader import Surroundings
        from reconciler.state.remote import RemoteStore

        around = Surroundings(clock.now, clock.wait, snapshots, leftovers / environment.name)
        return RemoteStore(open_bucket(url), environment.name, Timing.of(environment.api.timeout), around)
    scheme, _, rest = url.partition(":")
    directory = rest.removeprefix("//")
    if scheme != "file" or not directory or (rest.startswith("//") and not directory.startswith("/")):
        raise ConfigurationError(
            f"{environment.name}: the state's url names no place where state can be kept",
            remedy=f'state: {{url: "file:.reconciler/state/{environment.name}"}}',
        )
    return LocalStore(root / directory, environment.name)
