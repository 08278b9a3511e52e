"""Files of a web server: named one by one, identified by their entity tags, and brought by ranges.

Only `https`, without redirects. A server must state the size of a file and answer ranges of it. Each answer
must be the asked range of the known version.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import time_ns
from typing import NoReturn
from urllib.parse import quote

import httpx

from reconciler.buckets.source_objects import (
    MAGIC,
    PIECE,
    ObjectChangedError,
    Scope,
    SourceObject,
    strong_tag,
)
from reconciler.core.errors import ConfigurationError, StorageError
from reconciler.members.bucket_mirror import Mirror
from reconciler.members.data_root import NoListingError
from reconciler.web.deadline import Routes
from reconciler.web.size_limits import Bounded, TooLargeError

SCHEME = "https://"
LARGEST = 1 << 40
"""Bytes of one file."""
SECONDS, CONNECT_SECONDS = 60.0, 10.0
"""For one request, from the connection to the last byte of its answer."""
ATTEMPTS = 3
KEPT = frozenset({b"content-encoding", b"content-length", b"content-range", b"etag", b"last-modified"})
_ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")
_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})")
_LATER = frozenset({408, 429, 500, 502, 503, 504})


def is_web(place: str) -> bool:
    """Return whether a location is on a web server."""
    return place.startswith(SCHEME)


def https_root(url: str, folder: Path, check: Callable[[], None], where: str = "") -> Mirror:
    """Raise ConfigurationError for an address of no folder. `where` it stands, for messages."""
    if not _ADDRESS.fullmatch(url):
        raise ConfigurationError(
            f"{where}: this is no address of a folder on a web server",
            remedy="write https://HOST/FOLDER, without a login, a query or a fragment",
        )
    try:
        transport = Bounded(Routes(), PIECE, KEPT)
    except (OSError, ValueError):
        raise ConfigurationError(
            "SSL_CERT_FILE, SSL_CERT_DIR or HTTPS_PROXY is not usable",
            remedy="name a file in PEM format and the address of a proxy, or unset them",
        ) from None
    return Mirror(WebFiles(url.rstrip("/"), transport, where), folder, check, url, time_ns)


class WebFiles:
    """Asks for files below an address. Raises StorageError."""

    def __init__(self, url: str, transport: httpx.BaseTransport, where: str) -> None:
        self._url = url
        self._where = where
        self._http = httpx.Client(
            transport=transport,
            timeout=httpx.Timeout(SECONDS, connect=CONNECT_SECONDS),
            headers={"Accept-Encoding": "identity", "User-Agent": "criteo-reconciler"},
            trust_env=False,
            follow_redirects=False,
        )

    def scope(self, wanted: Sequence[str]) -> Scope:
        """Return the parts of a path. Raises NoListingError for a wildcard."""
        if any(MAGIC & set(part) for part in wanted):
            raise NoListingError
        return tuple(wanted)

    def listed(self, scope: Scope) -> tuple[SourceObject, ...]:
        """Return the one file of a path as the server states it, if there is one."""
        path = "/".join(scope)
        answer = self._asked("HEAD", path, {})
        if answer.status_code in (404, 410):
            return ()
        if answer.status_code != httpx.codes.OK:
            self._refuse(answer.status_code)
        size, packed = answer.headers.get("content-length", ""), answer.headers.get("content-encoding")
        if not size.isdecimal() or len(size) > len(str(LARGEST)) or packed:
            self._fail("does not state the size of a file", "serve files as they are, with Content-Length")
        tag = strong_tag(answer.headers.get("etag"))
        return (SourceObject(path, int(size), _time(answer.headers), tag),)

    def piece(self, export: SourceObject, start: int, end: int) -> bytes:
        """Return the bytes from `start` to before `end`. Raises ObjectChangedError for another version."""
        answer = self._asked("GET", export.path, {**_condition(export), "Range": f"bytes={start}-{end - 1}"})
        if answer.status_code in (404, 410, 412, 416):
            raise ObjectChangedError
        if answer.status_code == httpx.codes.OK:
            self._no_ranges()
        if answer.status_code != httpx.codes.PARTIAL_CONTENT:
            self._refuse(answer.status_code)
        stated = _RANGE.fullmatch(answer.headers.get("content-range", ""))
        same = strong_tag(answer.headers.get("etag")) == export.tag
        asked = (start, end - 1, export.size)
        if (
            not same
            or not stated
            or tuple(map(int, stated.groups())) != asked
            or len(answer.content) != end - start
        ):
            raise ObjectChangedError
        return answer.content

    def _asked(self, method: str, path: str, headers: Mapping[str, str]) -> httpx.Response:
        """Send a request; again if no sound answer comes."""
        url = f"{self._url}/{quote(path)}"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._http.request(method, url, headers=headers)
            except TooLargeError:
                self._no_ranges()
            except httpx.HTTPError:
                if attempt == ATTEMPTS:
                    self._fail("does not answer", "check its address, its certificate and the network")
            else:
                if answer.status_code not in _LATER or attempt == ATTEMPTS:
                    return answer
        raise AssertionError("the last attempt returns or raises")

    def _refuse(self, status: int) -> NoReturn:
        if 300 <= status < 400:
            self._fail("redirects, and redirects are not followed", "name the address that it leads to")
        if status in (401, 403):
            self._fail(
                "denies access", "serve the files without a login to this network, or use an object store"
            )
        self._fail(f"answers {status}", "check the server; then run again")

    def _no_ranges(self) -> NoReturn:
        self._fail("answers no ranges of a file", "let the server answer ranges, or use an object store")

    def _fail(self, problem: str, remedy: str) -> NoReturn:
        at = f"{self._where}: " if self._where else ""
        raise StorageError(f"{at}the web server of data.root {problem}", remedy=remedy) from None


def _time(headers: Mapping[str, str]) -> datetime:
    """Return when a file was written; without a sound time, now: then its identity is never settled."""
    try:
        found = parsedate_to_datetime(headers.get("last-modified", ""))
    except ValueError:
        return datetime.now(UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _condition(export: SourceObject) -> Mapping[str, str]:
    if export.tag:
        return {"If-Match": f'"{export.tag}"'}
    return {"If-Unmodified-Since": f"{export.written_at:%a, %d %b %Y %H:%M:%S} GMT"}
