"""How each fault changes a call: what is done of it, and what the caller receives."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from reconciler.emulator import delayed_commits as late
from reconciler.emulator.database import Session
from reconciler.emulator.faults import Fault, Kind
from reconciler.emulator.history import NOTHING, Batch
from reconciler.emulator.operations import ADD_REMOVE, Operation
from reconciler.emulator.request import ParsedRequest
from reconciler.emulator.responses import Answer, Problem, Refused

INTERNAL = Problem("availability", "internal-error", "Internal error")
TOO_MANY = Answer(
    429,
    {"type": "about:blank", "title": "Too Many Requests", "status": 429},
    {"content-type": "application/problem+json"},
)


@dataclass(frozen=True)
class FaultOutcome:
    """What became of a call. No answer means silence; a pending call commits later."""

    answer: Answer | None
    batch: Batch = NOTHING
    fault: Fault | None = None
    committed: bool = False
    valid: int = 0
    invalid: int = 0
    pending: ParsedRequest | None = None


def refusal(session: Session, path: str, refused: Refused) -> Answer:
    problems = [problem.shape(path, session.switches) for problem in refused.problems]
    return Answer(refused.status, {"errors": problems})


def carry_out(session: Session, operation: Operation, call: ParsedRequest) -> FaultOutcome:
    """No fault: the call as documented."""
    result = late.act(session, operation, call)
    if isinstance(result, Refused):
        return FaultOutcome(refusal(session, call.path, result))
    committed = operation.effect != "reads"
    return FaultOutcome(result, committed=committed, valid=result.valid, invalid=result.invalid)


def limited(_session: Session, _operation: Operation, _call: ParsedRequest) -> FaultOutcome:
    return FaultOutcome(TOO_MANY)


def fail_before(session: Session, _operation: Operation, call: ParsedRequest) -> FaultOutcome:
    return FaultOutcome(internal_error(session, call.path))


def fail_after(session: Session, operation: Operation, call: ParsedRequest) -> FaultOutcome:
    done = carry_out(session, operation, call)
    return replace(done, answer=internal_error(session, call.path))


def keep_silent(_session: Session, _operation: Operation, _call: ParsedRequest) -> FaultOutcome:
    return FaultOutcome(None)


def silence_after(session: Session, operation: Operation, call: ParsedRequest) -> FaultOutcome:
    return replace(carry_out(session, operation, call), answer=None)


def put_off(_session: Session, _operation: Operation, call: ParsedRequest) -> FaultOutcome:
    return FaultOutcome(None, pending=call)


def take_half(session: Session, operation: Operation, call: ParsedRequest) -> FaultOutcome:
    """Return the first half, rounded down. The response counts that half and contains an error."""
    done = carry_out(session, operation, replace(call, body=_halved(call.body)))
    if done.answer is None or done.answer.body is None or not done.committed:
        return done
    body = dict(done.answer.body)
    reported = body.get("errors")
    problem = _entry(session, operation, call)
    body["errors"] = [*reported, problem] if isinstance(reported, list) else [problem]
    return replace(done, answer=replace(done.answer, body=body))


def _entry(session: Session, operation: Operation, call: ParsedRequest) -> dict[str, object]:
    """Add-remove has entries of its own kind, which know only one name of the trace id."""
    switches = session.switches
    if operation.id == ADD_REMOVE:
        switches = replace(switches, trace_key="traceId")
    return INTERNAL.shape(call.path, switches)


STRIKES: dict[Kind, Callable[[Session, Operation, ParsedRequest], FaultOutcome]] = {
    "429": limited,
    "500-before": fail_before,
    "500-after": fail_after,
    "timeout-before": keep_silent,
    "timeout-after": silence_after,
    "late-commit": put_off,
    "partial": take_half,
}


def internal_error(session: Session, path: str) -> Answer:
    return refusal(session, path, Refused(500, INTERNAL))


def _halved(body: object) -> object:
    """Half the items of a list, or half the identifiers of an add-remove."""
    if not isinstance(body, dict):
        return body
    data = body.get("data")
    if isinstance(data, list):
        return {**body, "data": data[: len(data) // 2]}
    attributes = data.get("attributes") if isinstance(data, dict) else None
    given = attributes.get("identifiers") if isinstance(attributes, dict) else None
    if not isinstance(data, dict) or not isinstance(attributes, dict) or not isinstance(given, list):
        return body
    kept = {**attributes, "identifiers": given[: len(given) // 2]}
    return {**body, "data": {**data, "attributes": kept}}
