"""The test account: paced calls, changes to its own segments only, and a verified cleanup."""

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from fidelity.pace import Clock, Pace
from fidelity.settings import Settings

FAMILY = "reconciler-fidelity"
CODE = re.compile(r"[a-z]{1,20}(-[a-z0-9]{1,20}){0,9}")
PAGE = 500
EXPIRED, BUSY = 401, 429
TRIES = 3


class Unseen(Exception):  # noqa: N818 - a result, not a failure: this question can't be answered here
    """The reason why an experiment observed nothing; safe to print."""


@dataclass(frozen=True)
class Seen:
    """One response. Its body is never printed, because it may repeat what was sent."""

    status: int
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    seconds: float

    @property
    def data(self) -> list[dict[str, Any]]:
        return [item for item in _list(self.body.get("data")) if isinstance(item, dict)]

    def entries(self, place: str) -> list[dict[str, Any]]:
        return [entry for entry in _list(self.body.get(place)) if isinstance(entry, dict)]

    @property
    def summary(self) -> str:
        """Return the status and the codes, if they look like codes."""
        entries = [*self.entries("errors"), *self.entries("warnings")]
        codes = {str(entry.get("code")) for entry in entries}
        return " ".join([str(self.status), *sorted(filter(CODE.fullmatch, codes))])


class Lab:
    """Every segment it creates has a prefix of this run; no other segment is changed."""

    def __init__(self, http: httpx.Client, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.prefix = f"{FAMILY}-{secrets.token_hex(4)}"
        self._http = http
        self._pace = Pace(clock)
        self._made: set[str] = set()

    # -- calls ------------------------------------------------------------------------------------

    def token(self) -> Seen:
        """Request a new token and use it from now on."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.settings.client_id,
            "client_secret": self.settings.client_secret,
        }
        seen = self._send(httpx.Request("POST", self.settings.token_url, data=form), authorized=False)
        token = seen.body.get("access_token")
        if seen.status != 200 or not isinstance(token, str):
            raise Unseen(f"no token was given: {seen.status}")
        self._http.headers["authorization"] = f"Bearer {token}"
        return seen

    def call(self, method: str, path: str, body: object = None, padding: int = 0, **query: int) -> Seen:
        """Send one call; `padding` blanks lengthen its body."""
        content = b"" if body is None else orjson.dumps(body) + b" " * padding
        headers = {"content-type": "application/json"} if content else {}
        url = httpx.URL(self.settings.root + path, params={name: str(value) for name, value in query.items()})
        seen = self._send(httpx.Request(method, url, content=content, headers=headers), authorized=True)
        if seen.status == EXPIRED:
            self.token()
            seen = self._send(httpx.Request(method, url, content=content, headers=headers), authorized=True)
        return seen

    def account(self, path: str, body: object, method: str = "POST", **query: int) -> Seen:
        return self.call(method, f"/accounts/{self.settings.account_id}{path}", body, **query)

    def create(self, *names: str, kind: str = "Email", retailer: str = "") -> Seen:
        """Create segments with our prefix before each name."""
        retailer = retailer or self.settings.retailer_id
        data = [
            {
                "attributes": {
                    "name": f"{self.prefix} {name}",
                    "retailerId": retailer,
                    "contactList": {"identifierType": kind},
                }
            }
            for name in names
        ]
        seen = self.account("/audience-segments/create", {"data": data})
        self._made |= {str(item.get("id")) for item in seen.data}
        return seen

    def contact_list(self, name: str, kind: str = "Email") -> str:
        """Create a contact list; return its ID."""
        seen = self.create(name, kind=kind)
        if not seen.data:
            raise Unseen(f"no segment could be made: {seen.summary}")
        return str(seen.data[0]["id"])

    def update(self, *items: tuple[str, Mapping[str, object]]) -> Seen:
        data = [{"id": segment, "attributes": attributes} for segment, attributes in items]
        return self.account("/audience-segments", {"data": data}, method="PATCH")

    def delete(self, *ids: str) -> Seen:
        seen = self.account("/audience-segments/delete", {"data": [{"id": segment} for segment in ids]})
        self._made -= {str(item.get("id")) for item in seen.data}
        return seen

    def add(self, segment: str, identifiers: Sequence[str], kind: str = "Email", padding: int = 0) -> Seen:
        attributes = {"operation": "add", "identifierType": kind, "identifiers": list(identifiers)}
        path = f"/audience-segments/{segment}/contact-list/add-remove"
        return self.call("POST", path, {"data": {"attributes": attributes}}, padding)

    def statistics(self, segment: str) -> Mapping[str, Any]:
        path = f"/accounts/{self.settings.account_id}/audience-segments/{segment}/contact-list"
        seen = self.call("GET", path)
        data = seen.body.get("data")
        attributes = data.get("attributes") if isinstance(data, dict) else None
        if not isinstance(attributes, dict):
            raise Unseen(f"no statistics were given: {seen.summary}")
        return attributes

    def segments(self, **filters: object) -> list[dict[str, Any]]:
        """Return the segments of all pages."""
        found: list[dict[str, Any]] = []
        while True:
            body = {"data": {"attributes": filters}}
            page = self.account("/audience-segments/search", body, limit=PAGE, offset=len(found))
            if page.status != 200:
                raise Unseen(f"segments can't be searched: {page.summary}")
            found += page.data
            if len(page.data) < PAGE:
                return found

    def _send(self, request: httpx.Request, *, authorized: bool) -> Seen:
        """Send a call; only a 429 is retried, which has no effect."""
        if authorized and "authorization" in self._http.headers:
            request.headers["authorization"] = self._http.headers["authorization"]
        for _ in range(TRIES):
            self._pace.wait()
            response = self._http.send(request)
            self._pace.learn(response.headers)
            if response.status_code != BUSY:
                break
            self._pace.refused(response.headers)
        seconds = response.elapsed.total_seconds()
        return Seen(response.status_code, _json(response.content), response.headers, seconds)

    # -- clean-up ---------------------------------------------------------------------------------

    def clean(self, keep: Collection[str] = ()) -> list[str]:
        """Delete the segments with our prefix, unconfirmed creates included; return what is left."""
        for segment in sorted((self._made | self._ours()) - set(keep)):
            self.delete(segment)  # one by one: a segment that can't go must not keep the others
        return sorted(self._ours() - set(keep))

    def _ours(self) -> set[str]:
        return {
            str(segment["id"])
            for segment in self.segments()
            if str(segment.get("attributes", {}).get("name", "")).startswith(self.prefix)
        }


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _json(content: bytes) -> Mapping[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
