"""Sources in an object store are read like sources in a folder, over real protocols."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore
from support.fakes import object_stores as buckets
from support.fakes.object_stores import Served

from reconciler.buckets import connection as opening
from reconciler.buckets import source_objects as exports
from reconciler.buckets.connection import BucketLocation, UnreachableError
from reconciler.buckets.source_objects import SourceBucket, SourceObject
from reconciler.core.errors import CancelledError, ConfigurationError, StorageError
from reconciler.core.model import SourceLocation as At
from reconciler.core.reuse import ObjectIdentity
from reconciler.members.bucket_mirror import Mirror, mirror
from reconciler.members.data_root import LocalFolder, SourceChangedError
from reconciler.members.sources import locate

pytestmark = pytest.mark.promise("members")

WHERE = BucketLocation("s3://acme/exports", "create it", "ask for rights", "look at the network")
AT = At("a.yaml", 3, 5)
FILES = {
    "suppressed.csv": b"email\n",
    "customers/2026-11-25.csv": b"email\na@x.com\n",
    "customers/2026-11-26.csv": b"email\nb@x.com\n",
    "customers/_SUCCESS": b"",
    "customers/.part.csv": b"half",
    "customers/old/2025.csv": b"email\n",
    "customers2/2026.csv": b"email\n",
    "deep/a b/\u00e9t\u00e9 100%.csv": b"email\nc@x.com\n",
    "empty.csv": b"",
}
PATTERNS = [
    "suppressed.csv",
    "*.csv",
    "customers/*.csv",
    "customers/2026-11-2[5-9].csv",
    "customers/2026-11-2?.csv",
    "customers/*",
    "*/2026*.csv",
    "**/*.csv",
    "customers/**/*.csv",
    "deep/*/*.csv",
    "deep/a b/\u00e9t\u00e9 100%.csv",
    "./suppressed.csv",
    "customers//*.csv",
    "nowhere/*.csv",
    "customers",
    "Customers/*.csv",
]


class Counting:
    """A store that remembers what it was asked for."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.asked: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(path: str | None = None, **options: Any) -> Any:
            with self._lock:
                self.asked.append((name, path or ""))
            return getattr(self.store, name)(path, **options)

        return call


def filled(store: Any) -> Any:
    for path, content in FILES.items():
        store.put(path, content)
    return store


def mirrored(store: Any, folder: Path, check: Callable[[], None] = lambda: None) -> Mirror:
    return Mirror(SourceBucket(store, WHERE), folder, check, WHERE.url)


@pytest.fixture(scope="module", params=buckets.BUCKETS, ids=lambda bucket: bucket.__name__)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with request.param() as served:
        filled(served.store)
        yield served


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> LocalFolder:
    root = tmp_path_factory.mktemp("local")
    for path, content in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return LocalFolder(root)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_find_the_same_files(
    pattern: str, served: Served, folder: LocalFolder, tmp_path: Path
) -> None:
    root = mirrored(served.store, tmp_path)
    found = {path.relative_to(root.folder) for path in root.matching(pattern)}
    assert found == {path.relative_to(folder.folder) for path in folder.matching(pattern)}


