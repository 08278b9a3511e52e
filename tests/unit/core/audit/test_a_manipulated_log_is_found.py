"""A changed, removed, moved or added byte, line or entry of an audit log is found."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reconciler.core.audit.check import FlawKind, LoggedRun, check_log
from reconciler.core.audit.codec import entry_bytes, read_entry
from reconciler.core.audit.model import (
    FORMAT,
    Actor,
    ActorSource,
    AuditedChange,
    AuditEntry,
    AuditHead,
    RunBegin,
    RunCommand,
    RunEnd,
    StoredEntry,
    UsedApproval,
    is_actor_name,
    parse_head,
)
from reconciler.core.errors import StorageError
from reconciler.core.model import Address
from reconciler.core.rounding import LessThan
from reconciler.core.state.codec import UnsupportedFormatError, dump, parse
from reconciler.core.state.model import StateHead

pytestmark = pytest.mark.promise("audit")

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
LINEAGE = "ab" * 16
ANY = AuditHead()
BEGIN = RunBegin(RunCommand.APPLY, Actor("mona", ActorSource.GITHUB), "c0ffee", "vm", "0.1.0")
END = RunEnd(
    exit_code=0,
    plan="sha256:" + "1" * 64,
    approvals=(UsedApproval("sha256:" + "2" * 64, ("octo",)),),
    changes=(AuditedChange(Address("email", "buyers"), "update", "applied", 120, LessThan(10)),),
    added=120,
    removed=LessThan(10),
    trace_ids=("4bf92f35",),
)
Log = list[StoredEntry]


def grown(log: Log, run: str, serial: int, part: RunBegin | RunEnd, lineage: str = LINEAGE) -> Log:
    """Return the log with one more entry."""
    begin, end = (part, None) if isinstance(part, RunBegin) else (None, part)
    number, previous = len(log) + 1, log[-1].digest if log else ""
    entry = AuditEntry(FORMAT, number, previous, NOON, run, lineage, serial, begin, end)
    return [*log, StoredEntry(number, entry_bytes(entry))]


def two_runs() -> Log:
    log = grown([], "r1", 0, BEGIN, "")
    log = grown(log, "r1", 1, END)
    log = grown(log, "r2", 1, BEGIN)
    return grown(log, "r2", 2, END)


def head(serial: int, lineage: str = LINEAGE) -> StateHead:
    return StateHead(lineage, serial, "sandbox")


WHOLE = two_runs()
WITNESS = AuditHead(4, WHOLE[-1].digest)


def kinds(log: Log, serial: int = 2, witness: AuditHead = ANY) -> list[tuple[FlawKind, int]]:
    return [(one.kind, one.number) for one in check_log(log, head(serial), witness).flaws]


def altered(number: int, content: bytes) -> Log:
    return [replace(one, content=content) if one.number == number else one for one in WHOLE]


def test_a_whole_log_has_no_flaw() -> None:
    checked = check_log(WHOLE, head(2), WITNESS)
    assert checked.flaws == ()
    assert checked.head == WITNESS
    assert [one.id for one in checked.runs] == ["r1", "r2"]
    assert all(one.begin and one.end for one in checked.runs)
    assert checked.runs[0].end is not None
    assert checked.runs[0].end.end == END


def test_an_empty_log_of_no_state_has_no_flaw() -> None:
    checked = check_log([], None, ANY)
    assert (checked.head, checked.runs, checked.flaws) == (AuditHead(), (), ())


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_every_changed_byte_of_an_entry_is_found(number: int) -> None:
    """Each byte of each entry becomes another one, is removed, and is doubled; the last entry too."""
    content = WHOLE[number - 1].content
    for at in range(len(content)):
        before, byte, after = content[:at], content[at : at + 1], content[at + 1 :]
        others = [b"0", b"9", b"a", b"Z", b" ", b"\n", b'"', b",", b"\\", b"\x00", b"\xff"]
        for other in (*(one for one in others if one != byte), b"", byte + byte):
            with pytest.raises(StorageError):
                read_entry(StoredEntry(number, before + other + after))


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_every_changed_line_of_an_entry_is_found(number: int) -> None:
    lines = WHOLE[number - 1].content.splitlines(keepends=True)
    for at, line in enumerate(lines):
        without, twice = [*lines[:at], *lines[at + 1 :]], [*lines[:at], line, *lines[at:]]
        moved = [*without[:1], line, *without[1:]]
        for changed in (without, twice, moved):
            content = b"".join(changed)
            if content != WHOLE[number - 1].content:
                assert (FlawKind.DAMAGED, number) in kinds(altered(number, content)), line


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_entry_that_is_written_again_with_a_right_checksum_is_found_by_the_next(number: int) -> None:
    data = parse(WHOLE[number - 1].content)
    for key, other in (
        ("run", "r9"),
        ("serial", 0),
        ("lineage", "cd" * 16),
        ("at", "2026-11-30T11:00:00+00:00"),
    ):
        content = dump({**data, key: other})
        if content != WHOLE[number - 1].content:
            assert (FlawKind.UNCHAINED, number + 1) in kinds(altered(number, content))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_removed_entry_is_found(number: int) -> None:
    found = kinds([one for one in WHOLE if one.number != number])
    assert (FlawKind.MISSING, number) in found


def test_a_removed_entry_is_found_if_the_others_are_numbered_again() -> None:
    renumbered = [replace(one, number=one.number - 1) for one in WHOLE[1:]]
    assert (FlawKind.MOVED, 1) in kinds(renumbered)


@pytest.mark.parametrize(("one", "other"), [(1, 2), (1, 4), (2, 3), (3, 4)])
def test_entries_in_another_order_are_found(one: int, other: int) -> None:
    log = altered(one, WHOLE[other - 1].content)
    log[other - 1] = replace(log[other - 1], content=WHOLE[one - 1].content)
    found = kinds(log)
    assert (FlawKind.MOVED, one) in found
    assert (FlawKind.MOVED, other) in found


@pytest.mark.parametrize("left", [0, 1, 2])
def test_entries_cut_off_after_a_write_are_found_by_the_serial_of_the_state(left: int) -> None:
    found = kinds(WHOLE[:left])
    assert found[-1] == (FlawKind.UNRECORDED, left + 1)


@pytest.mark.parametrize("left", [0, 1, 2, 3])
def test_entries_cut_off_anywhere_are_found_by_a_witness(left: int) -> None:
    found = [one.kind for one in check_log(WHOLE[:left], head(2), WITNESS).flaws]
    assert FlawKind.CUT_OFF in found


def test_a_log_that_was_rewritten_as_a_whole_is_found_by_a_witness() -> None:
    forged = grown(grown([], "r1", 0, BEGIN, ""), "r1", 1, replace(END, approvals=()))
    forged = grown(grown(forged, "r2", 1, BEGIN), "r2", 2, END)
    assert check_log(forged, head(2), ANY).flaws == ()
    assert kinds(forged, witness=WITNESS) == [(FlawKind.REWRITTEN, 4)]
    assert kinds(grown(forged, "r3", 2, BEGIN), witness=WITNESS) == [(FlawKind.REWRITTEN, 4)]


def test_a_log_that_grew_since_the_witness_is_whole() -> None:
    grew = grown(grown(WHOLE, "r3", 2, BEGIN), "r3", 3, END)
    assert kinds(grew, serial=3, witness=WITNESS) == []


def test_a_state_that_a_run_without_an_entry_wrote_is_found() -> None:
    assert kinds(WHOLE, serial=3) == [(FlawKind.UNRECORDED, 5)]
    later = grown(grown(WHOLE, "r3", 3, BEGIN), "r3", 4, END)
    assert kinds(later, serial=4) == [(FlawKind.UNRECORDED, 5)]


def test_a_state_that_went_back_without_a_run_is_found() -> None:
    assert kinds(WHOLE, serial=1) == [(FlawKind.UNRECORDED, 5)]


def test_a_state_that_was_removed_or_replaced_is_found_until_a_witness_vouches_for_it() -> None:
    assert check_log(WHOLE, None, ANY).flaws[0].kind is FlawKind.UNRECORDED
    assert check_log(WHOLE, head(2, "cd" * 16), ANY).flaws[0].kind is FlawKind.UNRECORDED
    rebuilt = grown(WHOLE, "r3", 0, replace(BEGIN, command=RunCommand.STATE_REBUILD), "")
    rebuilt = grown(rebuilt, "r3", 1, END, "cd" * 16)
    now = head(1, "cd" * 16)
    assert [(one.kind, one.number) for one in check_log(rebuilt, now, ANY).flaws] == [
        (FlawKind.UNRECORDED, 5)
    ]
    assert check_log(rebuilt, now, AuditHead(6, rebuilt[-1].digest)).flaws == ()


@pytest.mark.parametrize("serial", [1, 2])
def test_an_interrupted_run_may_have_written_or_not(serial: int) -> None:
    """It was killed before or after the head of the state was written: the entry of its begin is there."""
    killed = grown(WHOLE[:2], "r2", 1, BEGIN)
    checked = check_log(killed, head(serial), ANY)
    assert checked.flaws == ()
    assert checked.runs[-1].end is None
    after = grown(grown(killed, "r3", serial, BEGIN), "r3", serial + 1, END)
    assert kinds(after, serial=serial + 1) == []


@pytest.mark.parametrize("state", [None, head(1)])
def test_an_interrupted_first_run_may_have_made_the_state(state: StateHead | None) -> None:
    assert check_log(grown([], "r1", 0, BEGIN, ""), state, ANY).flaws == ()


def test_an_interrupted_import_may_have_made_a_state_of_any_serial() -> None:
    begun = grown([], "r1", 0, replace(BEGIN, command=RunCommand.STATE_IMPORT), "")
    assert check_log(begun, head(7), ANY).flaws == ()
    assert check_log(grown([], "r1", 0, BEGIN, ""), head(7), ANY).flaws != ()


def test_the_end_of_a_run_that_lost_its_lock_may_follow_the_begin_of_the_next() -> None:
    log = grown(WHOLE[:2], "r2", 1, BEGIN)
    log = grown(log, "r3", 2, BEGIN)
    log = grown(log, "r2", 3, replace(END, exit_code=10))
    log = grown(log, "r3", 3, END)
    checked = check_log(log, head(3), ANY)
    assert checked.flaws == ()
    assert [one.id for one in checked.runs] == ["r1", "r2", "r3"]


def test_a_run_whose_begin_is_damaged_is_still_listed() -> None:
    checked = check_log(altered(3, b"{}"), head(2), ANY)
    assert [one.kind for one in checked.flaws] == [FlawKind.DAMAGED, FlawKind.UNCHAINED]
    assert checked.runs[-1] == LoggedRun("r2", None, read_entry(WHOLE[3]))


def test_an_entry_of_a_newer_format_says_so() -> None:
    newer = StoredEntry(1, dump({**parse(WHOLE[0].content), "format": FORMAT + 1}))
    with pytest.raises(UnsupportedFormatError):
        read_entry(newer)


def test_an_entry_has_one_part() -> None:
    begin, end = read_entry(WHOLE[0]), read_entry(WHOLE[1])
    for wrong in (replace(begin, begin=None), replace(begin, end=end.end)):
        with pytest.raises(StorageError):
            read_entry(StoredEntry(1, entry_bytes(wrong)))


def test_a_head_is_read_as_it_is_printed() -> None:
    assert parse_head(str(WITNESS)) == WITNESS
    for text in ("", "4", WITNESS.digest, f"04:{WITNESS.digest}", f"{WITNESS}0", str(AuditHead())):
        assert parse_head(text) is None


def test_a_login_is_no_e_mail_address() -> None:
    for login in ("mona", "Mona-Lisa", "m.l_1", "_m", "dependabot[bot]"):
        assert is_actor_name(login)
    for other in ("", "mona@example.com", "-m", "a b", "m" * 64, "bot[bot", "m\n"):
        assert not is_actor_name(other)


def test_the_log_has_no_name_of_an_unknown_command() -> None:
    assert {re.sub("[a-z ]", "", one.value) for one in RunCommand} == {""}
