"""The emulator of an environment: its file, its clock, and the connection inside this process."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import httpx

from reconciler.core.desired_state import DesiredState
from reconciler.core.endpoints import is_served_emulator
from reconciler.core.errors import StorageError
from reconciler.core.model import Api
from reconciler.core.plan.promotion_gates import without_gates
from reconciler.core.ports import Clock
from reconciler.core.secret import Secret
from reconciler.core.telemetry import SILENT, Telemetry
from reconciler.criteo.connection import Connection, connect
from reconciler.criteo.grants import ClientCredentials, ClientKeys
from reconciler.disk.private_dir import WORK_DIR, private_directory
from reconciler.emulator import Emulator, IncompatibleVersionError
from reconciler.emulator.database import ahead
from reconciler.emulator.in_process_transport import transport
from reconciler.emulator.pipeline import CLOCK_PATH
from reconciler.web.deadline import Loopback
from reconciler.web.size_limits import Bounded

EMULATOR = "emulator"
EMULATED_URL = "http://emulator.invalid"
CLOCK_SECONDS = 2.0
"""The deadline of the request for a served emulator's clock."""
LARGEST_CLOCK = 1_000
"""Bytes of its answer."""
MOST_AHEAD = 7_000 * 365 * 86_400
"""Seconds: `emulator advance` moves the clock to the year 9000 at most, and calendars end in 9999."""


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


def emulated_connection(
    emulator: Emulator, desired: DesiredState, clock: Clock, telemetry: Telemetry = SILENT
) -> Connection:
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
        telemetry=telemetry,
    )


def clock_ahead(private: Path, environment: str) -> timedelta:
    """Return how far the emulator's clock is ahead; locks of a state use the real time."""
    return timedelta(seconds=ahead(_file(private / EMULATOR, environment)))


def served_clock_ahead(api: Api) -> timedelta:
    """Return how far the clock of a served emulator is ahead; zero for any other endpoint or answer.

    Only a server on this machine is asked, once, without TLS and without a proxy. No other server can move
    the clock.
    """
    if not is_served_emulator(api):
        return timedelta()
    with suppress(httpx.HTTPError, OSError, ValueError), _local_client() as http:
        answer = http.get(f"{api.endpoint.rstrip('/')}{CLOCK_PATH}")
        if answer.status_code == HTTPStatus.OK:
            return _lead(answer.json())
    return timedelta()


def _local_client() -> httpx.Client:
    bounded = Bounded(Loopback(), LARGEST_CLOCK, frozenset())
    return httpx.Client(transport=bounded, timeout=CLOCK_SECONDS, trust_env=False)


def _lead(found: object) -> timedelta:
    """Return a valid lead, which stays in the calendar; zero for any other value."""
    seconds = found.get("ahead_seconds") if isinstance(found, dict) else None
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds <= MOST_AHEAD:
        return timedelta(seconds=seconds)
    return timedelta()


def throw_away(desired: DesiredState, private: Path) -> DesiredState:
    """Return the environment with a temporary emulator and state."""
    environment = desired.environment
    emulated = replace(
        environment,
        api=replace(environment.api, endpoint=EMULATOR),
        state_url=f"file://{private / 'state' / environment.name}",
        snapshot_key="",
        earlier_snapshot_keys=(),
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
