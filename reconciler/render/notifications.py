"""The bodies of notifications: a JSON document, a Slack message, or a card for Teams."""

from typing import Any

import orjson

from reconciler.core.notifications import FORMAT, Notification
from reconciler.core.receivers import NotificationForm, NotificationKind
from reconciler.render.numbers import counted, stamp

MOST = 20
"""Addresses in a message; the JSON document has all."""


def body(one: Notification, form: NotificationForm) -> bytes:
    """Return the body of a request to a receiver, as JSON.

    Slack: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks. Teams: a message with
    an Adaptive Card, as the Workflows webhooks of Teams expect it.
    """
    match form:
        case NotificationForm.JSON:
            return orjson.dumps(_document(one))
        case NotificationForm.SLACK:
            return orjson.dumps({"text": "\n".join(map(_slack_text, _lines(one)))})
        case NotificationForm.TEAMS:
            return orjson.dumps(_card(one))


def summary(one: Notification) -> str:
    """Return one sentence, such as "production: 2 addresses are blocked"."""
    number = len(one.addresses)
    are = "is" if number == 1 else "are"
    addresses = counted(number, "address", "addresses")
    match one.kind:
        case NotificationKind.BLOCKED:
            what = f"{addresses} {are} blocked" if number else f"`{one.command}` is refused"
        case NotificationKind.FAILED:
            what = f"{addresses} failed" if number else f"`{one.command}` failed"
        case NotificationKind.PARTIALLY_APPLIED:
            what = f"{addresses} failed, others are applied"
        case NotificationKind.DRIFT:
            what = f"{addresses} changed at Criteo outside reconciler"
        case NotificationKind.USABLE:
            what = f"{addresses} {are} verified and can be used"
        case NotificationKind.CONSENT:
            what = f"the consent of {', '.join(one.credentials)} ends soon: run `reconciler auth login`"
    return f"{one.environment}: {what}"


def _lines(one: Notification) -> list[str]:
    """Return the text of a message. It names no more than the first addresses."""
    shown = [f"• {address}" for address in one.addresses[:MOST]]
    if (left := len(one.addresses) - MOST) > 0:
        shown.append(f"• and {left:,} more")
    return [summary(one), *shown, f"{one.command}, {stamp(one.at)}, {one.run}"]


def _document(one: Notification) -> dict[str, Any]:
    return {
        "format_version": FORMAT,
        "kind": one.kind.value,
        "environment": one.environment,
        "command": one.command,
        "run": one.run,
        "at": one.at.isoformat(),
        "summary": summary(one),
        "addresses": [str(address) for address in one.addresses],
        "credentials": list(one.credentials),
    }


def _slack_text(line: str) -> str:
    """Escape the three characters that control Slack's markup."""
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _card(one: Notification) -> dict[str, Any]:
    first, *others = _lines(one)
    blocks = [_block(first, weight="Bolder"), *(_block(line) for line in others)]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _block(text: str, **style: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **style}
