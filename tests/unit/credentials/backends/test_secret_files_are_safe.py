"""Files with a token: checked to be writable before the token is spent, and shared by all references."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from reconciler.clock import StopSignal
from reconciler.consent_flow import KEY_LENGTH, _key
from reconciler.core.errors import AuthenticationError, LockedError
from reconciler.core.secret import Secret
from reconciler.credentials.backends.file import FileBackend
from reconciler.disk.atomic import create_file, remove_temporary_files

pytestmark = pytest.mark.promise("credentials")

CRAMPED = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from reconciler.core.errors import StorageError
from reconciler.credentials.backends.file import FileBackend
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with FileBackend(Path(sys.argv[1])).lock("token"):
        print("spends it")
except StorageError as error:
    print(error.problem)
"""


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("first")
    file.chmod(0o600)
    return file


def test_a_disk_without_room_is_found_out_while_the_lock_is_taken(token: Path) -> None:
    """The limit simulates a full disk: the lock's few bytes still fit."""
    done = subprocess.run(
        [sys.executable, "-c", CRAMPED, str(token.parent)], capture_output=True, text=True, check=True
    )
    assert "the file is larger than this process may write" in done.stdout
    assert token.read_text() == "first"
    assert {path.name for path in token.parent.iterdir()} == {"token", ".token.lock"}


def test_a_folder_that_is_not_there_is_made_with_the_command_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuthenticationError) as caught, FileBackend(tmp_path).lock("some/where/token"):
        pass
    assert caught.value.remedy == "mkdir -p some/where"


def test_all_that_link_to_a_file_share_its_lock_and_its_content(token: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / "token").symlink_to(token)
    with FileBackend(one).lock("token"), pytest.raises(LockedError), FileBackend(other).lock("token"):
        pass
    with FileBackend(one).lock("token"):
        FileBackend(one).store("token", Secret("second"))
    assert FileBackend(other).fetch("token").reveal() == "second"
    assert (one / "token").is_symlink()


def test_a_cleanup_keeps_unfinished_writes_of_others(tmp_path: Path) -> None:
    names = [".token.abcdefgh.tmp", ".token.old.abcdefgh.tmp", ".token.tmp", "token", ".other.abcdefgh.tmp"]
    for name in names:
        (tmp_path / name).touch()
    remove_temporary_files(tmp_path, "token")
    assert {path.name for path in tmp_path.iterdir()} == set(names[1:])


def _found(root: Path, found: list[bytes]) -> None:
    found.append(_key(root))


def test_of_many_that_make_one_key_all_get_the_same(tmp_path: Path) -> None:
    for round_ in range(20):
        found: list[bytes] = []
        root = tmp_path / str(round_)
        threads = [threading.Thread(target=_found, args=(root, found)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(found), len(set(found)), len(found[0])) == (4, 1, KEY_LENGTH)


def test_what_was_created_first_stays(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        create_file(tmp_path / "key", content)
    assert (tmp_path / "key").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_second_stop_request_waits_for_a_token_to_be_saved() -> None:
    stop, begun, done = StopSignal(), threading.Event(), threading.Event()

    def renew() -> None:
        with stop.critical_section():
            begun.set()
            time.sleep(0.2)
            done.set()

    threading.Thread(target=renew).start()
    begun.wait()
    stop.wait_until_idle(0.01)
    assert not done.is_set(), "it is not waited for forever"
    stop.wait_until_idle(10)
    assert done.is_set()
