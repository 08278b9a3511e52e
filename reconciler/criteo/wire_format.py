"""JSON of the audience endpoints to values and back. No I/O, no status codes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from reconciler.core.members import Identifiers, Operation
from reconciler.core.model import IdentifierType
from reconciler.core.remote import (
    Acknowledgement,
    NewSegment,
    Segment,
    SegmentPatch,
    SharingStatus,
    Statistics,
)
from reconciler.criteo.errors import Problem, error_entries, problems
from reconciler.criteo.json_values import items, mapping, text

PERCENT = 100.0
ID = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search. `received` counts its items, `total` those of all pages if stated."""

    segments: tuple[Segment, ...]
    received: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request about members, as far as its response repeats it. `sent` counts identifiers."""

    operation: Operation
    identifier_type: IdentifierType
    sent: int

    def fits(self, data: Mapping[str, object], valid: int) -> bool:
        """Return whether the response is about this request.

        Missing values are accepted, other values are not.

        A list of another type may state that type, with every identifier invalid.
        """
        operation, kind = text(data.get("operation")), text(data.get("identifierType"))
        same_type = kind in ("", self.identifier_type) or valid == 0
        return operation.casefold() in ("", self.operation) and same_type


@dataclass(frozen=True, slots=True)
class UncertainAnswer:
    """A response that does not confirm the whole request. `late`: the rest may still take effect."""

    problem: str
    late: bool


@dataclass(frozen=True, slots=True)
class Denied:
    """A response that rejects the whole request."""

    problem: Problem


def search_body(ids: Sequence[str] = ()) -> bytes:
    attributes = {"audienceSegmentIds": list(ids)} if ids else {}
    return orjson.dumps({"data": {"type": "AudienceSegment", "attributes": attributes}})


def create_body(segments: Sequence[NewSegment]) -> bytes:
    return orjson.dumps({"data": [_new(segment) for segment in segments]})


def update_body(patches: Sequence[SegmentPatch]) -> bytes:
    return orjson.dumps({"data": [_patch(patch) for patch in patches]})


def delete_body(ids: Sequence[str]) -> bytes:
    return orjson.dumps({"data": [{"type": "AudienceSegment", "id": one} for one in ids]})


def members_body(identifier_type: IdentifierType, operation: Operation, identifiers: Identifiers) -> bytes:
    attributes = {
        "operation": operation,
        "identifierType": identifier_type.value,
        "identifiers": identifiers.reveal(),
    }
    return orjson.dumps({"data": {"type": "AddRemoveContactlist", "attributes": attributes}})


def is_page(body: object) -> bool:
    """Return whether the body is a page: a list, or null beside page numbers, without errors."""
    content = mapping(body)
    if isinstance(content.get("data"), list):
        return True
    failed = any(problem.counts for problem in problems({"errors": content.get("errors")}))
    return content.get("data") is None and ("data" in content or "meta" in content) and not failed


def read_page(body: object, account_id: str) -> Page:
    content = mapping(body)
    received = items(content.get("data"))
    found = (read_segment(item, account_id) for item in received)
    return Page(
        segments=tuple(segment for segment in found if segment),
        received=len(received),
        total=_count(mapping(content.get("meta")).get("totalItems")),
    )


def read_segment(item: object, account_id: str) -> Segment | None:
    """Return the segment; None if it has no ID of digits."""
    resource = mapping(item)
    attributes = mapping(resource.get("attributes"))
    contact_list = mapping(attributes.get("contactList"))
    if not ID.fullmatch(text(resource.get("id"))):
        return None
    return Segment(
        id=text(resource.get("id")),
        name=text(attributes.get("name")),
        description=text(attributes.get("description")),
        account_id=text(attributes.get("accountId")) or account_id,
        retailer_id=text(attributes.get("retailerId")),
        identifier_type=_identifier_type(contact_list.get("identifierType")),
        read_only=contact_list.get("isReadOnly") is True,
        created_at=_time(attributes.get("createdAt")),
        updated_at=_time(attributes.get("updatedAt")),
        sharing=_sharing(contact_list.get("sharingStatus")),
    )


def audiences_body(segment_ids: Sequence[str]) -> bytes:
    attributes = {"audienceSegmentIds": list(segment_ids)}
    return orjson.dumps({"data": {"type": "Audience", "attributes": attributes}})


@dataclass(frozen=True, slots=True)
class FoundAudience:
    """An audience, and the segments that its algebra names; none if the response does not state them."""

    name: str
    segment_ids: frozenset[str]


def read_audiences(body: object) -> tuple[tuple[FoundAudience, ...], int | None]:
    """Return the audiences of a page, and how many there are on all pages if stated."""
    content = mapping(body)
    found = tuple(_audience(mapping(mapping(item).get("attributes"))) for item in items(content.get("data")))
    return found, _count(mapping(content.get("meta")).get("totalItems"))


def _audience(attributes: Mapping[str, object]) -> FoundAudience:
    return FoundAudience(text(attributes.get("name")), frozenset(_segment_ids(attributes.get("algebra"))))


def _segment_ids(algebra: object) -> Iterator[str]:
    """Yield the segments in a node: `audienceSegmentId`, or nodes under `and`, `or` and `not`."""
    pending = [algebra]
    while pending:
        node = mapping(pending.pop())
        if segment_id := text(node.get("audienceSegmentId")):
            yield segment_id
        pending += [*items(node.get("and")), *items(node.get("or"))]
        pending += [node["not"]] if "not" in node else []


def subject(body: object) -> str:
    """Return the ID that the response is about, or "" if it states none."""
    return text(mapping(mapping(body).get("data")).get("id"))


def read_statistics(body: object) -> Statistics:
    attributes = mapping(mapping(mapping(body).get("data")).get("attributes"))
    identifiers = _count(attributes.get("numberOfIdentifiers"))
    matches = _count(attributes.get("numberOfMatches"))
    return Statistics(identifiers, matches, _rate(attributes.get("matchRate"), identifiers, matches))


def read_acknowledgement(body: object, asked: Asked) -> Acknowledgement | UncertainAnswer | Denied:
    """Return the counts, an unknown outcome, or a rejection. Sampled identifiers are not read."""
    data = mapping(body).get("data")
    wrong = [problem for problem in error_entries(body) if problem.counts]
    if wrong and not isinstance(data, dict) and wrong[0].type not in {"availability", "unknown", ""}:
        return Denied(wrong[0])
    if wrong:
        return UncertainAnswer(f"it was answered with {wrong[0].code or 'an error'}", late=True)
    if not isinstance(data, dict):
        return UncertainAnswer("the answer doesn't say what was done", late=True)
    valid, invalid = _count(data.get("nbValidIdentifiers")), _count(data.get("nbInvalidIdentifiers"))
    sent = asked.sent
    if valid is None:
        valid = sent - (invalid or 0)
    if invalid is None:
        invalid = sent - valid
    if valid + invalid != sent or min(valid, invalid) < 0:
        return UncertainAnswer("the answer doesn't account for as many identifiers as were sent", late=False)
    if not asked.fits(data, valid):
        return UncertainAnswer("the answer is about another operation or identifier type", late=True)
    return Acknowledgement(valid, invalid)


def _new(segment: NewSegment) -> dict[str, object]:
    attributes: dict[str, object] = {
        "name": segment.name,
        "retailerId": segment.retailer_id,
        "contactList": {"identifierType": segment.identifier_type.value},
    }
    if segment.description:
        attributes["description"] = segment.description
    return {"type": "AudienceSegment", "attributes": attributes}


def _patch(patch: SegmentPatch) -> dict[str, object]:
    """Return the item of an update. The description is an object here, and a string in a create."""
    attributes: dict[str, object] = {}
    if patch.name is not None:
        attributes["name"] = patch.name
    if patch.description is not None:
        attributes["description"] = {"value": patch.description or None}
    return {"id": patch.id, "type": "AudienceSegment", "attributes": attributes}


def _identifier_type(value: object) -> IdentifierType | None:
    known: Mapping[str, IdentifierType] = {kind.value: kind for kind in IdentifierType}
    return known.get(text(value))


def _sharing(value: object) -> SharingStatus:
    """Return the status. A missing one means a list that cannot be shared, an unknown one may mean any."""
    if value is None:
        return SharingStatus.NOT_SHARED
    known: Mapping[str, SharingStatus] = {one.value: one for one in SharingStatus}
    return known.get(text(value), SharingStatus.UNKNOWN)


def _time(value: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(text(value))
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _rate(value: object, identifiers: int | None, matches: int | None) -> float | None:
    """Return the match rate from 0 to 1. Criteo does not state the unit: the counts or its size show it."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= PERCENT:
        return None
    if value == 0 or value > 1:
        return value / PERCENT
    if not identifiers or not matches:
        return None
    expected = matches / identifiers
    return min((float(value), value / PERCENT), key=lambda rate: abs(rate - expected))
