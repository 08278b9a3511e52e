"""Add-remove, clear and statistics of one contact list; counts invalid identifiers, keeps none."""

from reconciler.emulator import identifiers, members, segments, statistics
from reconciler.emulator.bulk import NOT_FOUND, READ_ONLY
from reconciler.emulator.clock import long
from reconciler.emulator.database import Session
from reconciler.emulator.request import ParsedRequest, choice, texts
from reconciler.emulator.responses import Answer, Problem, Refused, invalid, malformed
from reconciler.emulator.segments import Segment

TYPES = ("Email", "UserIdentifier", "IdentityLink", "Gum", "CustomerId", "PhoneNumber")
NO_LIST = invalid("segment-is-not-a-contact-list", "Segment is not a contact list")


def add_remove(session: Session, call: ParsedRequest) -> Answer:
    segment, list_type = _writable(session, call)
    attributes = call.attributes()
    operation = choice(attributes, "operation", tuple(members.CHANGES))
    if not operation or attributes.get("identifiers") is None:
        raise malformed("operation and identifiers are required")
    given = texts(attributes, "identifiers")
    most = session.switches.max_identifiers
    if len(given) > most:
        raise Refused(400, invalid("too-many-identifiers", "Too many identifiers", f"at most {most} a call"))
    given_type = choice(attributes, "identifierType", TYPES) or list_type
    valid, wrong = _checked(session, list_type, given_type, given)
    members.CHANGES[operation](session, segment, valid)
    data = {
        "contactListId": segment.contact_list_id,
        "operation": operation,
        "requestDate": long(session.now),
        "identifierType": list_type,
        "nbValidIdentifiers": len(valid),
        "nbInvalidIdentifiers": len(wrong),
        "sampleInvalidIdentifiers": wrong[: session.switches.invalid_samples],
    }
    body = {"type": "AddRemoveContactlistResult", "data": data, "errors": [], "warnings": []}
    return Answer(200, body, valid=len(valid), invalid=len(wrong))


def clear(session: Session, call: ParsedRequest) -> Answer:
    segment, _ = _writable(session, call)
    members.clear(session, segment)
    return Answer(204)


def read_statistics(session: Session, call: ParsedRequest) -> Answer:
    segment = segments.find(session, call.segment_id)
    if segment is None or segment.account_id != call.account_id:
        raise Refused(404, NOT_FOUND)
    if segment.identifier_type is None:
        raise Refused(400, NO_LIST)
    data = {
        "id": segment.id,
        "type": "ContactListStatistics",
        "attributes": statistics.attributes(session, segment),
    }
    return Answer(200, {"data": data, "warnings": [], "errors": []})


def _writable(session: Session, call: ParsedRequest) -> tuple[Segment, str]:
    """Found by the id of the segment: the id of its contact list is not accepted."""
    segment = segments.find(session, call.segment_id)
    if segment is None:
        raise Refused(404, NOT_FOUND)
    if segment.identifier_type is None:
        raise Refused(400, NO_LIST)
    if segment.read_only:
        raise Refused(403, READ_ONLY)
    return segment, segment.identifier_type


def _checked(
    session: Session, list_type: str, given_type: str, given: list[str]
) -> tuple[list[str], list[str]]:
    if given_type == list_type:
        return identifiers.split(list_type, given)
    if session.switches.type_mismatch == "invalid":
        return [], given
    raise Refused(
        400,
        Problem(
            "validation",
            "identifier-type-mismatch",
            "Identifier type differs from that of the contact list",
            f"the list takes {list_type}, the call has {given_type}",
        ),
    )
