"""The emulator of an environment, as its commands open it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reconciler import emulation
from reconciler.commands.support.options import CommonOptions, Environment
from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import ConfigurationError
from reconciler.disk.private_dir import WORK_DIR
from reconciler.emulation import EMULATOR
from reconciler.emulator.emulator import Emulator
from reconciler.manifests import environments, find_root, load_without_sources


@dataclass(frozen=True, slots=True)
class EmulatorOptions:
    """The environment of the emulator."""

    environment: Environment
    common: CommonOptions


@contextmanager
def open_emulator(environment: str, common: CommonOptions) -> Iterator[Emulator]:
    root = find_root(common.settings().directory)
    if environment not in environments(root):
        raise ConfigurationError(
            "there is no environment of that name",
            remedy=f"environments here: {', '.join(environments(root))}",
        )
    desired = load_without_sources(root, environment)
    _refuse_elsewhere(desired)
    with emulation.open_emulator(root / WORK_DIR, desired) as emulator:
        yield emulator


def _refuse_elsewhere(desired: DesiredState) -> None:
    """At a socket of this machine it may be the emulator that `serve` serves."""
    name, endpoint = desired.environment.name, desired.environment.api.endpoint
    if endpoint != EMULATOR and not endpoint.startswith("http://"):
        raise ConfigurationError(
            f"{name} is no environment on the emulator: its api.endpoint is {endpoint}",
            remedy=f"name one that is, or try {name} with `plan {name} --emulate`, which needs none of this",
        )
