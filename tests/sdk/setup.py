"""The setup of every SDK test: an emulator on a socket, and a client of the SDK."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sdk.sdk_client import Answer, Sdk
from support.fakes import wsgi_server as loopback

from reconciler.emulator import Emulator, Switches
from reconciler.emulator.wsgi import application

ACCOUNT, RETAILER, OTHER_RETAILER = "368477501993431040", "3239117063738827231", "12"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LONG = 1_000_000
STRANGER = "100000000000000001"
EVENTS = {"lookback_days": "Last30Days", "shopper_activity": "View", "max_price": 99.5}


@dataclass
class Wire:
    """Between the socket and the emulator: keeps the last answer, or plays one in its place."""

    app: Any
    path: str = ""
    last: bytes = b""
    played: bytes | None = None
    token_played: bytes | None = None

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.path = environ["PATH_INFO"]
        is_token = self.path == "/oauth2/token"
        played = self.token_played if is_token else self.played
        if played is not None:
            start_response("200 OK", [("content-type", "application/json"), ("x-ratelimit-limit", "250")])
            return [played]
        answer = b"".join(self.app(environ, start_response))
        if not is_token:
            self.last = answer
        return [answer]


@dataclass
class World:
    emulator: Emulator
    sdk: Sdk
    wire: Wire
    url: str
    ids: dict[str, str] = field(default_factory=dict)

    def switch(self, **changes: Any) -> None:
        self.emulator.configure(replace(self.emulator.switches, **changes))

    def fresh(self, secret: str | None = None) -> Sdk:
        """A client that has no token yet."""
        given = self.emulator.credentials
        return Sdk(self.url, given.client_id, given.client_secret if secret is None else secret)

    def create(self, *attributes: dict[str, Any]) -> Answer:
        body = {"data": [{"type": "AudienceSegment", "attributes": item} for item in attributes]}
        return self.sdk.call("bulk_create_audience_segments", ACCOUNT, body=body)

    def update(self, *items: tuple[str, dict[str, Any]]) -> Answer:
        body = {"data": [{"id": key, "attributes": attributes} for key, attributes in items]}
        return self.sdk.call("bulk_update_audience_segments", ACCOUNT, body=body)

    def delete(self, *ids: str) -> Answer:
        body = {"data": [{"id": key} for key in ids]}
        return self.sdk.call("bulk_delete_audience_segments", ACCOUNT, body=body)

    def search(self, limit: int = 50, offset: int = 0, **filters: Any) -> Answer:
        body = {"data": {"attributes": filters}}
        call = "search_audience_segments"
        return self.sdk.call(call, ACCOUNT, body=body, limit=limit, offset=offset)

    def change(self, operation: str, segment: str, identifiers: list[str], kind: str = "Email") -> Answer:
        attributes = {"operation": operation, "identifier_type": kind, "identifiers": identifiers}
        body = {"data": {"type": "AddRemoveContactlist", "attributes": attributes}}
        return self.sdk.call("add_remove_contact_list_by_audience_segment", segment, body=body)

    def statistics(self, segment: str) -> Answer:
        return self.sdk.call("get_audience_segment_contact_list_statistics", ACCOUNT, segment)

    def audiences(self, **filters: Any) -> Answer:
        return self.sdk.call("search_audiences", ACCOUNT, body={"data": {"attributes": filters}})

    def clear(self, segment: str) -> Answer:
        return self.sdk.call("clear_contact_list_by_audience_segment", segment)

    def retailers(self, **filters: Any) -> Answer:
        body = {"data": {"attributes": filters}}
        return self.sdk.call("search_account_retailers", ACCOUNT, body=body, limit=10, offset=0)


def contact_list(name: str, kind: str = "Email", **more: Any) -> dict[str, Any]:
    return {"name": name, "retailer_id": RETAILER, "contact_list": {"identifier_type": kind}, **more}


@contextlib.contextmanager
def scene(folder: Path) -> Iterator[World]:
    """At noon: a list with three members, computed, on which an audience is built; a list; events."""
    switches = Switches(token_seconds=LONG)
    with Emulator.open(folder / "criteo.db", switches=switches, clock=NOON.timestamp) as emulator:
        emulator.ensure_account(ACCOUNT, [RETAILER, OTHER_RETAILER], name="Acme")
        wire = Wire(application(emulator.pipeline))
        with loopback.serving(wire) as url:
            given = emulator.credentials
            sdk = Sdk(url, given.client_id, given.client_secret)
            world = World(emulator, sdk, wire, url)
            lists = [contact_list("Lapsed", description="Bought once"), contact_list("Loyal", "CustomerId")]
            viewers = {"name": "Viewers", "retailer_id": OTHER_RETAILER, "events": EVENTS}
            made = world.create(*lists, viewers).body.data
            world.ids = {item.attributes.name: item.id for item in made}
            people = [f"{name}@example.com" for name in ("ann", "bob", "cy")]
            world.change("add", world.ids["Lapsed"], people)
            world.ids["Buyers"] = emulator.seed_audience(
                ACCOUNT, RETAILER, "Buyers", [world.ids["Lapsed"], world.ids["Loyal"]]
            )
            yield world
            sdk.close()
