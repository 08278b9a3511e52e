"""State in an object store needs conditional writes: of two writes with one expected version, one fails.

Asked of obstore, so that a new version of it or of a server is asked again. What differs between stores is
written down too, as far as a program that works with all of them must know.
"""

import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from obstore.exceptions import AlreadyExistsError, GenericError, PreconditionError
from obstore.store import GCSStore, ObjectStore
from support.fakes import object_stores as buckets
from support.fakes.object_stores import Served

ROUNDS = 20

WRITE_IN_ANOTHER_PROCESS = """
import sys
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import from_url

store = from_url(sys.argv[1])
read = store.get("head")
assert bytes(read.bytes()) == b"from the test"
version = {"e_tag": read.meta["e_tag"]}
try:
    store.put("head", b"", mode="create")
except AlreadyExistsError:
    store.put("head", b"from the process", mode=version)
try:
    store.put("head", b"late", mode=version)
except PreconditionError:
    print("refused")
"""


@pytest.fixture(scope="module", params=buckets.BUCKETS, ids=lambda bucket: bucket.__name__)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with request.param() as served:
        yield served


@pytest.fixture(scope="module", params=buckets.SERVERS, ids=lambda bucket: bucket.__name__)
def server(request: pytest.FixtureRequest) -> Iterator[Served]:
    with request.param() as served:
        yield served


@pytest.fixture
def store(served: Served) -> ObjectStore:
    return served.store


@pytest.fixture
def path() -> str:
    return f"{uuid.uuid4().hex}/head"


def version(result: Mapping[str, Any]) -> dict[str, str]:
    """What the next write expects: whatever the store named, since each compares another of the two."""
    return {name: result[name] for name in ("e_tag", "version") if result.get(name) is not None}


def read(store: ObjectStore, path: str) -> bytes:
    return bytes(store.get(path).bytes())


def test_what_is_there_is_not_created_again(store: ObjectStore, path: str) -> None:
    store.put(path, b"one", mode="create")
    with pytest.raises(AlreadyExistsError):
        store.put(path, b"two", mode="create")
    assert read(store, path) == b"one"


def test_what_was_deleted_is_created_again(store: ObjectStore, path: str) -> None:
    store.put(path, b"one", mode="create")
    store.delete(path)
    store.put(path, b"two", mode="create")
    assert read(store, path) == b"two"


def test_each_update_expects_the_one_before(store: ObjectStore, path: str) -> None:
    first = version(store.put(path, b"one", mode="create"))
    second = version(store.put(path, b"two", mode=first))
    third = version(store.put(path, b"three", mode=second))
    assert len({str(one) for one in (first, second, third)}) == 3
    assert read(store, path) == b"three"


def test_an_update_of_an_older_version_is_refused(store: ObjectStore, path: str) -> None:
    stale = version(store.put(path, b"one", mode="create"))
    store.put(path, b"two", mode=stale)
    with pytest.raises(PreconditionError):
        store.put(path, b"three", mode=stale)
    assert read(store, path) == b"two"


def test_an_update_of_what_was_deleted_is_refused(store: ObjectStore, path: str) -> None:
    before = version(store.put(path, b"one", mode="create"))
    store.delete(path)
    with pytest.raises(PreconditionError):
        store.put(path, b"two", mode=before)
    with pytest.raises(FileNotFoundError):
        store.get(path)


def test_equal_contents_differ_by_their_nonce(store: ObjectStore, path: str) -> None:
    first = version(store.put(path, b"held 1"))
    second = version(store.put(path, b"held 2", mode=first))
    assert first != second
    with pytest.raises(PreconditionError):
        store.put(path, b"held 3", mode=first)


def test_without_a_nonce_s3_repeats_a_version(path: str) -> None:
    """Its entity tag is a digest of the content: why there is a nonce."""
    with buckets.s3() as served:
        stale = version(served.store.put(path, b"free"))
        served.store.put(path, b"held", mode=stale)
        served.store.put(path, b"free")
        served.store.put(path, b"lost", mode=stale)
        assert read(served.store, path) == b"lost"


def test_reading_returns_the_version_that_writing_returned(store: ObjectStore, path: str) -> None:
    written = version(store.put(path, b"one"))
    got = store.get(path)
    assert bytes(got.bytes()) == b"one"
    assert version(got.meta) == version(store.head(path)) == written
    store.put(path, b"two", mode=version(got.meta))
    assert read(store, path) == b"two"


