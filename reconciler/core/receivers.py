"""The receivers of notifications, as an environment declares them. It states nothing about a run."""

from dataclasses import dataclass
from enum import StrEnum


class NotificationKind(StrEnum):
    """What happened, as `kinds` of a receiver names it."""

    BLOCKED = "blocked"
    FAILED = "failed"
    PARTIALLY_APPLIED = "partiallyApplied"
    DRIFT = "drift"
    USABLE = "usable"
    CONSENT = "consent"


class NotificationForm(StrEnum):
    """The body that a receiver expects."""

    JSON = "json"
    SLACK = "slack"
    TEAMS = "teams"


@dataclass(frozen=True, slots=True)
class Receiver:
    """A webhook. `url` is the reference of its secret URL."""

    name: str
    url: str
    form: NotificationForm
    kinds: frozenset[NotificationKind]
