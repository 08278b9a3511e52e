"""Create, update and delete of segments: each item on its own, failures where a switch puts them."""

from collections.abc import Callable

from reconciler.emulator import audiences, segments
from reconciler.emulator import event_segments as events
from reconciler.emulator.database import Session
from reconciler.emulator.identifiers import VALID
from reconciler.emulator.request import ParsedRequest, choice, inner, mapping, text
from reconciler.emulator.responses import Answer, Problem, Refused, invalid, malformed
from reconciler.emulator.segments import Draft, Segment

LONGEST_NAME = 256
LONGEST_DESCRIPTION = 500

Item = dict[str, object]
Outcome = dict[str, object] | Problem

READ_ONLY = Problem("access-control", "segment-is-read-only", "Segment is read-only")
NOT_FOUND = invalid("segment-not-found", "Segment not found")


def create(session: Session, call: ParsedRequest) -> Answer:
    return _each(session, call, _create)


def update(session: Session, call: ParsedRequest) -> Answer:
    return _each(session, call, _update)


def delete(session: Session, call: ParsedRequest) -> Answer:
    return _each(session, call, _delete)


def _each(session: Session, call: ParsedRequest, act: Callable[[Session, str, Item], Outcome]) -> Answer:
    """Items are taken in order, so that of two equal names in one call the first wins."""
    items = call.items(session.switches.max_bulk_items)
    outcomes = [act(session, call.account_id, item) for item in items]
    problems = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
    place = session.switches.failures
    if problems and place == "http-400":
        raise Refused(400, *problems)
    body: dict[str, object] = {
        "data": [outcome for outcome in outcomes if not isinstance(outcome, Problem)],
        "warnings": [],
        "errors": [],
    }
    body[place] = [problem.shape(call.path, session.switches) for problem in problems]
    return Answer(200, body)


def _create(session: Session, account_id: str, item: Item) -> Outcome:
    attributes = inner(item, "attributes")
    name, retailer_id = text(attributes, "name"), text(attributes, "retailerId")
    description = text(attributes, "description") or None
    contact_list, given = attributes.get("contactList"), attributes.get("events")
    problem = (
        _wrong_name(session, account_id, retailer_id, name)
        or _wrong_description(description)
        or _wrong_retailer(session, account_id, retailer_id)
    )
    if problem:
        return problem
    if (contact_list is None) == (given is None):
        return invalid("segment-kind-must-be-one", "Give either contactList or events")
    identifier_type = None
    if contact_list is not None:
        identifier_type = choice(mapping(contact_list), "identifierType", tuple(VALID))
        if not identifier_type:
            return invalid("identifier-type-is-required", "Identifier type is required")
    stored = None if given is None else events.created(mapping(given))
    draft = Draft(account_id, retailer_id, name, description, identifier_type, stored)
    return _resource(session, segments.insert(session, draft))


def _update(session: Session, account_id: str, item: Item) -> Outcome:
    segment = _writable(session, account_id, item)
    if isinstance(segment, Problem):
        return segment
    attributes = inner(item, "attributes")
    name, description = segment.name, segment.description
    if attributes.get("name") is not None:
        name = text(attributes, "name")
        problem = _wrong_name(session, account_id, segment.retailer_id, name, segment.id)
        if problem:
            return problem
    if attributes.get("description") is not None:  # a wrapper: {"value": null} clears
        description = text(mapping(attributes["description"]), "value") or None
    stored = segment.events
    if attributes.get("events") is not None:
        if stored is None:
            return invalid("segment-is-not-events", "Segment is not made of events")
        stored = events.updated(stored, inner(attributes, "events"))
    problem = _wrong_description(description)
    if problem:
        return problem
    segments.update(session, segment.id, name, description, stored)
    return _resource(session, segment.id)


def _delete(session: Session, account_id: str, item: Item) -> Outcome:
    segment = _writable(session, account_id, item)
    if isinstance(segment, Problem):
        return segment
    refused = session.switches.delete_in_use == "refused"
    if refused and audiences.built_on(session, account_id, [segment.id]):
        return invalid("segment-in-use", "Segment is used by an audience")
    segments.delete(session, segment)
    return {"id": segment.id, "type": "AudienceSegment", "attributes": {}}


def _writable(session: Session, account_id: str, item: Item) -> Segment | Problem:
    segment_id = text(item, "id")
    if not segment_id:
        raise malformed("id is missing")
    segment = segments.find(session, segment_id)
    if segment is None or segment.account_id != account_id:
        return NOT_FOUND
    return READ_ONLY if segment.read_only else segment


def _wrong_name(
    session: Session, account_id: str, retailer_id: str, name: str, but: str = ""
) -> Problem | None:
    if not name.strip():
        return invalid("name-must-not-be-empty", "Segment name must not be empty")
    if len(name) > LONGEST_NAME:
        return invalid("name-too-long", f"Segment name is longer than {LONGEST_NAME}")
    if segments.taken(session, account_id, retailer_id, name, but):
        return invalid(
            "name-must-be-unique",
            "Segment name must be unique",
            f"Another Segment exists with the name: {name}",
        )
    return None


def _wrong_description(description: str | None) -> Problem | None:
    if description is not None and len(description) > LONGEST_DESCRIPTION:
        return invalid("description-too-long", f"Description is longer than {LONGEST_DESCRIPTION}")
    return None


def _wrong_retailer(session: Session, account_id: str, retailer_id: str) -> Problem | None:
    known = session.db.execute(
        "SELECT 1 FROM retailers WHERE account_id = ? AND id = ?", (account_id, retailer_id)
    ).fetchone()
    return None if known else invalid("retailer-not-found", "Retailer not found in the account")


def _resource(session: Session, segment_id: str) -> Outcome:
    segment = segments.find(session, segment_id)
    return segments.resource(segment) if segment else NOT_FOUND
