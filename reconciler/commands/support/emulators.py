"""The emulator of an environment, as its commands open it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.commands.support.options import CommonOptions, Environment
from reconciler.core.errors import ConfigurationError
from reconciler.core.model import DesiredState
from reconciler.disk.private_dir import WORK_DIR, private_directory
from reconciler.emulator.emulator import Emulator
from reconciler.manifests import environments, find_root, load_without_sources
from reconciler.workspace import EMULATOR, emulator_file, open_emulator_file, seat_accounts


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
    folder: Path = private_directory(root / WORK_DIR / EMULATOR)
    with open_emulator_file(emulator_file(folder, environment)) as emulator:
        for account_id, retailers in seat_accounts(desired).items():
            emulator.ensure_account(account_id, retailers)
        yield emulator


def _refuse_elsewhere(desired: DesiredState) -> None:
    """At a socket of this machine it may be the emulator that `serve` serves."""
    name, endpoint = desired.environment.name, desired.environment.api.endpoint
    if endpoint != EMULATOR and not endpoint.startswith("http://"):
        raise ConfigurationError(
            f"{name} is no environment on the emulator: its api.endpoint is {endpoint}",
            remedy=f"name one that is, or try {name} with `plan {name} --emulate`, which needs none of this",
        )
