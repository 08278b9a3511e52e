"""A damaged state is refused with the file and the fix, without its content."""

import errno
import fcntl
import os
from pathlib import Path

import pytest
from support.fakes.disk import watched

from reconciler.core.errors import LockedError, StorageError
from reconciler.core.members import SnapshotRef
from reconciler.core.model import Address, Hashing, IdentifierType, SegmentKey
from reconciler.core.state.codec import FORMAT_VERSION, dump, encode_resource
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.state.local_store import LocalStore

pytestmark = pytest.mark.promise("state")

KEY = SegmentKey("1", "2", IdentifierType.EMAIL, Hashing.SHA256)
ONE = SnapshotRef("0001", 1)
LAPSED = ResourceState(Address("email", "lapsed"), SegmentState(KEY, confirmed=ONE))
LOYAL = ResourceState(Address("email", "loyal"), SegmentState(KEY))
MARK = b"someone@example.com"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    cache = tmp_path / "cache"
    cache.write_text("members")
    with LocalStore(tmp_path / "state", "sandbox").lock("me") as writer:
        writer.store_snapshot(ONE, str(cache))
        writer.write(LAPSED)
        writer.write(LOYAL)
    return tmp_path / "state"


@pytest.mark.parametrize(
    "content", [b"", b'{"format_version": 1', b"{}", b"\xff\x00" + MARK, b'"' + MARK + b'"']
)
def test_resource_states_that_can_not_be_read_are_all_named(state: Path, content: bytes) -> None:
    broken = [state / "resources" / f"email.{name}.json" for name in ("lapsed", "loyal")]
    for file in broken:
        file.write_bytes(content)
    with pytest.raises(StorageError, match="2 of 2 resource states") as caught:
        LocalStore(state, "sandbox").reader().resources()
    messages = [str(finding) for finding in caught.value.findings]
    assert [
        str(file) in text and "from a backup" in text for file, text in zip(broken, messages, strict=True)
    ] == [True, True]
    assert not any(MARK.decode() in text for text in (*messages, str(caught.value)))


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("resources/email.lapsed.json", b'"count": 1', b'"count": 2'),
        ("resources/email.lapsed.json", b'"account_id": "1"', b'"account_id": "7"'),
        ("head.json", b'"serial": 1', b'"serial": 9'),
    ],
)
def test_a_changed_digit_is_refused(state: Path, file: str, before: bytes, after: bytes) -> None:
    content = (state / file).read_bytes()
    assert content.count(before) == 1
    (state / file).write_bytes(content.replace(before, after))
    with pytest.raises(StorageError) as caught:
        LocalStore(state, "sandbox").reader().resources()
    messages = [str(finding) for finding in caught.value.findings] or [str(caught.value)]
    assert file in messages[0]
    assert "checksum does not match" in messages[0]


def test_one_damaged_resource_state_stops_prune(state: Path) -> None:
    (state / "resources" / "email.lapsed.json").write_bytes(b"{")
    with LocalStore(state, "sandbox").lock("me") as writer:
        with pytest.raises(StorageError):
            writer.prune()
        assert writer.snapshot_file(ONE)


def test_a_resource_state_under_the_name_of_another_is_refused(state: Path) -> None:
    resources = state / "resources"
    (resources / "email.copy.json").write_bytes((resources / "email.loyal.json").read_bytes())
    with pytest.raises(StorageError) as caught:
        LocalStore(state, "sandbox").reader().resources()
    assert "email.copy.json" in str(caught.value.findings[0])
    assert "another address" in str(caught.value.findings[0])


def test_newer_formats_are_not_changed(state: Path) -> None:
    head = state / "head.json"
    head.write_bytes(dump({"format_version": FORMAT_VERSION + 1, "surprise": 1}))
    before = {path: path.read_bytes() for path in state.rglob("*.json")}
    store = LocalStore(state, "sandbox")
    with pytest.raises(StorageError, match=rf"head\.json: format version {FORMAT_VERSION + 1}") as caught:
        store.reader()
    assert "newer" in caught.value.remedy
    with pytest.raises(StorageError, match="format version"), store.lock("me"):
        pass
    assert {path: path.read_bytes() for path in state.rglob("*.json")} == before


def test_the_state_of_another_environment_is_refused(state: Path) -> None:
    store = LocalStore(state, "production")
    with pytest.raises(StorageError, match="is the state of sandbox, not of production"):
        store.reader()
    with pytest.raises(StorageError, match="is the state of sandbox"), store.lock("me"):
        pass
    with LocalStore(state, "sandbox").lock("me"):  # the refusal left no lock
        pass


@pytest.mark.parametrize("name", ["head.json", "key"])
def test_a_missing_part_is_reported(state: Path, name: str) -> None:
    (state / name).unlink()
    with pytest.raises(StorageError, match=f"{name} is missing"):
        LocalStore(state, "sandbox").reader().key()
    with (
        pytest.raises(StorageError, match=f"{name} is missing"),
        LocalStore(state, "sandbox").lock("me") as writer,
    ):
        writer.begin_run()


def everything(state: Path) -> object:
    reader = LocalStore(state, "sandbox").reader()
    return reader.key(), reader.resources()


