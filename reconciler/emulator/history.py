"""Every call that arrived, in counts and keyed digests; never an identifier, a name or a token."""

import hashlib
import hmac
from dataclasses import astuple, dataclass, fields

from reconciler.emulator.database import Session
from reconciler.emulator.responses import Answer


@dataclass(frozen=True)
class Batch:
    """What a body carried. The digest is keyed: a plain one of a single identifier gives it away."""

    items: int = 0
    action: str = ""
    identifiers: int = 0
    digest: str = ""


@dataclass(frozen=True)
class Request:
    """One call. `committed_at` is when its effect took place: null if never, or not yet.

    `action` is the operation of an add-remove, the grant of a token, or the decision on a consent.
    """

    number: int
    arrived_at: float
    committed_at: float | None
    method: str
    path: str
    operation: str
    account_id: str
    segment_id: str
    status: int | None
    items: int
    action: str
    identifiers: int
    valid: int
    invalid: int
    digest: str
    fault: str


NOTHING = Batch()
COLUMNS = tuple(field.name for field in fields(Request))


def measure(session: Session, body: object) -> Batch:
    """Counts of a body of any shape, right or wrong."""
    data = body.get("data") if isinstance(body, dict) else None
    if isinstance(data, list):
        return Batch(items=len(data))
    attributes = data.get("attributes") if isinstance(data, dict) else None
    if not isinstance(attributes, dict):
        return NOTHING
    identifiers = attributes.get("identifiers")
    if not isinstance(identifiers, list) or not set(map(type, identifiers)) <= {str}:
        return NOTHING
    action = attributes.get("operation")
    content = "\n".join(sorted(identifiers)).encode()
    key = str(session.get("digest_key")).encode()
    return Batch(
        items=1,
        action=action if action in ("add", "remove") else "",
        identifiers=len(identifiers),
        digest=hmac.new(key, content, hashlib.sha256).hexdigest(),
    )


def record(session: Session, request: Request) -> int:
    """Returns the number the call was given; the one inside `request` is ignored."""
    marks = ", ".join("?" * (len(COLUMNS) - 1))
    statement = f"INSERT INTO history ({', '.join(COLUMNS[1:])}) VALUES ({marks})"
    return int(session.db.execute(statement, astuple(request)[1:]).lastrowid or 0)


def commit_late(session: Session, number: int, answer: Answer, instant: float) -> None:
    """The effect of an unanswered call has taken place."""
    session.db.execute(
        "UPDATE history SET committed_at = ?, valid = ?, invalid = ? WHERE number = ?",
        (instant, answer.valid, answer.invalid, number),
    )


def read(session: Session) -> tuple[Request, ...]:
    rows = session.db.execute(f"SELECT {', '.join(COLUMNS)} FROM history ORDER BY number")
    return tuple(Request(*row) for row in rows)
