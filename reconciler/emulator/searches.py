"""The two searches with `meta`: segments and audiences; reads only."""

from collections.abc import Sequence

from reconciler.emulator import audiences, segments
from reconciler.emulator.database import Session
from reconciler.emulator.request import ParsedRequest, texts
from reconciler.emulator.responses import Answer

MOST = 500
HIGHEST_OFFSET = 2**31 - 1


def search_segments(session: Session, call: ParsedRequest) -> Answer:
    attributes = call.attributes()
    wanted = segments.Filter(
        ids=texts(attributes, "audienceSegmentIds"),
        retailer_ids=texts(attributes, "retailerIds"),
        types=texts(attributes, "audienceSegmentTypes"),
    )
    found = segments.search(session, call.account_id, wanted)
    return _page(call, [segments.resource(segment) for segment in found])


def search_audiences(session: Session, call: ParsedRequest) -> Answer:
    attributes = call.attributes()
    wanted = audiences.Filter(
        ids=texts(attributes, "audienceIds"),
        retailer_ids=texts(attributes, "retailerIds"),
        segment_ids=texts(attributes, "audienceSegmentIds"),
    )
    found = audiences.search(session, call.account_id, wanted)
    return _page(call, [audiences.resource(audience) for audience in found])


def _page(call: ParsedRequest, found: Sequence[dict[str, object]]) -> Answer:
    limit = call.number("limit", 50, 0, MOST)
    offset = call.number("offset", 0, 0, HIGHEST_OFFSET)
    body = {
        "meta": {"totalItems": len(found), "limit": limit, "offset": offset},
        "data": found[offset : offset + limit],
        "warnings": [],
        "errors": [],
    }
    return Answer(200, body)
