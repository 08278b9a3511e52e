"""Criteo Retail Media as documented, over SQLite; shares no code with the client."""

from reconciler.emulator.database import IncompatibleVersionError
from reconciler.emulator.emulator import Credentials, Emulator
from reconciler.emulator.faults import KINDS, Fault, Kind
from reconciler.emulator.history import Request
from reconciler.emulator.responses import NoAnswer
from reconciler.emulator.segments import Segment
from reconciler.emulator.switches import Switches

__all__ = [
    "KINDS",
    "Credentials",
    "Emulator",
    "Fault",
    "IncompatibleVersionError",
    "Kind",
    "NoAnswer",
    "Request",
    "Segment",
    "Switches",
]
