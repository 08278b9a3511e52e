"""The contract of every AuditLog: it only grows, in one order, with and without the lock."""

from collections.abc import Iterator

import pytest
from contract.test_state_store import LAPSED, STORES, Open

from reconciler.core.audit.model import AuditHead, StoredEntry

pytestmark = pytest.mark.promise("audit")


@pytest.fixture(params=STORES, ids=lambda make: make.__name__)
def reopen(request: pytest.FixtureRequest) -> Iterator[Open]:
    with request.param() as reopen:
        yield reopen


def append(reopen: Open, content: bytes) -> AuditHead:
    return reopen().audit().append(lambda _: content)


def test_an_empty_log_has_no_head(reopen: Open) -> None:
    log = reopen().audit()
    assert log.entries() == ()
    assert log.head() == AuditHead(0, "")


def test_entries_are_read_in_the_order_of_their_appending(reopen: Open) -> None:
    contents = [f"entry {number}".encode() for number in range(1, 13)]
    heads = [append(reopen, content) for content in contents]
    stored = [StoredEntry(number, content) for number, content in enumerate(contents, 1)]
    assert list(reopen().audit().entries()) == stored
    assert heads == [AuditHead(one.number, one.digest) for one in stored]
    assert reopen().audit().head() == heads[-1]


def test_an_entry_is_made_for_the_head_before_it(reopen: Open) -> None:
    seen: list[AuditHead] = []
    for number in range(3):
        content = f"entry {number}".encode()
        reopen().audit().append(lambda head, content=content: seen.append(head) or content)
    entries = reopen().audit().entries()
    assert seen == [AuditHead(), *(AuditHead(one.number, one.digest) for one in entries[:2])]


def test_two_appends_at_the_same_time_both_stay_and_form_one_chain(reopen: Open) -> None:
    """Another process appends after this one has read the head: the entry is made again for the new head."""
    calls: list[AuditHead] = []

    def content(head: AuditHead) -> bytes:
        calls.append(head)
        if len(calls) == 1:
            append(reopen, b"theirs")
        return f"ours after {head.length}".encode()

    head = reopen().audit().append(content)
    assert [one.content for one in reopen().audit().entries()] == [b"theirs", b"ours after 1"]
    assert [one.length for one in calls] == [0, 1]
    assert head.length == 2


def test_the_log_can_be_appended_to_with_and_without_the_lock(reopen: Open) -> None:
    store = reopen()
    with store.lock("me") as writer:
        store.audit().append(lambda _: b"begin")
        writer.write(LAPSED)
        append(reopen, b"another process")
        store.audit().append(lambda _: b"end")
    assert [one.content for one in reopen().audit().entries()] == [b"begin", b"another process", b"end"]
    assert reopen().reader().resources() == (LAPSED,)


def test_the_log_is_no_part_of_the_state(reopen: Open) -> None:
    append(reopen, b"begin")
    assert reopen().reader().head() is None
    with reopen().lock("me") as writer:
        writer.prune()
        assert writer.resources() == ()
    assert reopen().audit().head().length == 1