def one_of_two_wins(write: Callable[[bytes], object], refusal: type[Exception]) -> bytes:
    """What the winner wrote."""
    start, won, lost = threading.Barrier(2), [], []

    def run(content: bytes) -> None:
        start.wait()
        try:
            write(content)
        except refusal:
            lost.append(content)
        else:
            won.append(content)

    threads = [threading.Thread(target=run, args=(content,)) for content in (b"left", b"right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == len(lost) == 1
    return won[0]


def test_of_two_updates_at_once_one_wins(store: ObjectStore, path: str) -> None:
    for nonce in range(ROUNDS):
        before = version(store.put(path, b"before %d" % nonce))

        def update(content: bytes, before: dict[str, str] = before) -> None:
            store.put(path, content, mode=before)

        assert one_of_two_wins(update, PreconditionError) == read(store, path)


def test_of_two_creations_at_once_one_wins(store: ObjectStore, path: str) -> None:
    for number in range(ROUNDS):

        def create(content: bytes, place: str = f"{path}{number}") -> None:
            store.put(place, content, mode="create")

        assert one_of_two_wins(create, AlreadyExistsError) == read(store, f"{path}{number}")


def test_a_list_holds_whole_folders_only(store: ObjectStore) -> None:
    folder = uuid.uuid4().hex
    for name in (f"{folder}/a", f"{folder}/b/c", f"{folder}more/d"):
        store.put(name, b"x")
    listed = store.list(folder).collect()
    assert sorted(one["path"] for one in listed) == [f"{folder}/a", f"{folder}/b/c"]
    level = store.list_with_delimiter(folder)
    assert [one["path"] for one in level["objects"]] == [f"{folder}/a"]
    assert list(level["common_prefixes"]) == [f"{folder}/b"]
    assert store.list("nothing").collect() == []


def test_a_list_shows_the_last_write_at_once(store: ObjectStore, path: str) -> None:
    folder = path.partition("/")[0]
    store.put(path, b"x")
    assert [one["path"] for one in store.list(folder).collect()] == [path]
    store.delete(path)
    assert store.list(folder).collect() == []


def test_what_is_missing_is_said_to_be(store: ObjectStore, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        store.get(path)
    with pytest.raises(FileNotFoundError):
        store.head(path)


def test_what_was_deleted_is_missing(store: ObjectStore, path: str) -> None:
    store.put(path, b"one")
    store.delete(path)
    with pytest.raises(FileNotFoundError):
        store.get(path)


def test_deleting_what_is_missing_may_be_refused(served: Served, path: str) -> None:
    """In Azure it is, as a missing file; in S3 and in memory it is not."""
    if served.url.startswith("az:"):
        with pytest.raises(FileNotFoundError):
            served.store.delete(path)
    else:
        served.store.delete(path)


def test_a_missing_bucket_accepts_no_write(server: Served) -> None:
    missing = server.opened(f"{server.url.partition(':')[0]}://not-there/state")
    with pytest.raises(FileNotFoundError):
        missing.put("head", b"x", mode="create")
    refusals = (FileNotFoundError, PreconditionError)  # S3: the latter, as if somebody had been faster
    with pytest.raises(refusals):
        missing.put("head", b"x", mode={"e_tag": '"0"'})


def test_a_missing_bucket_looks_empty_until_it_is_listed(server: Served) -> None:
    missing = server.opened(f"{server.url.partition(':')[0]}://not-there/state")
    with pytest.raises(FileNotFoundError):
        missing.get("head")
    with pytest.raises(GenericError, match="404"):
        missing.list().collect()


def test_another_process_needs_the_environment_alone(server: Served) -> None:
    server.store.put("head", b"from the test")
    command = [sys.executable, "-c", WRITE_IN_ANOTHER_PROCESS, server.url]
    ran = subprocess.run(command, env=dict(server.environ), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "refused\n", "")
    assert read(server.store, "head") == b"from the process"


def test_google_compares_generations_and_no_entity_tags() -> None:
    """Refused before anything is sent: a version must be kept whole, as `version` above keeps it."""
    config = {"bearer_token": "token", "base_url": "http://127.0.0.1:9"}
    store = GCSStore("bucket", config=config, client_options={"allow_http": True})
    with pytest.raises(GenericError, match="Version required"):
        store.put("head", b"x", mode={"e_tag": '"0"'})
