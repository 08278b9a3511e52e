"""An emulator mounted in process with its own clock, and a plain client for its paths."""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from reconciler.emulator import Emulator, Switches
from reconciler.emulator.in_process_transport import transport

ACCOUNT = "368477501993431040"
RETAILER = "3239117063738827231"
OTHER_RETAILER = "12"
HOST = "https://api.criteo.com"
TEN_O_CLOCK = datetime(2026, 11, 24, 10, tzinfo=UTC).timestamp()


@dataclass
class Clock:
    now: float = TEN_O_CLOCK

    def __call__(self) -> float:
        return self.now


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Client:
    """Returns whole responses, whatever their status."""

    def __init__(self, emulator: Emulator, http: httpx.Client, version: str = "2026-07") -> None:
        self.emulator = emulator
        self.http = http
        self.root = f"/{version}/retail-media"

    def token(self, **form: str) -> httpx.Response:
        given = self.emulator.credentials
        pair = {"client_id": given.client_id, "client_secret": given.client_secret}
        return self.http.post("/oauth2/token", data={"grant_type": "client_credentials", **pair, **form})

    def authorize(self) -> None:
        self.http.headers["authorization"] = f"Bearer {self.token().json()['access_token']}"

    def me(self) -> httpx.Response:
        return self.http.get(self.root + "/me")

    def accounts(self, **query: object) -> httpx.Response:
        return self.http.get(self.root + "/accounts", params=query)

    def retailers(self, **query: object) -> httpx.Response:
        return self.account("/retailers/search", {"data": {"attributes": {}}}, **query)

    def account(self, path: str, body: object, **query: object) -> httpx.Response:
        url = f"{self.root}/accounts/{ACCOUNT}{path}"
        return self.http.post(url, json=body, params=query)

    def search(self, *, limit: int = 50, offset: int = 0, **filters: object) -> httpx.Response:
        body = {"data": {"attributes": filters}}
        return self.account("/audience-segments/search", body, limit=limit, offset=offset)

    def audiences(self, **filters: object) -> httpx.Response:
        return self.account("/audiences/search", {"data": {"attributes": filters}})

    def create(self, *attributes: dict[str, Any]) -> httpx.Response:
        data = [{"attributes": item} for item in attributes]
        return self.account("/audience-segments/create", {"data": data})

    def update(self, *items: tuple[str, dict[str, Any]]) -> httpx.Response:
        data = [{"id": key, "attributes": attributes} for key, attributes in items]
        url = f"{self.root}/accounts/{ACCOUNT}/audience-segments"
        return self.http.patch(url, json={"data": data})

    def delete(self, *ids: str) -> httpx.Response:
        return self.account("/audience-segments/delete", {"data": [{"id": key} for key in ids]})

    def statistics(self, segment: str) -> httpx.Response:
        path = f"{self.root}/accounts/{ACCOUNT}/audience-segments/{segment}/contact-list"
        return self.http.get(path)

    def change(
        self, operation: str, segment: str, identifiers: Sequence[object], kind: str | None = None
    ) -> httpx.Response:
        attributes = {"operation": operation, "identifiers": list(identifiers)}
        if kind is not None:
            attributes["identifierType"] = kind
        path = f"{self.root}/audience-segments/{segment}/contact-list/add-remove"
        return self.http.post(path, json={"data": {"attributes": attributes}})

    def add(self, segment: str, identifiers: Sequence[object], kind: str | None = None) -> httpx.Response:
        return self.change("add", segment, identifiers, kind)

    def remove(self, segment: str, identifiers: Sequence[object], kind: str | None = None) -> httpx.Response:
        return self.change("remove", segment, identifiers, kind)

    def clear(self, segment: str) -> httpx.Response:
        return self.http.post(f"{self.root}/audience-segments/{segment}/contact-list/clear")

    def segment(self, name: str = "Lapsed", kind: str = "Email") -> str:
        """Create a contact list."""
        answer = self.create(contact_list(name, kind)).json()
        return str(answer["data"][0]["id"])


def contact_list(name: str, kind: str = "Email", **more: object) -> dict[str, Any]:
    return {"name": name, "retailerId": RETAILER, "contactList": {"identifierType": kind}, **more}


@dataclass
class World:
    emulator: Emulator
    client: Client
    clock: Clock

    def advance(self, seconds: float) -> None:
        """Advance the clock beyond a token's life, with a new token."""
        self.emulator.advance(seconds)
        self.client.authorize()

    def switch(self, **changes: Any) -> None:
        self.emulator.configure(replace(self.emulator.switches, **changes))


@contextlib.contextmanager
def mounted(folder: Path, switches: Switches | None = None) -> Iterator[World]:
    """Yield an authorized client with one account and two retailers."""
    clock = Clock()
    with Emulator.open(folder / "emulator.db", switches=switches, clock=clock) as emulator:
        emulator.ensure_account(ACCOUNT, [RETAILER, OTHER_RETAILER], name="Acme")
        with httpx.Client(base_url=HOST, transport=transport(emulator.pipeline)) as http:
            client = Client(emulator, http)
            client.authorize()
            yield World(emulator, client, clock)
