"""The path of a call: admission, limit, fault or handler, history; one transaction, one answer."""

import math
import re
import time
from dataclasses import replace

from reconciler.emulator import accesstokens, consentpage, faults, history, oauth, ratelimit
from reconciler.emulator import delayed_commits as late
from reconciler.emulator import fault_effects as strikes
from reconciler.emulator import request_checks as admission
from reconciler.emulator.accesstokens import Grant
from reconciler.emulator.consentpage import Page, Parameters
from reconciler.emulator.database import Database, Session
from reconciler.emulator.fault_effects import FaultOutcome
from reconciler.emulator.faults import TOKEN, Fault, Kind
from reconciler.emulator.history import Request
from reconciler.emulator.operations import Operation
from reconciler.emulator.ratelimit import Ruling
from reconciler.emulator.request_checks import IncomingRequest
from reconciler.emulator.responses import Answer, NoAnswer, Refused, invalid

TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path
CONSENT_PATH = "/request"
CLOCK_PATH = "/emulator/clock"
"""A path of the emulator alone: Criteo has no such call."""
CONSENT = "consent"  # how the history calls the consent page
TOKEN_FAULTS: frozenset[Kind] = frozenset(
    {"429", "500-before", "500-after", "timeout-before", "timeout-after"}
)
_ACCOUNT = re.compile(r"[0-9]{1,19}")
_SEGMENT = re.compile(r"[0-9]{18}")


class RequestPipeline:
    """Handles a request between the router and the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def call(self, operation: Operation, incoming: IncomingRequest) -> Answer:
        with self._database.session() as session:
            late.settle(session)
            outcome = _outcome(session, operation, incoming)
            number = history.record(session, _request(session, operation, incoming, outcome))
            if outcome.pending and outcome.fault:
                due = session.now + outcome.fault.seconds
                late.keep(session, number, due, operation, outcome.pending)
        return _answer(outcome, session.switches.latency)

    def token(self, form: Parameters) -> Answer:
        with self._database.session() as session:
            late.settle(session)
            outcome = _token(session, form)
            blank = _blank(session, "POST", outcome)
            action = oauth.grant_type(form)
            history.record(session, replace(blank, path=TOKEN_PATH, operation=TOKEN, action=action))
        return _answer(outcome, session.switches.latency)

    def consent(self, method: str, parameters: Parameters) -> Page:
        """The query and the form are never kept: they hold a state and a challenge."""
        with self._database.session() as session:
            late.settle(session)
            decided = method == "POST"
            page = (consentpage.decide if decided else consentpage.show)(session, parameters)
            blank = _blank(session, method, FaultOutcome(Answer(page.status)))
            action = consentpage.decision(parameters) if decided else ""
            history.record(session, replace(blank, path=CONSENT_PATH, operation=CONSENT, action=action))
        time.sleep(session.switches.latency)
        return page

    def clock(self) -> Answer:
        """How far the clock is ahead of this machine's. No call of the API: it is in no history."""
        return Answer(200, {"ahead_seconds": self._database.ahead()})

    def now(self) -> float:
        return self._database.now()

    def stray(self, method: str, path: str, status: int, title: str) -> Answer:
        """In no table. Its path is answered but not kept: it may hold anything."""
        with self._database.session() as session:
            late.settle(session)
            problem = invalid("resource-not-found", title)
            answer = strikes.refusal(session, path, Refused(status, problem))
            history.record(session, _blank(session, method, FaultOutcome(answer)))
        return answer


def _outcome(session: Session, operation: Operation, incoming: IncomingRequest) -> FaultOutcome:
    try:
        grant = admission.identify(session, operation, incoming)
    except Refused as refused:
        return FaultOutcome(strikes.refusal(session, incoming.path, refused))
    result = ratelimit.decide(session, grant)
    if not result.allowed:
        return _with_headers(session, FaultOutcome(strikes.TOO_MANY), result)
    return _with_headers(session, _admitted(session, operation, incoming, grant), result)


