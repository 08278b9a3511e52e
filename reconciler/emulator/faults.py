"""Pending faults in the database. Selects the fault of a call; `fault_effects` carries it out."""

from dataclasses import dataclass
from typing import Literal, get_args

from reconciler.emulator.database import Session

Kind = Literal[
    "429",
    "500-before",
    "500-after",
    "timeout-before",
    "timeout-after",
    "late-commit",
    "partial",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
ANY = "*"
TOKEN = "token"  # noqa: S105 - how faults and the history call POST /oauth2/token


@dataclass(frozen=True)
class Fault:
    """Strikes `times` matching calls, once `after` of them have passed unharmed.

    `operation` is an operationId, "token", or "*" for every call but the token and the consent page.
    `seconds` is until a new call may be made (429), the hold before a served socket closes
    (time-outs), or the wait on the emulator's clock until the commit (late-commit).
    """

    kind: Kind
    operation: str = ANY
    times: int = 1
    after: int = 0
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault; known are {', '.join(KINDS)}")
        if self.times < 1 or self.after < 0 or self.seconds < 0:
            raise ValueError("a fault strikes at least once, after no negative count or time")


def add(session: Session, fault: Fault) -> None:
    session.db.execute(
        "INSERT INTO faults (kind, operation, times, after, seconds) VALUES (?, ?, ?, ?, ?)",
        (fault.kind, fault.operation, fault.times, fault.after, fault.seconds),
    )


def clear(session: Session) -> None:
    session.db.execute("DELETE FROM faults")


def take(session: Session, operation: str, kinds: frozenset[Kind]) -> Fault | None:
    """The oldest matching fault that is ready; the unready ones let this call pass and count it."""
    rows = session.db.execute(
        "SELECT number, kind, operation, times, after, seconds FROM faults"
        " WHERE operation IN (?, ?) ORDER BY number",
        (operation, operation if operation == TOKEN else ANY),
    ).fetchall()
    for number, kind, matches, times, after, seconds in rows:
        if kind not in kinds:
            continue
        if after:
            session.db.execute("UPDATE faults SET after = after - 1 WHERE number = ?", (number,))
            continue
        if times == 1:
            session.db.execute("DELETE FROM faults WHERE number = ?", (number,))
        else:
            session.db.execute("UPDATE faults SET times = times - 1 WHERE number = ?", (number,))
        return Fault(kind, matches, times, after, seconds)
    return None
