"""Checks before any handler: version, token, account, scope, size and media type."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from reconciler.emulator import accesstokens, segments
from reconciler.emulator.accesstokens import NO_CONSENT, OWN, Grant
from reconciler.emulator.database import Session
from reconciler.emulator.operations import MANAGE, READ, Operation
from reconciler.emulator.request import ParsedRequest
from reconciler.emulator.responses import Problem, Refused, invalid, malformed

_DATED = re.compile(r"20[0-9]{2}-(01|04|07|10)")
_OLDEST_SUPPORTED = "2026-01"


@dataclass(frozen=True)
class IncomingRequest:
    """A request as it came in; its body is not parsed yet."""

    path: str
    version: str = ""
    account_id: str = ""
    segment_id: str = ""
    authorization: str = ""
    media_type: str = ""
    query: Mapping[str, list[str]] = field(default_factory=dict)
    body: bytes = b""


def identify(session: Session, operation: Operation, incoming: IncomingRequest) -> Grant:
    """The version must answer this call, and the token must be alive."""
    if incoming.version not in operation.versions:
        if _DATED.fullmatch(incoming.version) and incoming.version < _OLDEST_SUPPORTED:
            raise Refused(410, invalid("version-decommissioned", "This version is decommissioned"))
        raise Refused(404, invalid("resource-not-found", "There is no such version of this call"))
    return accesstokens.check(session, incoming.authorization)


def admit(session: Session, operation: Operation, incoming: IncomingRequest, grant: Grant) -> ParsedRequest:
    """The token must reach the scope and the account, and the body must be readable."""
    granted = session.switches.scopes
    implied = operation.scope == READ and MANAGE in granted
    if operation.scope and operation.scope not in granted and not implied:
        raise Refused(
            403,
            Problem(
                "authorization", "insufficient-scope", "The application lacks a permission",
                operation.scope,
            ),
        )  # fmt: skip
    if not _reached(session, operation, incoming, grant):
        raise Refused(403, NO_CONSENT)
    return ParsedRequest(
        path=incoming.path,
        account_id=incoming.account_id,
        segment_id=incoming.segment_id,
        query=incoming.query,
        body=_parsed(session, incoming),
        reach=grant.reach,
    )


def _reached(session: Session, operation: Operation, incoming: IncomingRequest, grant: Grant) -> bool:
    """By the account in the path; without one, a consent reaches the segments of its accounts only."""
    if "<account_id>" in operation.path:
        return incoming.account_id in grant.reach
    if grant.consent == OWN or not incoming.segment_id:
        return True
    segment = segments.find(session, incoming.segment_id)
    return segment is None or segment.account_id in grant.reach


def _parsed(session: Session, incoming: IncomingRequest) -> object:
    if not incoming.body:
        return None
    most = session.switches.max_body_bytes
    if len(incoming.body) > most:
        raise Refused(413, invalid("request-too-large", "The body is too large", f"at most {most} bytes"))
    if incoming.media_type != "application/json":
        raise Refused(415, invalid("unsupported-media-type", "The body must be application/json"))
    try:
        return orjson.loads(incoming.body)
    except orjson.JSONDecodeError:
        raise malformed("the body is not JSON") from None