def _admitted(
    session: Session, operation: Operation, incoming: IncomingRequest, grant: Grant
) -> FaultOutcome:
    try:
        call = admission.admit(session, operation, incoming, grant)
    except Refused as refused:
        return FaultOutcome(strikes.refusal(session, incoming.path, refused))
    fault = faults.take(session, operation.id, operation.faults())
    act = strikes.STRIKES[fault.kind] if fault else strikes.carry_out
    outcome = act(session, operation, call)
    return replace(outcome, batch=history.measure(session, call.body), fault=fault)


def _token(session: Session, form: Parameters) -> FaultOutcome:
    """Issue a token. It counts against the rate limit only if a switch is on."""
    if session.switches.token_calls_count:
        result = ratelimit.decide(session, accesstokens.own(session))
        if not result.allowed:
            return _with_headers(session, FaultOutcome(strikes.TOO_MANY), result)
    fault = faults.take(session, TOKEN, TOKEN_FAULTS)
    match fault.kind if fault else None:
        case "429":
            return _with_headers(session, FaultOutcome(strikes.TOO_MANY, fault=fault), None)
        case "500-before":
            return FaultOutcome(strikes.internal_error(session, TOKEN_PATH), fault=fault)
        case "timeout-before":
            return FaultOutcome(None, fault=fault)
        case _:
            return _issued(session, form, fault)


def _issued(session: Session, form: Parameters, fault: Fault | None) -> FaultOutcome:
    """A lost answer has used up its code, or its refresh token, all the same."""
    answer = oauth.token(session, form)
    match fault.kind if fault else None:
        case "500-after":
            return FaultOutcome(strikes.internal_error(session, TOKEN_PATH), fault=fault)
        case "timeout-after":
            return FaultOutcome(None, fault=fault)
        case _:
            return FaultOutcome(answer)


def _with_headers(session: Session, outcome: FaultOutcome, result: Ruling | None) -> FaultOutcome:
    """Add the rate headers. A 429 always has them; after a fault, they state when the fault ends."""
    answer, fault = outcome.answer, outcome.fault
    limit = result.limit if result else session.switches.rate_limit
    if fault and fault.kind == "429":
        result = Ruling(False, limit, 0, math.ceil(session.now + fault.seconds))
    if answer is None or result is None:
        return outcome
    if result.allowed and not session.switches.rate_headers:
        return outcome
    headers = {**answer.headers, **result.headers()}
    return replace(outcome, answer=replace(answer, headers=headers))


def _answer(outcome: FaultOutcome, latency: float) -> Answer:
    """Respond after the delay, without holding the lock, so that other calls continue."""
    if outcome.answer is None:
        raise NoAnswer(outcome.fault.seconds if outcome.fault else 0.0)
    if latency:
        time.sleep(latency)
    return outcome.answer


def _request(
    session: Session, operation: Operation, incoming: IncomingRequest, outcome: FaultOutcome
) -> Request:
    """Ids are kept only if they look like ids: a client may put anything into a path."""
    account_id, segment_id = incoming.account_id, incoming.segment_id
    return replace(
        _blank(session, operation.method, outcome),
        path=f"/<version>/retail-media{operation.path}",
        operation=operation.id,
        account_id=account_id if _ACCOUNT.fullmatch(account_id) else "",
        segment_id=segment_id if _SEGMENT.fullmatch(segment_id) else "",
    )


def _blank(session: Session, method: str, outcome: FaultOutcome) -> Request:
    answer, batch = outcome.answer, outcome.batch
    return Request(
        number=0,
        arrived_at=session.now,
        committed_at=session.now if outcome.committed else None,
        method=method,
        path="",
        operation="",
        account_id="",
        segment_id="",
        status=answer.status if answer else None,
        items=batch.items,
        action=batch.action,
        identifiers=batch.identifiers,
        valid=outcome.valid,
        invalid=outcome.invalid,
        digest=batch.digest,
        fault=outcome.fault.kind if outcome.fault else "",
    )
