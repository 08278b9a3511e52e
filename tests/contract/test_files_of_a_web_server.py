"""Files of a web server are read over TLS: whole, of one version, and without redirects."""

import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from support.fakes import wsgi_server as loopback
from support.faulty_proxy import CERTIFICATES
from werkzeug.wrappers import Request, Response

from reconciler.core.errors import ConfigurationError, StorageError
from reconciler.core.model import SourceLocation as At
from reconciler.members import bucket_mirror, https_files
from reconciler.members.bucket_mirror import Mirror
from reconciler.members.data_root import SourceChangedError, open_root
from reconciler.members.https_files import https_root
from reconciler.members.sources import locate

pytestmark = pytest.mark.promise("members")

AT = At("a.yaml", 3, 5)
PEOPLE = b"email\na@example.com\n"


@dataclass
class Files:
    """A web server. `answer` may replace what it answers."""

    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    answer: Callable[[Request, Response], Response | None] = lambda _request, _sound: None

    def __call__(self, environ: object, start: object) -> object:
        request = Request(environ)
        self.requests.append(f"{request.method} {request.path}")
        sound = self._sound(request)
        return (self.answer(request, sound) or sound)(environ, start)

    def _sound(self, request: Request) -> Response:
        content = self.files.get(request.path)
        if content is None:
            return Response(status=404)
        answer = Response(content, headers={"Last-Modified": "Fri, 27 Nov 2026 06:00:00 GMT"})
        answer.set_etag(self.tags.get(request.path, f"v{hash(content)}"))
        answer.accept_ranges = "bytes"
        return answer.make_conditional(request, accept_ranges=True, complete_length=len(content))


@pytest.fixture
def files() -> Files:
    return Files({"/daily/people.csv": PEOPLE, "/daily/a b/100%.csv": PEOPLE})


