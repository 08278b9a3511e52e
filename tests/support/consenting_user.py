"""A user of the consent page, who sees what a browser shows and sends what it sends."""

import base64
import hashlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
from support.emulator import Client

BACK = "https://hooks.acme.example/criteo"
STATE = "a-state"
VERIFIER = "v" * 43


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


@dataclass
class Form(HTMLParser):
    """The fields of the only form, the boxes that are ticked, and every tag that was seen."""

    html: str
    hidden: dict[str, str] = field(default_factory=dict)
    ticked: list[str] = field(default_factory=list)
    action: str = ""
    tags: set[str] = field(default_factory=set)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        if tag == "form":
            self.action = given["action"]
        if tag == "input" and given["type"] == "hidden":
            self.hidden[given["name"]] = given["value"]
        if tag == "input" and given["type"] == "checkbox" and "checked" in given:
            self.ticked.append(given["value"])

    def handle_data(self, data: str) -> None:
        self.text += data


@dataclass
class ConsentingUser:
    client: Client

    def asked(self, **changes: str) -> dict[str, str]:
        """The request of an application; an empty value leaves the parameter out."""
        right = {
            "response_type": "code",
            "client_id": self.client.emulator.credentials.client_id,
            "redirect_uri": BACK,
            "state": STATE,
        }
        return {name: value for name, value in (right | changes).items() if value}

    def sees(self, **changes: str) -> httpx.Response:
        return self.client.http.get("/request", params=self.asked(**changes))

    def answers(self, page: httpx.Response, decision: str, *accounts: str) -> httpx.Response:
        """Answer the page; the boxes stay as they are unless accounts are named."""
        form = Form(page.text)
        ticked = list(accounts) or form.ticked
        return self.client.http.post(
            form.action, data={**form.hidden, "account": ticked, "decision": decision}
        )

    def code(self, *accounts: str, **changes: str) -> str:
        """Allow, and return the code of the redirect."""
        sent = self.answers(self.sees(**changes), "allow", *accounts)
        assert sent.status_code == 303, sent.text
        return brought(sent)["code"]

    def exchanges(self, code: str, **changes: str) -> httpx.Response:
        given = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
        return self.client.token(**given | changes)

    def refreshes(self, token: str) -> httpx.Response:
        return self.client.token(grant_type="refresh_token", refresh_token=token)

    def consents(self, *accounts: str) -> dict[str, str]:
        """Consent on the page, and exchange the code for tokens."""
        answer = self.exchanges(self.code(*accounts))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def authorizes_with(self, tokens: dict[str, str]) -> None:
        self.client.http.headers["authorization"] = f"Bearer {tokens['access_token']}"


def brought(sent: httpx.Response) -> dict[str, str]:
    """Return the query of the redirect."""
    return dict(parse_qsl(urlsplit(sent.headers["location"]).query, keep_blank_values=True))


def allowed(address: str) -> str:
    """Open the URL at a served emulator and allow all; return the redirect."""
    with httpx.Client() as http:
        page = Form(http.get(address).text)
        fields = {**page.hidden, "account": page.ticked, "decision": "allow"}
        return http.post(urljoin(address, page.action), data=fields).headers["location"]
