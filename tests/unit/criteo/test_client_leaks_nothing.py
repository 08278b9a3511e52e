"""At debug log level, over a real socket, no identifier, token or secret leaves the client."""

import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.fakes.criteo import at_once

from reconciler.core.errors import ReconcilerError
from reconciler.core.members import Identifiers
from reconciler.core.model import IdentifierType
from reconciler.core.remote import NewSegment, Segment
from reconciler.core.secret import Secret
from reconciler.criteo.connection import Connection, connect
from reconciler.criteo.grants import ClientCredentials, ClientKeys
from reconciler.emulator import Emulator, Switches

pytestmark = pytest.mark.promise("private")

PEOPLE = ["jane.roe@example.com", "not-a-mail-but-a-person", "joe@example.com"]


class PatientClock:
    """The true time, and no patience."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, seconds: float, reason: str, shown: float = 0.0) -> None:
        pass

    def check(self) -> None:
        pass


class Everything(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name} {record.getMessage()} {record.args!r} {record.exc_info!r}")


@pytest.fixture
def log() -> Iterator[Everything]:
    handler, root = Everything(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.NOTSET)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)


def connection(emulator: Emulator, url: str) -> Connection:
    return connect(
        base_url=url,
        version="2026-07",
        token_url="",
        grant=ClientCredentials(
            ClientKeys(Secret(emulator.credentials.client_id), Secret(emulator.credentials.client_secret))
        ),
        timeout=timedelta(seconds=5),
        clock=PatientClock(),
    )


def work(client: Connection) -> list[BaseException]:
    """Make a successful call, calls with invalid members, and every kind of failure."""
    errors: list[BaseException] = []
    (segment,) = (
        client.writer().create("1", [NewSegment("Lapsed", "", "7", IdentifierType.EMAIL)], at_once).items
    )
    assert isinstance(segment, Segment)
    for segment_id, kind in (
        (segment.id, IdentifierType.EMAIL),
        (segment.id, IdentifierType.CUSTOMER_ID),
        ("404", IdentifierType.EMAIL),
    ):
        try:
            client.writer().change_members(segment_id, kind, "add", Identifiers(PEOPLE), at_once)
        except ReconcilerError as error:
            errors.append(error)
    return errors


def test_nothing_leaks(tmp_path: Path, log: Everything) -> None:
    with Emulator.open(tmp_path / "criteo.db", switches=Switches()) as emulator:
        emulator.ensure_account("1", ["7"])
        emulator.fault("500-after", "*", times=1, after=3)
        with emulator.serving() as url, connection(emulator, url) as client:
            errors = work(client)
            secrets = [emulator.credentials.client_secret, emulator.credentials.client_id]
    assert len(errors) == 2
    output = "\n".join(log.lines)
    output += "".join("".join(traceback.format_exception(error)) + repr(vars(error)) for error in errors)
    assert "reconciler.criteo POST /audience-segments/{segment}/contact-list/add-remove 200" in output
    assert "httpcore" in output
    for value in (*PEOPLE, *secrets):
        assert value not in output
    assert "Bearer" not in output
    assert "Lapsed" not in output
