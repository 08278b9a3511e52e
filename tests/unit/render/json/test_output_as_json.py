"""All values of status and consents, as JSON that follows the published schemas."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support import schemas

from reconciler.core.consent.model import REFRESH_TOKEN_LIFETIME, RENEWAL_AGE, Consent
from reconciler.core.credential import Application, CredentialRole
from reconciler.core.errors import AuthenticationError, Finding
from reconciler.core.members import EMPTY_SNAPSHOT, Delta, SnapshotRef
from reconciler.core.model import Address, Hashing, IdentifierType, SegmentKey
from reconciler.core.remote import Statistics
from reconciler.core.secret import Secret
from reconciler.core.state.model import LockHolder, StateHead, StateVersionInfo
from reconciler.core.state.resource import (
    CreateIntent,
    ResourceState,
    RetiredSegment,
    SegmentState,
    Transfer,
)
from reconciler.render.json.auth_status import consents_values
from reconciler.render.json.state import history_values, lock_values, state_values
from reconciler.render.json.status import status_values
from reconciler.render.json.values import DocumentKind, Json, document, dump
from reconciler.render.numbers import EXACT, ROUNDED, NumberFormat
from reconciler.render.terminal.auth_status import consent_rows

pytestmark = pytest.mark.promise("read-right")

NOW = datetime(2026, 11, 24, 13, 0, 0, 500_000, tzinfo=UTC)
SENT = NOW - timedelta(days=2)
A, B = Address("offsite-email", "a"), Address("onsite-customer", "b")
KEY = SegmentKey("1001", "7", IdentifierType.EMAIL, Hashing.SHA256)
FULL = SegmentState(
    KEY,
    "88121",
    confirmed=SnapshotRef("ab" * 16, 1_004),
    completed_size=1_004,
    completed_at=SENT,
    rejected=3,
)
MOVING = replace(FULL, transfer=Transfer(FULL.confirmed, EMPTY_SNAPSHOT, Delta(0, 1_000, 0), acknowledged=4))
UNTRUSTED = "[red]x\x1b[31m\n\u202ey\u200b"


def printed(kind: DocumentKind, content: Json) -> dict[str, Any]:
    return schemas.output(dump(document(kind, content)))


def status(
    resource: ResourceState, found: Statistics | None = None, figures: NumberFormat = ROUNDED
) -> dict[str, Any]:
    statistics = {resource.current.segment_id: found} if found else None
    values = status_values("production", [A], [resource], statistics, {A: 0.001}, {}, NOW, figures)
    [only] = printed(DocumentKind.STATUS, values)["addresses"]
    return dict(only)


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (ResourceState(A, FULL), "acknowledged"),
        (ResourceState(A, MOVING), "transferring"),
        (ResourceState(A, SegmentState(KEY, "88121")), "not_filled"),
        (ResourceState(A, SegmentState(KEY, intent=CreateIntent("A", NOW))), "create_unconfirmed"),
        (ResourceState(A, SegmentState(KEY, "1", members_unknown_before=NOW)), "members_unknown"),
        (ResourceState(A, FULL, replacement=MOVING), "replacing"),
        (ResourceState(A, FULL, forgotten_at=NOW), "forgotten"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_every_status_has_its_code(resource: ResourceState, expected: str) -> None:
    assert status(resource)["status"] == expected


def test_counts_are_numbers_and_small_ones_are_not_reported() -> None:
    reported = status(ResourceState(A, MOVING), Statistics(300, 150, 0.5))
    assert (reported["members"], reported["rejected"]) == (1_000, {"less_than": 10})
    assert reported["transfer"] == {"acknowledged": {"less_than": 10}, "total": 1_000}
    assert reported["rejected_beyond_limit"] is True
    exact = status(ResourceState(A, MOVING), figures=EXACT)
    assert (exact["members"], exact["rejected"], exact["transfer"]["acknowledged"]) == (1_004, 3, 4)


def test_times_are_in_utc_to_the_second() -> None:
    reported = status(ResourceState(A, replace(FULL, completed_at=NOW)))
    assert (reported["last_sent_at"], reported["live"]) == ("2026-11-24T13:00:00+00:00", False)
    assert status(ResourceState(A, FULL))["live"] is True


@pytest.mark.parametrize(
    ("found", "rate", "usable"),
    [
        (Statistics(None, None, None), None, None),
        (Statistics(None, None, 0.4849), 0.48, True),
        (Statistics(None, None, 0.0004), 0.0, False),
        (Statistics(1_004, 5, 0.005), None, True),
        (Statistics(1_004, 503, 0.501), 0.5, True),
    ],
)
def test_a_match_rate_says_no_more_than_the_counts_beside_it(
    found: Statistics, rate: float | None, usable: bool | None
) -> None:
    reported = status(ResourceState(A, FULL), found)["statistics"]
    assert (reported["match_rate"], reported["usable"]) == (rate, usable)


def test_what_criteo_lost_is_reported_in_both_counts() -> None:
    assert status(ResourceState(A, FULL), Statistics(503, None, None))["lost"] == {
        "acknowledged": 1_000,
        "counted": 500,
    }


def test_a_state_says_what_is_uncertain_and_what_is_retired() -> None:
    old = RetiredSegment(replace(FULL, segment_id="7", uncertain=SnapshotRef("cd" * 16, 50)), NOW)
    resource = ResourceState(A, FULL, replacement=MOVING, retired=(old,), forgotten_at=NOW)
    head = StateHead("7f3a2b1c9d", 4, "production")
    reported = printed(DocumentKind.STATE, state_values("production", head, [resource], ROUNDED))
    [one] = reported["addresses"]
    assert (reported["serial"], one["uncertain"], one["retired_segment_ids"]) == (4, 50, ["7"])
    assert one["replacing"] is True


def test_versions_come_newest_first() -> None:
    kept = [StateVersionInfo(1, SENT, 2), StateVersionInfo(2, NOW, 3)]
    reported = printed(DocumentKind.STATE_HISTORY, history_values("production", kept))
    assert [one["serial"] for one in reported["versions"]] == [2, 1]


@pytest.mark.parametrize(("lock_id", "expected"), [("1234", "1234"), ("", None)])
def test_a_holder_that_can_not_be_broken_has_no_id(lock_id: str, expected: str | None) -> None:
    held = lock_values("production", LockHolder(lock_id, "anna@example.com since 12:00 UTC"))
    assert printed(DocumentKind.STATE_LOCK, held)["holder"]["id"] == expected


def consents(held: Consent | None, grant: str = "authorizationCode") -> dict[str, Any]:
    def read(_: CredentialRole) -> Consent:
        if held is None:
            raise AuthenticationError("nothing is kept", remedy="log in")
        return held

    application = Application(grant, "env:ID", "env:SECRET")
    role = CredentialRole("criteo", application, plan_application=False)
    rows = consent_rows("production", [role], read, NOW)
    [one] = printed(DocumentKind.AUTH_STATUS, consents_values("production", rows))["credentials"]
    return dict(one)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (None, "unreadable"),
        (Consent(Secret("t")), "held"),
        (Consent(Secret("t"), NOW, NOW, ("1001",), "login"), "held"),
        (Consent(Secret("t"), NOW - RENEWAL_AGE, NOW), "expires_soon"),
        (Consent(Secret("t"), NOW - REFRESH_TOKEN_LIFETIME, NOW), "expired"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_every_consent_has_its_code_and_no_token(held: Consent | None, expected: str) -> None:
    reported = consents(held)
    assert (reported["status"], reported["consent"] is None) == (expected, held is None)
    assert "refresh_token" not in str(reported)


def test_client_credentials_need_no_consent() -> None:
    assert consents(None, "clientCredentials")["status"] == "not_needed"


def test_text_from_elsewhere_acts_on_no_terminal() -> None:
    error = AuthenticationError(
        UNTRUSTED, remedy=f"{UNTRUSTED}\n{UNTRUSTED}", findings=[Finding(UNTRUSTED, UNTRUSTED, UNTRUSTED)]
    )
    text = dump(document(DocumentKind.STATUS, {}, error))
    schemas.output(text)
    for hidden in ("\\u001b", "\\u202e", "\\u200b", "\x1b", "\u202e", "\u200b"):
        assert hidden not in text
