"""The emulator of an environment: its file, its clock, and the connection inside this process."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import StorageError
from reconciler.core.plan.promotion_gates import without_gates
from reconciler.core.ports import Clock
from reconciler.core.secret import Secret
from reconciler.criteo.connection import Connection, connect
from reconciler.criteo.grants import ClientCredentials, ClientKeys
from reconciler.disk.private_dir import WORK_DIR, private_directory
from reconciler.emulator import Emulator, IncompatibleVersionError
from reconciler.emulator.database import ahead
from reconciler.emulator.in_process_transport import transport

EMULATOR = "emulator"
EMULATED_URL = "http://emulator.invalid"


def open_emulator(private: Path, desired: DesiredState) -> Emulator:
    """Open the emulator of an environment, with the accounts of its seats.

    Raises StorageError if another format version wrote the file.
    """
    file = _file(private_directory(private / EMULATOR), desired.environment.name)
    try:
        emulator = Emulator.open(file)
    except IncompatibleVersionError:
        raise StorageError(
            "the emulator's file was made by another version of reconciler",
            remedy=f"delete {WORK_DIR}/{EMULATOR}/{file.name}, and the files whose names begin with it",
        ) from None
    for account_id, retailers in _accounts(desired).items():
        emulator.ensure_account(account_id, retailers)
    return emulator


def emulated_connection(emulator: Emulator, desired: DesiredState, clock: Clock) -> Connection:
    """Return a connection to an emulator in this process, with the credentials that it issued."""
    issued, api = emulator.credentials, desired.environment.api
    return connect(
        base_url=EMULATED_URL,
        version=api.version,
        token_url="",
        grant=ClientCredentials(ClientKeys(Secret(issued.client_id), Secret(issued.client_secret))),
        timeout=api.timeout,
        clock=clock,
        share=api.share,
        transport=transport(emulator.pipeline),
    )


def clock_ahead(private: Path, environment: str) -> timedelta:
    """Return how far the emulator's clock is ahead; locks of a state use the real time."""
    return timedelta(seconds=ahead(_file(private / EMULATOR, environment)))


def throw_away(desired: DesiredState, private: Path) -> DesiredState:
    """Return the environment with a temporary emulator and state."""
    environment = desired.environment
    emulated = replace(
        environment,
        api=replace(environment.api, endpoint=EMULATOR),
        state_url=f"file://{private / 'state' / environment.name}",
    )
    return without_gates(replace(desired, environment=emulated))


def _file(folder: Path, environment: str) -> Path:
    return folder / f"{environment}.sqlite"


def _accounts(desired: DesiredState) -> dict[str, list[str]]:
    """Return the retailers of each account, from the environment's seats."""
    accounts: dict[str, list[str]] = {}
    for _, seat in desired.environment.seats:
        accounts.setdefault(seat.account_id, []).append(seat.retailer_id)
    return accounts