@pytest.mark.parametrize("name", ["head.json", "key", "resources/email.lapsed.json"])
def test_a_pipe_is_refused_without_blocking(state: Path, name: str) -> None:
    (state / name).unlink()
    os.mkfifo(state / name)
    with pytest.raises(StorageError) as caught:
        everything(state)
    messages = [str(caught.value), *map(str, caught.value.findings)]
    assert any(f"{name}: it is not a regular file" in text for text in messages)


def test_a_key_cut_short_is_refused(state: Path) -> None:
    (state / "key").write_bytes(MARK)
    with pytest.raises(StorageError, match="32 bytes"):
        LocalStore(state, "sandbox").reader().key()


@pytest.mark.parametrize("left", [None, b""])
def test_a_missing_or_empty_snapshot_is_reported(state: Path, left: bytes | None) -> None:
    snapshot = state / "snapshots" / "0001"
    snapshot.unlink()
    if left is not None:
        snapshot.write_bytes(left)
    with pytest.raises(StorageError, match="0001: a snapshot is missing") as caught:
        LocalStore(state, "sandbox").reader().snapshot_file(ONE)
    assert "run again" in caught.value.remedy


@pytest.mark.parametrize("digest", ["../key", "..", "", "a/b", "/etc/passwd", "a" * 129, "ä"])
def test_a_digest_never_leads_out_of_the_state(state: Path, digest: str) -> None:
    with LocalStore(state, "sandbox").lock("me") as writer:
        with pytest.raises(StorageError):
            writer.snapshot_file(SnapshotRef(digest, 1))
        with pytest.raises(StorageError):
            writer.store_snapshot(SnapshotRef(digest, 1), str(state / "key"))


@pytest.mark.parametrize("name", ["..", "", "a.b", "a/b", "A", "-a", "a" * 64])
def test_an_address_never_leads_out_of_the_state(state: Path, name: str) -> None:
    with LocalStore(state, "sandbox").lock("me") as writer:
        for address in (Address(name, "a"), Address("a", name)):
            with pytest.raises(StorageError):
                writer.write(ResourceState(address, SegmentState(KEY)))


def test_a_missing_file_to_store_is_named(state: Path) -> None:
    with LocalStore(state, "sandbox").lock("me") as writer:
        with pytest.raises(StorageError, match="nowhere"):
            writer.store_snapshot(SnapshotRef("0002", 1), "nowhere")
        assert not (state / "snapshots" / "0002").exists()


def test_a_state_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(MARK)
    with pytest.raises(StorageError, match="state"), LocalStore(tmp_path / "state", "sandbox").lock("me"):
        pass


@pytest.mark.parametrize(
    ("code", "reason", "remedy"),
    [
        (errno.ENOSPC, "the disk is full", "free disk space"),
        (errno.EDQUOT, "quota", "free disk space"),
        (errno.EACCES, "permission denied", "the right to read and write"),
        (errno.EROFS, "read-only", "`state`"),
        (errno.EIO, "Input/output error", "check the disk"),
        (None, "Input/output error", "check the disk"),
    ],
)
def test_system_errors_have_a_fix(state: Path, code: int | None, reason: str, remedy: str) -> None:
    def refuse(call: str) -> None:
        if call == "replace":
            raise OSError(code, MARK.decode()) if code else OSError

    with (
        LocalStore(state, "sandbox").lock("me") as writer,
        watched(refuse),
        pytest.raises(StorageError, match=reason) as caught,
    ):
        writer.write(LAPSED)
    assert remedy in caught.value.remedy
    assert str(state) in caught.value.problem
    assert MARK.decode() not in str(caught.value)


def test_an_unfinished_signature_still_says_that_the_state_is_held(state: Path) -> None:
    handle = os.open(state / "lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(LockedError, match="it has just begun"), LocalStore(state, "sandbox").lock("me"):
        pass
    os.close(handle)


def test_a_lock_ends_with_its_run_even_if_a_child_process_has_inherited_the_handle(state: Path) -> None:
    def is_lock(handle: int) -> bool:
        try:
            return os.path.sameopenfile(handle, known)
        except OSError:
            return False

    known = os.open(state / "lock", os.O_RDONLY)
    with LocalStore(state, "sandbox").lock("me"):
        inherited = [os.dup(handle) for handle in range(known + 1, 256) if is_lock(handle)]
    assert inherited
    with LocalStore(state, "sandbox").lock("me"):
        pass
    for handle in (known, *inherited):
        os.close(handle)


@pytest.mark.parametrize("address", [Address("email", "Loyal"), Address("e/mail", "loyal"), Address("", "a")])
def test_an_address_that_no_file_can_be_named_after_is_refused_with_the_fix(
    state: Path, address: Address
) -> None:
    other = ResourceState(address, SegmentState(KEY))
    with LocalStore(state, "sandbox").lock("me") as writer, pytest.raises(StorageError) as caught:
        writer.write(other)
    assert "has a name that no state can have" in caught.value.problem
    assert "from a backup" in caught.value.remedy
    (state / "resources" / "email.loyal.json").write_bytes(dump(encode_resource(other)))
    with pytest.raises(StorageError) as caught:
        LocalStore(state, "sandbox").reader().resources()
    [finding] = caught.value.findings
    assert "email.loyal.json" in str(finding)
    assert "has a name that no state can have" in str(finding)
    assert "from a backup" in str(finding)
