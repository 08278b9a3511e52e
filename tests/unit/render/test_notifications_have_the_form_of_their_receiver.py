"""Each notification is a JSON document by its schema, a message of Slack, or a card of Teams."""

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from reconciler.core.model import Address
from reconciler.core.notifications import Origin
from reconciler.core.receivers import NotificationForm, NotificationKind
from reconciler.manifests import schema
from reconciler.render.notifications import MOST, body

ORIGIN = Origin("production", "apply", "https://ci.example.com/<7>&x", datetime(2026, 11, 30, 6, tzinfo=UTC))
ADDRESSES = [Address("email", f"audience-{number:02}") for number in range(MOST + 5)]


def sent(kind: NotificationKind, form: NotificationForm, number: int) -> dict:
    credentials = ["criteo"] if kind is NotificationKind.CONSENT else []
    return json.loads(body(ORIGIN.says(kind, ADDRESSES[:number], credentials), form))


@pytest.mark.parametrize("kind", NotificationKind)
@pytest.mark.parametrize("number", [0, 1, len(ADDRESSES)])
def test_a_document_follows_its_schema_and_has_all_addresses(kind, number):
    document = sent(kind, NotificationForm.JSON, number)
    described = json.loads((Path(schema.folder()) / "notification.schema.json").read_text())
    jsonschema.Draft202012Validator(described).validate(document)
    assert document["kind"] == kind.value
    assert document["addresses"] == [str(address) for address in ADDRESSES[:number]]
    assert document["summary"].startswith("production: ")


@pytest.mark.parametrize("kind", NotificationKind)
def test_a_message_of_slack_escapes_markup_and_names_the_first_addresses(kind):
    message = sent(kind, NotificationForm.SLACK, len(ADDRESSES))
    assert list(message) == ["text"]
    lines = message["text"].split("\n")
    assert lines[1 : MOST + 2] == [*(f"• {one}" for one in ADDRESSES[:MOST]), "• and 5 more"]
    assert lines[-1] == "apply, 2026-11-30 06:00 UTC, https://ci.example.com/&lt;7&gt;&amp;x"


@pytest.mark.parametrize("kind", NotificationKind)
def test_a_card_of_teams_says_the_same(kind):
    message = sent(kind, NotificationForm.TEAMS, 2)
    [attachment] = message["attachments"]
    assert (message["type"], attachment["contentType"]) == (
        "message",
        "application/vnd.microsoft.card.adaptive",
    )
    first, *texts = [block["text"] for block in attachment["content"]["body"]]
    assert first == sent(kind, NotificationForm.JSON, 2)["summary"]
    assert texts[:2] == ["• email/audience-00", "• email/audience-01"]