@pytest.fixture
def url(files: Files, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "good.pem", CERTIFICATES / "key.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "authority.pem"))
    monkeypatch.setattr(https_files, "SECONDS", 5.0)
    with loopback.serving(files, context) as server:
        yield f"{server}/daily"


def opened(url: str, folder: Path) -> Mirror:
    folder.mkdir(exist_ok=True)
    return https_root(url, folder, lambda: None, "environment.yaml:7:9")


def test_files_are_as_they_are_there_with_their_time(url: str, files: Files, tmp_path: Path) -> None:
    root = opened(url, tmp_path / "a")
    found = locate(root, ["people.csv", "a b/100%.csv"], AT)
    assert [one.read_bytes() for one in found] == [PEOPLE, PEOPLE]
    assert datetime.fromtimestamp(found[0].stat().st_mtime, UTC) == datetime(2026, 11, 27, 6, tzinfo=UTC)
    assert found[0].stat().st_mode & 0o077 == 0
    locate(root, ["people.csv"], AT)
    assert sorted(files.requests).count("GET /daily/people.csv") == 1


def test_unchanged_files_are_known_by_their_tag_without_reading_them(
    url: str, files: Files, tmp_path: Path
) -> None:
    def seen() -> object:
        return opened(url, tmp_path / "a").identities("people.csv")

    [before] = seen()
    assert before.path == f"{url}/people.csv"
    assert seen() == (before,)
    files.files["/daily/people.csv"] = PEOPLE.replace(b"a@", b"b@")
    assert seen() != (before,)
    files.tags["/daily/people.csv"] = "same"
    assert {one.split()[0] for one in files.requests} == {"HEAD"}


def test_a_file_that_is_not_there_matches_nothing(url: str, tmp_path: Path) -> None:
    root = opened(url, tmp_path / "a")
    assert root.matching("nowhere.csv") == []
    with pytest.raises(ConfigurationError) as refused:
        locate(root, ["nowhere.csv"], AT)
    assert "no file matches nowhere.csv" in str(refused.value.findings[0])


@pytest.mark.parametrize("pattern", ["*.csv", "**/people.csv", "peopl?.csv"])
def test_a_pattern_with_a_wildcard_is_refused_where_it_is_declared(
    pattern: str, url: str, files: Files, tmp_path: Path
) -> None:
    root = opened(url, tmp_path / "a")
    assert root.identities(pattern) == ()
    with pytest.raises(ConfigurationError) as refused:
        locate(root, [pattern], AT)
    [finding] = refused.value.findings
    assert str(finding).startswith("a.yaml:3:5: a web server has no listing of its files")
    assert files.requests == []


def test_two_columns_of_a_parquet_file_are_brought_by_ranges(
    url: str, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, limit in {"SMALL": 4_000, "TAIL": 1_000, "GAP": 100}.items():
        monkeypatch.setattr(bucket_mirror, name, limit)
    export = tmp_path / "export.parquet"
    noise = ", ".join(f"md5(i || 'n{number}') AS c{number}" for number in range(20))
    duckdb.execute(f"COPY (SELECT {noise}, i AS id FROM range(3000) t(i)) TO '{export}' (FORMAT parquet)")
    files.files["/daily/export.parquet"] = export.read_bytes()
    root = opened(url, tmp_path / "a")
    [file] = locate(root, ["export.parquet"], AT)
    assert not root.is_whole(file)
    assert duckdb.execute(f"SELECT count(*) FROM '{file}'").fetchone() == (3000,)


def replaced(files: Files) -> None:
    files.files["/daily/people.csv"] = PEOPLE.replace(b"a@", b"b@")


def replaced_and_conditions_ignored(files: Files) -> None:
    replaced(files)

    def unconditional(request: Request, _: Response) -> Response | None:
        content = files.files[request.path]
        headers = {"Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}", "ETag": '"another"'}
        return Response(content, 206, headers) if request.method == "GET" else None

    files.answer = unconditional


def removed(files: Files) -> None:
    del files.files["/daily/people.csv"]


def of_another_range(files: Files) -> None:
    def shifted(request: Request, sound: Response) -> Response | None:
        if request.method == "GET":
            sound.headers["Content-Range"] = f"bytes 1-{len(PEOPLE)}/{len(PEOPLE)}"
        return None

    files.answer = shifted


@pytest.mark.parametrize("change", [replaced, replaced_and_conditions_ignored, removed, of_another_range])
def test_an_answer_of_another_version_or_range_is_refused(
    change: Callable[[Files], None], url: str, files: Files, tmp_path: Path
) -> None:
    root = opened(url, tmp_path / "a")
    found = root.matching("people.csv")
    change(files)
    with pytest.raises(SourceChangedError):
        root.bring(found)


ANSWERS = {
    "redirects": Response(status=302, headers={"Location": "http://example.com/people.csv"}),
    "denies access": Response(status=403),
    "answers 500": Response(status=500),
    "answers no ranges": Response(PEOPLE, 200),
}


@pytest.mark.parametrize("problem", ANSWERS)
def test_other_answers_are_named_and_not_followed(
    problem: str, url: str, files: Files, tmp_path: Path
) -> None:
    root = opened(url, tmp_path / "a")
    found = root.matching("people.csv")
    files.answer = lambda _request, _sound: ANSWERS[problem]
    with pytest.raises(StorageError) as refused:
        root.bring(found)
    assert str(refused.value).startswith(f"environment.yaml:7:9: the web server of data.root {problem}")
    assert "example.com" not in str(refused.value)


@pytest.mark.parametrize("headers", [{"Content-Encoding": "gzip"}, {}])
def test_a_server_that_states_no_size_is_refused(
    headers: dict[str, str], url: str, files: Files, tmp_path: Path
) -> None:
    def without(_: Request, sound: Response) -> None:
        sound.headers.update(headers)
        if not headers:
            sound.headers.remove("Content-Length")
            sound.automatically_set_content_length = False

    files.answer = without
    with pytest.raises(StorageError, match="does not state the size of a file"):
        opened(url, tmp_path / "a").matching("people.csv")


def test_an_answer_without_end_is_cut_off(url: str, files: Files, tmp_path: Path) -> None:
    root = opened(url, tmp_path / "a")
    found = root.matching("people.csv")
    endless = (b"x" * (1 << 20) for _ in range(64))
    files.answer = lambda _request, _sound: Response(endless, 206)
    with pytest.raises(StorageError, match="answers no ranges"):
        root.bring(found)


def test_a_server_that_stops_in_the_middle_is_given_up(
    url: str, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https_files, "SECONDS", 0.3)
    monkeypatch.setattr(https_files, "ATTEMPTS", 1)
    root = opened(url, tmp_path / "a")
    files.answer = lambda _request, _sound: time.sleep(1)
    with pytest.raises(StorageError, match="does not answer"):
        root.matching("people.csv")


def test_a_server_without_a_trusted_certificate_gets_no_request(
    url: str, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(StorageError, match="does not answer"):
        opened(url, tmp_path / "a").matching("people.csv")
    assert files.requests == []


@pytest.mark.parametrize(
    "url",
    ["https://", "https://user:word@example.com/x", "https://example.com/x?token=1", "https://e.com/a#b"],
)
def test_an_address_with_more_than_a_folder_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no address of a folder on a web server"):
        opened(url, tmp_path / "a")


def test_the_scheme_is_https(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="http:// can't be read"):
        open_root("http://example.com/daily", lambda: tmp_path, lambda: None)
    assert isinstance(open_root("https://example.com/daily", lambda: tmp_path, lambda: None), Mirror)
