"""What happens by itself as time passes: late commits and computations, each in its turn."""

from dataclasses import replace

import orjson

from reconciler.emulator import history, statistics
from reconciler.emulator.clock import computation_before
from reconciler.emulator.database import Session
from reconciler.emulator.operations import BY_ID, Operation
from reconciler.emulator.request import ParsedRequest
from reconciler.emulator.responses import Answer, Refused

REACHED: frozenset[str] = frozenset()
"""Was admitted when it came; only a read looks at what else its token reaches, and no read is late."""


def keep(session: Session, number: int, due: float, operation: Operation, call: ParsedRequest) -> None:
    """The body of an unanswered call, to be carried out when it is due."""
    session.db.execute(
        "INSERT INTO late VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            due,
            operation.id,
            call.path,
            call.account_id,
            call.segment_id,
            orjson.dumps(call.body),
        ),
    )


def settle(session: Session) -> None:
    """Must come before any read or write of a session: nothing else moves the world to now."""
    rows = session.db.execute(
        "SELECT number, due, operation, path, account_id, segment_id, body FROM late"
        " WHERE due <= ? ORDER BY due, number",
        (session.now,),
    ).fetchall()
    for number, due, operation, path, account_id, segment_id, body in rows:
        statistics.compute(session, computation_before(due))
        call = ParsedRequest(path, account_id, segment_id, {}, orjson.loads(body), REACHED)
        answer = act(replace(session, now=due), BY_ID[operation], call)
        if isinstance(answer, Answer):
            history.commit_late(session, number, answer, due)
        session.db.execute("DELETE FROM late WHERE number = ?", (number,))
    statistics.compute(session, computation_before(session.now))


def act(session: Session, operation: Operation, call: ParsedRequest) -> Answer | Refused:
    """All of the call or, if it is refused, nothing."""
    session.db.execute("SAVEPOINT act")
    try:
        answer = operation.handler(session, call)
    except Refused as refusal:
        session.db.execute("ROLLBACK TO act")
        return refusal
    finally:
        session.db.execute("RELEASE act")
    return answer