def test_files_are_as_they_are_there(served: Served, tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(minutes=10)
    root = mirrored(served.store, tmp_path)
    for file in locate(root, ["**/*.csv"], AT):
        assert file.read_bytes() == FILES[file.relative_to(root.folder).as_posix()]
        assert file.stat().st_mode & 0o077 == 0
        assert before < datetime.fromtimestamp(file.stat().st_mtime, UTC) < datetime.now(UTC)
    brought = {file.relative_to(root.folder).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert brought == {path for path in FILES if path.endswith(".csv") and "/." not in path}


def test_a_file_of_many_pieces_is_whole(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.members.bucket_mirror.PIECE", 1000)
    for size in (999, 1000, 1001, 10_500):
        content = os.urandom(size)
        served.store.put(f"big/{size}.csv", content)
        root = mirrored(served.store, tmp_path / str(size))
        (file,) = locate(root, [f"big/{size}.csv"], AT)
        assert file.read_bytes() == content


def test_a_file_that_is_replaced_between_two_looks_is_refused(served: Served, tmp_path: Path) -> None:
    served.store.put("moving.csv", b"email\na@x.com\n")
    root = mirrored(served.store, tmp_path)
    (file,) = root.matching("moving.csv")
    served.store.put("moving.csv", b"email\nb@x.com\n")
    with pytest.raises(SourceChangedError):
        root.bring([file])
    served.store.delete("moving.csv")
    with pytest.raises(SourceChangedError):
        root.bring([file])


def test_a_replaced_file_is_named_where_it_is_declared(tmp_path: Path) -> None:
    store = filled(MemoryStore())
    root = mirrored(store, tmp_path)
    root.matching("suppressed.csv")
    store.put("suppressed.csv", b"email\nlater@x.com\n")
    with pytest.raises(ConfigurationError) as refused:
        locate(root, ["suppressed.csv"], AT)
    (finding,) = refused.value.findings
    assert str(finding).startswith("a.yaml:3:5: suppressed.csv changed while it was read")


def test_a_short_answer_is_not_a_file(tmp_path: Path) -> None:
    store = filled(MemoryStore())
    listed = SourceObject("suppressed.csv", 7, datetime.now(UTC), None)
    with pytest.raises(exports.ObjectChangedError):
        SourceBucket(store, WHERE).piece(listed, 0, 7)


def test_each_object_is_downloaded_once_and_each_folder_listed_once(tmp_path: Path) -> None:
    store = Counting(filled(MemoryStore()))
    root = mirrored(store, tmp_path)
    for _ in range(3):
        locate(root, ["customers/*.csv", "suppressed.csv"], AT)
    assert sorted(store.asked) == [
        ("get", "customers/2026-11-25.csv"),
        ("get", "customers/2026-11-26.csv"),
        ("get", "suppressed.csv"),
        ("list_with_delimiter", ""),
        ("list_with_delimiter", "customers"),
    ]


@pytest.mark.parametrize("pattern", ["kept/*.csv", "kept/**/*.csv"])
def test_a_listing_identifies_objects_without_reading_them(
    pattern: str, served: Served, tmp_path: Path
) -> None:
    """Two commands see one identity as long as the object is the same; another content is another one."""

    def seen() -> tuple[ObjectIdentity, ...]:
        store = Counting(served.store)
        found = mirrored(store, tmp_path).identities(pattern)
        assert {name for name, _ in store.asked} <= {"list", "list_with_delimiter"}
        return found

    served.store.put("kept/1.csv", b"email\na@x.com\n")
    served.store.put("kept/_SUCCESS.csv", b"unfinished")
    [before] = seen()
    assert before.path == f"{WHERE.url}/kept/1.csv"
    assert before.tag
    assert seen() == (before,)
    for content in (b"email\nb@x.com\n", b"email\nb@x.com\nc@x.com\n"):
        served.store.put("kept/1.csv", content)
        [after] = seen()
        assert after != before
        before = after
    served.store.put("kept/2.csv", b"email\n")
    assert len(seen()) == 2
    served.store.delete(["kept/1.csv", "kept/2.csv"])
    assert seen() == ()


def test_a_multipart_upload_has_an_identity(tmp_path: Path) -> None:
    with buckets.s3() as served:
        content = b"email\n" + b"a@x.com\n" * 1_000_000
        served.store.put("big.csv", content, use_multipart=True, chunk_size=5 << 20)
        root = Mirror(SourceBucket(served.store, WHERE), tmp_path, lambda: None, WHERE.url)
        [found] = root.identities("big.csv")
        assert found.tag.endswith("-2")
        [file] = locate(root, ["big.csv"], AT)
        assert file.read_bytes() == content


@pytest.mark.parametrize("pattern", ["../x.csv", "/x.csv", "s3://acme/x.csv"])
def test_patterns_that_lead_out_have_no_identity_and_list_nothing(pattern: str, tmp_path: Path) -> None:
    store = Counting(MemoryStore())
    assert mirrored(store, tmp_path).identities(pattern) == ()
    assert store.asked == []


def test_no_more_of_the_store_is_listed_than_patterns_ask_for(tmp_path: Path) -> None:
    store = Counting(filled(MemoryStore()))
    mirrored(store, tmp_path).matching("customers/**/*.csv")
    assert store.asked == [("list", "customers")]


@pytest.mark.parametrize("path", ["../out.csv", "a/../../out.csv", "a//b.csv", "./c.csv", "/etc/d.csv"])
def test_no_key_leads_out_of_the_folder(path: str, tmp_path: Path) -> None:
    """Keys are any text; as paths some would be another file."""
    meta = {"path": path, "size": 1, "last_modified": datetime.now(UTC), "e_tag": None}

    class Hostile:
        def list(self, _: object) -> list[list[dict[str, object]]]:
            return [[meta]]

    assert mirrored(Hostile(), tmp_path).matching("**/*.csv") == []


@pytest.mark.parametrize("pattern", ["customers/**", "**", "**.csv", "a**/b.csv"])
def test_a_pattern_that_means_this_or_that_is_refused(
    pattern: str, folder: LocalFolder, tmp_path: Path
) -> None:
    for root in (folder, mirrored(filled(MemoryStore()), tmp_path)):
        with pytest.raises(ConfigurationError) as refused:
            locate(root, [pattern], AT)
        (finding,) = refused.value.findings
        assert "`**` stands for folders" in finding.problem


def test_a_folder_marker_is_not_a_file(served: Served, tmp_path: Path) -> None:
    """Consoles and Hadoop make such objects: without content, and of the name of the folder."""
    for path in ("marked", "marked/out.csv", "marked/out.csv/part-0.csv"):
        served.store.put(path, b"x" if path.endswith("part-0.csv") else b"")
    root = mirrored(served.store, tmp_path)
    for pattern in ("marked/**/*.csv", "marked/*/*.csv"):
        assert [path.name for path in root.matching(pattern)] == ["part-0.csv"]
    assert root.matching("marked/*.csv") == []


def test_what_the_disk_refuses_names_no_object(tmp_path: Path) -> None:
    store = MemoryStore()
    store.put(f"jane.doe@example.com{'x' * 300}.csv", b"email\n")
    root = mirrored(store, tmp_path)
    with pytest.raises(StorageError, match="can't write") as refused:
        root.bring(root.matching("*.csv"))
    assert "jane" not in str(refused.value)


def test_a_stop_request_ends_a_download_between_pieces(tmp_path: Path) -> None:
    def stopped() -> None:
        raise CancelledError("stopped")

    root = mirrored(filled(MemoryStore()), tmp_path, stopped)
    with pytest.raises(CancelledError):
        root.bring(root.matching("suppressed.csv"))


@pytest.fixture(params=buckets.SERVERS, ids=lambda bucket: bucket.__name__)
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with request.param() as served:
        for name, value in served.environ.items():
            monkeypatch.setenv(name, value)
        yield served


def test_the_address_in_the_manifests_is_enough(server: Served, tmp_path: Path) -> None:
    filled(server.store)
    root = mirror(server.url, tmp_path, lambda: None)
    (file,) = locate(root, ["suppressed.csv"], AT)
    assert file.read_bytes() == FILES["suppressed.csv"]


def test_a_bucket_that_is_not_there_is_named(server: Served, tmp_path: Path) -> None:
    nowhere = f"{server.url.partition(':')[0]}://not-there/exports"
    for pattern in ("a.csv", "**/*.csv"):
        with pytest.raises(UnreachableError, match="there is no such bucket") as refused:
            mirror(nowhere, tmp_path, lambda: None).matching(pattern)
        assert "data: {root" in refused.value.remedy


def test_a_key_that_is_no_path_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with buckets.s3() as served:
        for name, value in served.environ.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3", endpoint_url=served.environ["AWS_ENDPOINT_URL"])
        odd = {"Bucket": served.url.split("/")[2], "Key": "state/a//b.csv"}
        client.put_object(**odd, Body=b"email\n")
        try:
            with pytest.raises(StorageError, match="a key there has a part that is empty"):
                mirror(served.url, tmp_path, lambda: None).matching("**/*.csv")
        finally:
            client.delete_object(**odd)
            client.close()


def test_a_store_that_is_away_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "RETRIES", 0)
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with pytest.raises(
        UnreachableError, match="can't list s3://acme/exports: unexpected response from the store"
    ):
        mirror("s3://acme/exports", tmp_path, lambda: None).matching("a.csv")


@pytest.mark.parametrize("url", ["s3://acme/exports", "az://acme/exports", "gs://acme/exports"])
def test_a_login_that_is_missing_is_named(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No service provides a machine's role here: a proxy refuses at once."""
    for name in [one for one in os.environ if one.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(opening, "RETRIES", 0)
    with pytest.raises(UnreachableError, match="there is no login for it") as refused:
        mirror(url, tmp_path, lambda: None).matching("a.csv")
    assert refused.value.remedy.startswith("set ")


@pytest.mark.parametrize("url", ["s3://", "gs://", "az://"])
def test_an_address_without_a_bucket_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="names no place"):
        mirror(url, tmp_path, lambda: None)


NAMES = st.text("ab*?[].", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
WILD = st.lists(st.one_of(NAMES, st.just("**"), st.just("*")), min_size=1, max_size=4).map("/".join)


def is_clear(pattern: str) -> bool:
    """`locate` refuses others: what they mean depends on the version of Python."""
    return not pattern.endswith("**") and all(part == "**" or "**" not in part for part in pattern.split("/"))


@given(st.sets(PATHS, max_size=8), WILD.filter(is_clear))
@settings(max_examples=300, deadline=None)
def test_patterns_mean_what_they_mean_in_a_folder(paths: set[str], pattern: str) -> None:
    from tempfile import TemporaryDirectory

    store = MemoryStore()
    with TemporaryDirectory() as name:
        local, away = Path(name) / "local", Path(name) / "away"
        local.mkdir()
        for path in sorted(paths):
            with suppress(OSError):  # a file where a folder should be: no folder can hold both
                (local / path).parent.mkdir(parents=True, exist_ok=True)
                (local / path).write_bytes(b"x")
                store.put(path, b"x")
        expected = {path.relative_to(local) for path in LocalFolder(local).matching(pattern)}
        root = mirrored(store, away)
        found = {path.relative_to(root.folder) for path in root.matching(pattern)}
        assert found == expected
