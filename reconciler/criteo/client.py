"""The audience endpoints as two types: a reader that has no way to change anything, and a writer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPMethod
from itertools import chain
from typing import TypeVar

from reconciler.core.errors import RemoteError
from reconciler.core.members import Identifiers, Operation
from reconciler.core.model import IdentifierType
from reconciler.core.remote import (
    Acknowledgement,
    BulkResult,
    DeleteResult,
    NewSegment,
    RateLimit,
    Segment,
    SegmentPatch,
    Statistics,
    Unconfirmed,
)
from reconciler.criteo import bulk
from reconciler.criteo import wire_format as wire
from reconciler.criteo.endpoints import Endpoint
from reconciler.criteo.errors import denial_error, problems
from reconciler.criteo.retries import Reply, ResponseCheck, RetryingSession, any_object
from reconciler.criteo.transport import ApiCall, OutcomeUnknown, Rejected
from reconciler.criteo.wire_format import Asked, Denied, UncertainAnswer

PAGE_SIZE = 500
MOST_PAGES = 200
MOST_SEGMENTS = PAGE_SIZE * MOST_PAGES
OK, BAD_REQUEST = 200, 400
ItemT = TypeVar("ItemT")


class CriteoReader:
    """SegmentReader over the real API."""

    def __init__(self, session: RetryingSession) -> None:
        self._session = session

    def segments(self, account_id: str) -> tuple[Segment, ...]:
        return self._search(account_id)

    def probe(self, account_id: str) -> None:
        call = ApiCall(
            HTTPMethod.POST,
            f"{self._session.root}/accounts/{account_id}/audience-segments/search",
            Endpoint.SEARCH,
            f"searching account {account_id} for a segment",
            wire.search_body(),
            query=(("limit", "1"),),
        )
        self._read(call, _page_of(account_id))

    def segments_by_id(self, account_id: str, ids: Sequence[str]) -> tuple[Segment, ...]:
        unique = list(dict.fromkeys(ids))
        parts = (unique[at : at + PAGE_SIZE] for at in range(0, len(unique), PAGE_SIZE))
        return tuple(chain.from_iterable(self._search(account_id, part) for part in parts))

    def statistics(self, account_id: str, segment_id: str) -> Statistics:
        reply = self._read(
            ApiCall(
                HTTPMethod.GET,
                f"{self._session.root}/accounts/{account_id}/audience-segments/{segment_id}/contact-list",
                Endpoint.STATISTICS,
                f"reading the statistics of segment {segment_id}",
            ),
            _statistics_of(segment_id),
        )
        return wire.read_statistics(reply.body)

    def audiences_on(self, account_id: str, segment_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        unique = list(dict.fromkeys(segment_ids))
        for at in range(0, len(unique), PAGE_SIZE):
            asked = unique[at : at + PAGE_SIZE]
            for audience in self._audiences(account_id, asked):
                # Without an algebra that names one of them, it may be built on any.
                for segment_id in audience.segment_ids.intersection(asked) or asked:
                    found.setdefault(segment_id, []).append(audience.name)
        return {segment_id: tuple(names) for segment_id, names in found.items()}

    def _audiences(self, account_id: str, segment_ids: Sequence[str]) -> Iterator[wire.FoundAudience]:
        offset, what = 0, f"listing the audiences of account {account_id}"
        for _ in range(MOST_PAGES):
            call = ApiCall(
                HTTPMethod.POST,
                f"{self._session.root}/accounts/{account_id}/audiences/search",
                Endpoint.AUDIENCES,
                what,
                wire.audiences_body(segment_ids),
                query=(("limit", str(PAGE_SIZE)), ("offset", str(offset))),
            )
            page, total = wire.read_audiences(self._read(call, _audience_page).body)
            yield from page
            offset += len(page)
            if not page or (total is None and len(page) < PAGE_SIZE) or (total and offset >= total):
                return
        raise RemoteError(f"{what}: more than {MOST_PAGES} pages", remedy="check api.endpoint and accountId")

    def rate_limit(self) -> RateLimit | None:
        return self._session.rate_limit()

    def _search(self, account_id: str, ids: Sequence[str] = ()) -> tuple[Segment, ...]:
        """All pages. A segment that moves between pages meanwhile is taken once."""
        found, offset, what = dict[str, Segment](), 0, f"listing the segments of account {account_id}"
        for _ in range(MOST_PAGES):
            page = self._page(what, account_id, ids, offset)
            known, offset, total = len(found), offset + page.received, page.total
            found.update((segment.id, segment) for segment in page.segments)
            if (total is None and page.received < PAGE_SIZE) or (total is not None and offset >= total):
                return tuple(found.values())
            if total is not None and total > MOST_SEGMENTS:
                break
            if not page.received:
                raise RemoteError(f"{what}: {total} were announced, and {offset} came", remedy="run again")
            if len(found) == known:
                raise RemoteError(f"{what}: a page repeats earlier items", remedy="run again")
        raise RemoteError(
            f"{what}: more than {MOST_SEGMENTS:,} segments are announced, or more than {MOST_PAGES} pages",
            remedy="check api.endpoint and accountId: a listing of that size is not read",
        )

    def _page(self, what: str, account_id: str, ids: Sequence[str], offset: int) -> wire.Page:
        call = ApiCall(
            HTTPMethod.POST,
            f"{self._session.root}/accounts/{account_id}/audience-segments/search",
            Endpoint.SEARCH,
            what,
            wire.search_body(ids),
            query=(("limit", str(PAGE_SIZE)), ("offset", str(offset))),
        )
        return wire.read_page(self._read(call, _page_of(account_id, ids, offset)).body, account_id)

    def _read(self, call: ApiCall, check: ResponseCheck = any_object) -> Reply:
        reply = self._session.send(call, check)
        if isinstance(reply, Rejected):
            raise reply.error
        return reply


class CriteoWriter:
    """SegmentWriter over the real API."""

    def __init__(self, session: RetryingSession) -> None:
        self._session = session

    def create(
        self, account_id: str, segments: Sequence[NewSegment], leaving: Callable[[], None]
    ) -> BulkResult:
        """Create segments.

        The call is repeated only if it certainly had no effect (no connection, 401, 429).
        """
        call = ApiCall(
            HTTPMethod.POST,
            f"{self._session.root}/accounts/{account_id}/audience-segments/create",
            Endpoint.CREATE,
            f"creating {_named([segment.name for segment in segments])}",
            wire.create_body(segments),
            writes=True,
            repeatable=False,
        )
        reply = self._session.send(call, leaving=leaving)
        if isinstance(reply, Rejected):
            return _apart(reply, segments, lambda one: self.create(account_id, one, leaving))
        return bulk.created(segments, reply.body, account_id)

    def update(
        self, account_id: str, patches: Sequence[SegmentPatch], leaving: Callable[[], None]
    ) -> BulkResult:
        call = ApiCall(
            HTTPMethod.PATCH,
            f"{self._session.root}/accounts/{account_id}/audience-segments",
            Endpoint.UPDATE,
            f"updating {_named([patch.id for patch in patches])}",
            wire.update_body(patches),
            writes=True,
        )
        reply = self._session.send(call, lambda body: _unsettled(patches, body, account_id), leaving)
        if isinstance(reply, Rejected):
            return _apart(reply, patches, lambda one: self.update(account_id, one, leaving))
        answer = bulk.updated(patches, reply.body, account_id)
        unconfirmed = any(isinstance(item, Unconfirmed) for item in answer.items)
        return replace(answer, earlier_unconfirmed=reply.uncertain or unconfirmed)

    def delete(self, account_id: str, ids: Sequence[str], leaving: Callable[[], None]) -> DeleteResult:
        call = ApiCall(
            HTTPMethod.POST,
            f"{self._session.root}/accounts/{account_id}/audience-segments/delete",
            Endpoint.DELETE,
            f"deleting {_named(ids)}",
            wire.delete_body(ids),
            writes=True,
        )
        reply = self._session.send(call, lambda body: _not_deleted(ids, body), leaving)
        if isinstance(reply, Rejected):
            return self._deleted_apart(account_id, reply, ids, leaving)
        answer = bulk.deleted(ids, reply.body)
        unconfirmed = any(isinstance(item, Unconfirmed) for item in answer.items)
        return replace(answer, earlier_unconfirmed=reply.uncertain or unconfirmed)

    def _deleted_apart(
        self, account_id: str, reply: Rejected, ids: Sequence[str], leaving: Callable[[], None]
    ) -> DeleteResult:
        """A 400 refuses the whole call for one bad item: item by item, each gets its own answer."""
        if reply.status != BAD_REQUEST or not problems(reply.body):
            raise reply.error
        if len(ids) == 1:
            return replace(bulk.deleted(ids, reply.body), earlier_unconfirmed=False)
        answers = [self.delete(account_id, [one], leaving) for one in ids]
        return DeleteResult(
            items=tuple(chain.from_iterable(answer.items for answer in answers)),
            earlier_unconfirmed=any(answer.earlier_unconfirmed for answer in answers),
        )

    def change_members(
        self,
        segment_id: str,
        identifier_type: IdentifierType,
        operation: Operation,
        identifiers: Identifiers,
        leaving: Callable[[], None],
    ) -> Acknowledgement:
        sent = len(identifiers)
        doing = "adding members to" if operation == "add" else "removing members from"
        call = ApiCall(
            HTTPMethod.POST,
            f"{self._session.root}/audience-segments/{segment_id}/contact-list/add-remove",
            Endpoint.CHANGE_MEMBERS,
            f"{doing} segment {segment_id}",
            wire.members_body(identifier_type, operation, identifiers),
            writes=True,
            private=True,
        )
        asked = Asked(operation, identifier_type, sent)
        reply = self._session.send(call, lambda body: _not_acknowledged(call.what, body, asked), leaving)
        if isinstance(reply, Rejected):
            raise reply.error
        match wire.read_acknowledgement(reply.body, asked):
            case Acknowledgement() as taken:
                return replace(taken, earlier_unconfirmed=reply.uncertain)
            case _:
                raise AssertionError("an answer was checked and read differently")


def _apart(
    reply: Rejected, sent: Sequence[ItemT], send: Callable[[Sequence[ItemT]], BulkResult]
) -> BulkResult:
    """A 400 refuses the whole call for one bad item: item by item, each gets its own answer."""
    if reply.status != BAD_REQUEST or not problems(reply.body):
        raise reply.error
    if len(sent) == 1:
        return bulk.refused(1, reply.body)
    answers = [send([item]) for item in sent]
    return BulkResult(
        items=tuple(chain.from_iterable(answer.items for answer in answers)),
        earlier_unconfirmed=any(answer.earlier_unconfirmed for answer in answers),
    )


def _page_of(account_id: str, ids: Sequence[str] = (), offset: int = 0) -> ResponseCheck:
    """Return a check of a page. A 200 from another server must not count as an account without segments."""

    def check(body: object) -> OutcomeUnknown | None:
        if not wire.is_page(body):
            return OutcomeUnknown("the answer is no list of segments")
        page = wire.read_page(body, account_id)
        segments, seen = page.segments, offset + page.received
        if page.total is not None and (page.total < 0 or (page.received and seen > page.total)):
            return OutcomeUnknown(f"the answer announces {page.total} segments and holds {seen}")
        if any(one.account_id != account_id for one in segments):
            return OutcomeUnknown("the answer lists segments of another account")
        if ids and not {one.id for one in segments} <= set(ids):
            return OutcomeUnknown("the answer lists segments that were not asked for")
        return None

    return check


def _audience_page(body: object) -> OutcomeUnknown | None:
    """An answer that is no list must not count as a segment that no audience uses."""
    return None if wire.is_page(body) else OutcomeUnknown("the answer is no list of audiences")


def _statistics_of(segment_id: str) -> ResponseCheck:
    def check(body: object) -> OutcomeUnknown | None:
        subject = wire.subject(body)
        return (
            OutcomeUnknown("the answer is about another segment") if subject not in ("", segment_id) else None
        )

    return check


def _unsettled(patches: Sequence[SegmentPatch], body: object, account_id: str) -> OutcomeUnknown | None:
    """Return an unknown outcome if Criteo was unavailable for some items, or returned none of them."""
    unavailable = next((problem for problem in problems(body) if problem.type == "availability"), None)
    if unavailable:
        return OutcomeUnknown(f"it was answered with {unavailable.code or 'an error'}")
    items = bulk.updated(patches, body, account_id).items
    unconfirmed = all(isinstance(item, Unconfirmed) for item in items)
    return OutcomeUnknown("the answer doesn't say what was done") if unconfirmed else None


def _not_deleted(ids: Sequence[str], body: object) -> OutcomeUnknown | None:
    """Return an unknown outcome if Criteo was unavailable for some items, or reported about none of them."""
    unavailable = next((problem for problem in problems(body) if problem.type == "availability"), None)
    if unavailable:
        return OutcomeUnknown(f"it was answered with {unavailable.code or 'an error'}")
    unconfirmed = all(isinstance(item, Unconfirmed) for item in bulk.deleted(ids, body).items)
    return OutcomeUnknown("the answer doesn't say what was done") if unconfirmed else None


def _not_acknowledged(what: str, body: object, asked: Asked) -> OutcomeUnknown | Rejected | None:
    match wire.read_acknowledgement(body, asked):
        case UncertainAnswer(problem, late):
            return OutcomeUnknown(problem, late)
        case Denied(problem):
            return Rejected(OK, denial_error(what, problem, body), body)
        case _:
            return None


def _named(names: Sequence[str]) -> str:
    """Return the name of one segment, or the number of several."""
    return f"segment {names[0]}" if len(names) == 1 else f"{len(names)} segments"
