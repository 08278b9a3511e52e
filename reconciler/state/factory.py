"""Which store a `state: {url: …}` means."""

from pathlib import Path

from reconciler.core.errors import ConfigurationError
from reconciler.core.ports import StateStore
from reconciler.state.local import LocalStore


def open_store(url: str, root: Path, environment: str) -> StateStore:
    """`file:DIRECTORY`, relative to the project's root, or `file:///DIRECTORY`."""
    scheme, _, rest = url.partition(":")
    directory = rest.removeprefix("//")
    if scheme != "file" or not directory or (rest.startswith("//") and not directory.startswith("/")):
        raise ConfigurationError(
            f"{environment}: the state's url names no place where state can be kept",
            remedy=f'state: {{url: "file:.reconciler/state/{environment}"}}',
        )
    return LocalStore(root / directory, environment)
