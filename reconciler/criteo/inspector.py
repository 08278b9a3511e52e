"""Calls that test a connection: the application of the token, its accounts and retailers."""

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPMethod

import orjson

from reconciler.core.errors import RemoteError
from reconciler.core.remote import CallerIdentity, RateLimit
from reconciler.criteo.client import MOST_PAGES, CriteoReader
from reconciler.criteo.endpoints import Endpoint
from reconciler.criteo.json_values import items, mapping, text
from reconciler.criteo.retries import ResponseCheck, RetryingSession
from reconciler.criteo.transport import ApiCall, OutcomeUnknown, Rejected

ACCOUNTS_PAGE = 25
RETAILERS_PAGE = 10
"""The documented default and the documented most."""
LONGEST_NAME = 120


class CriteoInspector:
    """Inspector over the real API."""

    def __init__(self, session: RetryingSession, reader: CriteoReader) -> None:
        self._session = session
        self._reader = reader
        self._authorized = False

    @property
    def authorized(self) -> bool:
        return self._authorized

    def application(self) -> CallerIdentity:
        body = self._ask(self._call(Endpoint.APPLICATION, "reading the application"), _no_application)
        attributes = mapping(mapping(mapping(body).get("data")).get("attributes"))
        return CallerIdentity(_shown(attributes.get("name")), _shown(attributes.get("criteoService")))

    def probe(self, account_id: str) -> None:
        self._reader.probe(account_id)

    def accounts(self, ids: Sequence[str]) -> frozenset[str]:
        """Read all pages: the filter is not documented to leave a single page."""
        found: set[str] = set()
        for page in range(MOST_PAGES):
            paging = (("pageIndex", str(page)), ("pageSize", str(ACCOUNTS_PAGE)))
            query = (*paging, *(("limitToId", one) for one in ids))
            body = self._ask(self._call(Endpoint.ACCOUNTS, "listing accounts", query), _no_list)
            fresh = _ids(body) - found
            found |= fresh
            pages = mapping(mapping(body).get("metadata")).get("totalPages")
            if not fresh or not isinstance(pages, int) or page + 1 >= pages:
                return frozenset(found & set(ids) if ids else found)
        raise RemoteError(
            f"listing accounts: more than {MOST_PAGES} pages are announced", remedy="check api.endpoint"
        )

    def retailers(self, account_id: str, ids: Sequence[str]) -> frozenset[str]:
        """Send each call once, because no plan depends on the response."""
        found: set[str] = set()
        for at in range(0, len(ids), RETAILERS_PAGE):
            wanted = list(ids[at : at + RETAILERS_PAGE])
            call = ApiCall(
                HTTPMethod.POST,
                f"{self._session.root}/accounts/{account_id}/retailers/search",
                Endpoint.RETAILERS,
                "listing retailers",
                orjson.dumps({"data": {"attributes": {"retailerIdFilter": wanted}}}),
                query=(("limit", str(RETAILERS_PAGE)), ("offset", "0")),
                repeatable=False,
            )
            found |= _ids(self._ask(call, _no_list))
        return frozenset(found & set(ids))

    def skew(self) -> timedelta | None:
        return self._session.skew()

    def rate_limit(self) -> RateLimit | None:
        return self._session.rate_limit()

    def _call(self, endpoint: Endpoint, what: str, query: tuple[tuple[str, str], ...] = ()) -> ApiCall:
        return ApiCall(HTTPMethod.GET, f"{self._session.root}{endpoint}", endpoint, what, query=query)

    def _ask(self, call: ApiCall, check: ResponseCheck) -> object:
        """The body of the answer."""
        reply = self._session.send(call, check, self._leaving)
        if isinstance(reply, Rejected):
            raise reply.error
        return reply.body

    def _leaving(self) -> None:
        """A request leaves once it has its token."""
        self._authorized = True


def _no_application(body: object) -> OutcomeUnknown | None:
    """Return an unknown outcome if the body has no application: another server may have responded."""
    return (
        None
        if isinstance(mapping(body).get("data"), dict)
        else OutcomeUnknown("the answer is no application")
    )


def _no_list(body: object) -> OutcomeUnknown | None:
    return None if isinstance(mapping(body).get("data"), list) else OutcomeUnknown("the answer is no list")


def _ids(body: object) -> set[str]:
    return {text(mapping(item).get("id")) for item in items(mapping(body).get("data"))}


def _shown(value: object) -> str:
    return "".join(char for char in text(value) if char.isprintable())[:LONGEST_NAME]
