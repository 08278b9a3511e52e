"""The erasure list holds keyed digests of every form, and nothing that opens without all its keys."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reconciler.core.damaged_values import md5, sha256
from reconciler.core.erasure import (
    NO_ERASURES,
    ErasureList,
    ErasureRequest,
    added,
    completed,
    forms,
    known_as,
    line_digests,
    merged,
    requested,
    rotated,
)
from reconciler.core.errors import StorageError
from reconciler.core.model import Hashing, IdentifierType

pytestmark = pytest.mark.promise("private")

EMAIL, PHONE, CUSTOMER = IdentifierType.EMAIL, IdentifierType.PHONE_NUMBER, IdentifierType.CUSTOMER_ID
ANN = "ann@example.com"
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
KEYED = ErasureList(keys=(b"k" * 32,))
LISTED = added(KEYED, {EMAIL: [ANN]}, ())
REQUEST = ErasureRequest(NOON, (line_digests(LISTED, ANN, ()),), ())


@pytest.mark.parametrize(
    ("hashing", "member"),
    [
        (Hashing.NONE, ANN),
        (Hashing.MD5, md5(ANN)),
        (Hashing.SHA256, sha256(ANN)),
        (Hashing.SHA256_OF_MD5, sha256(md5(ANN))),
    ],
)
def test_a_plain_identifier_is_recognised_in_every_form(hashing: Hashing, member: str) -> None:
    assert LISTED.holds(EMAIL, hashing, member)
    assert not LISTED.holds(EMAIL, hashing, member[::-1])
    assert not LISTED.holds(CUSTOMER, hashing, member)


def test_a_hashed_identifier_is_recognised_in_what_follows_from_it() -> None:
    hashed = added(KEYED, {EMAIL: [md5(ANN)]}, ())
    assert hashed.holds(EMAIL, Hashing.NONE, ANN)
    assert hashed.holds(EMAIL, Hashing.MD5, md5(ANN))
    assert hashed.holds(EMAIL, Hashing.SHA256_OF_MD5, sha256(md5(ANN)))
    assert not hashed.holds(EMAIL, Hashing.SHA256, sha256(ANN))


def test_an_identifier_is_known_by_its_own_rules() -> None:
    assert known_as(" Ann@Example.com", EMAIL) == (Hashing.NONE, ANN)
    assert known_as(sha256(ANN).upper(), EMAIL) == (Hashing.SHA256, sha256(ANN))
    assert known_as("0151 23456789", PHONE) is None
    assert known_as("0151 23456789", PHONE, "DE") == (Hashing.NONE, "+4915123456789")
    assert forms(Hashing.SHA256, "a") == ("a",)


def test_no_identifier_and_no_key_is_in_the_list_or_its_text() -> None:
    assert ANN not in repr(LISTED)
    assert repr(b"k" * 32) not in repr(LISTED)


def test_more_identifiers_are_added_to_those_before() -> None:
    more = added(LISTED, {EMAIL: ["bob@example.com", md5("cat@example.com")]}, ())
    assert more.of_type(EMAIL).known == (Hashing.MD5, Hashing.NONE)
    assert set(LISTED.of_type(EMAIL).digests) < set(more.of_type(EMAIL).digests)
    assert more.fingerprint != LISTED.fingerprint != NO_ERASURES.fingerprint == ""
    assert not NO_ERASURES
    assert not NO_ERASURES.holds(EMAIL, Hashing.NONE, ANN)


def test_after_a_rotation_the_earlier_key_alone_opens_nothing() -> None:
    again = rotated(requested(LISTED, REQUEST), b"n" * 32)
    assert again.holds(EMAIL, Hashing.NONE, ANN)
    assert not replace(again, keys=again.keys[:1]).holds(EMAIL, Hashing.NONE, ANN)
    assert again.content.requests[0].lines == (line_digests(again, ANN, ()),)
    assert again.content.keys == 2


def test_an_erasure_is_pending_until_it_is_complete() -> None:
    pending = requested(LISTED, REQUEST)
    assert (LISTED.is_pending, pending.is_pending) == (False, True)
    done = completed(pending, NOON)
    assert not done.is_pending
    assert completed(done, NOON.replace(hour=13)) == done


def test_lists_with_a_common_key_are_joined() -> None:
    earlier = requested(added(KEYED, {EMAIL: [ANN], CUSTOMER: ["1"]}, ()), REQUEST)
    later = rotated(added(KEYED, {EMAIL: ["bob@example.com"], PHONE: ["+4915123456789"]}, ()), b"n" * 32)
    for one, other in ((earlier, later), (later, earlier)):
        both = merged(one, other)
        assert both.keys == later.keys
        assert both.holds(EMAIL, Hashing.NONE, ANN)
        assert both.holds(EMAIL, Hashing.NONE, "bob@example.com")
        assert both.holds(CUSTOMER, Hashing.NONE, "1")
        assert both.holds(PHONE, Hashing.NONE, "+4915123456789")
        assert len(both.content.requests) == 1
    assert merged(NO_ERASURES, LISTED) == merged(LISTED, NO_ERASURES) == LISTED


def test_lists_with_different_keys_are_not_joined() -> None:
    with pytest.raises(StorageError, match="different keys"):
        merged(LISTED, added(ErasureList(keys=(b"o" * 32,)), {EMAIL: [ANN]}, ()))
