"""Object stores that can be had on this machine and honour conditional writes, each on a server of its own.

S3 is moto's server, Azure is Azurite, Microsoft's own emulator, from npm. Google Cloud Storage is not here:
obstore speaks its XML API, where fake-gcs-server 1.54 refuses every PUT that isn't a signed URL's (400,
"invalid uploadType") and gcp-storage-emulator 2026.7.19 knows neither lists nor preconditions.
"""

import base64
import hashlib
import hmac
import os
import secrets
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import httpx
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from obstore.store import MemoryStore, ObjectStore, from_url
from support.fakes import wsgi_server as loopback
from support.fakes.secret_backends import leading_to, one_at_a_time

AZURITE = Path(os.environ.get("AZURITE") or Path(__file__).parents[3] / ".azurite")
"""Where `npm install --prefix .azurite azurite@3.35.0` has put it: the newest that runs on Node 20."""

ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Published by Microsoft, the same in every Azurite."""

MOTO = one_at_a_time(DomainDispatcherApplication(create_backend_app))
"""One for all servers of this process: so is what moto remembers."""


@dataclass(frozen=True, slots=True)
class Served:
    """A folder of its own. With `environ` alone, `from_url(url)` opens `store` again.

    A store made from an environment alone may have no repr: obstore panics on Azure's. `requests` are those
    that the server has answered; Azurite notes them a moment later.
    """

    url: str
    environ: Mapping[str, str]
    store: ObjectStore = field(repr=False)
    requests: list[str] = field(default_factory=list)

    def opened(self, url: str) -> ObjectStore:
        """Another place on the same server, whether or not it exists."""
        return opened(url, self.environ)


@contextmanager
def memory() -> Iterator[Served]:
    """Return a store without a server, which no other process can open."""
    yield Served("memory:///", {}, MemoryStore())


@contextmanager
def s3() -> Iterator[Served]:
    """Return a new bucket. Servers of one process answer one request at a time."""
    requests: list[str] = []
    with loopback.serving(noting(MOTO, requests)) as server:
        environ = {**leading_to(server), "AWS_ALLOW_HTTP": "true"}
        bucket = f"bucket-{uuid.uuid4().hex}"
        administrator = boto3.client(
            "s3",
            endpoint_url=server,
            region_name=environ["AWS_REGION"],
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        )
        administrator.create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": environ["AWS_REGION"]}
        )
        try:
            url = f"s3://{bucket}/state"
            yield Served(url, environ, opened(url, environ), requests)
        finally:
            everything = opened(f"s3://{bucket}", environ)
            everything.delete([one["path"] for one in everything.list().collect()])
            administrator.close()


def noting(app: Callable[..., Any], requests: list[str]) -> Callable[..., Any]:
    """Return the same application, which notes method, path and query of each request."""

    def note(environ: Any, start: Any) -> Any:
        requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}")
        return app(environ, start)

    return note


@contextmanager
def in_a_short_bucket() -> Iterator[Served]:
    """As `s3`, with a short name: manifests refuse names with a long number."""
    with s3() as served:
        environ, url = served.environ, f"s3://acme-{secrets.token_hex(4)}/state"
        administrator = boto3.client(
            "s3",
            endpoint_url=environ["AWS_ENDPOINT_URL"],
            region_name=environ["AWS_REGION"],
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        )
        name, region = url.split("/")[2], {"LocationConstraint": environ["AWS_REGION"]}
        administrator.create_bucket(Bucket=name, CreateBucketConfiguration=region)
        administrator.close()
        try:
            yield Served(url, environ, served.opened(url), served.requests)
        finally:
            everything = served.opened(f"s3://{name}")
            everything.delete([one["path"] for one in everything.list().collect()])


@contextmanager
def azure() -> Iterator[Served]:
    """Return a new container; skips the test if Azurite isn't installed."""
    with azurite() as server:
        container = f"container-{uuid.uuid4().hex}"
        create_container(server, container)
        environ = {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY,
            "AZURE_STORAGE_ENDPOINT": f"{server}/{ACCOUNT}",
            "AZURE_ALLOW_HTTP": "true",
        }
        url = f"az://{container}/state"
        yield Served(url, environ, opened(url, environ))


SERVERS = (s3, azure)
BUCKETS = (memory, *SERVERS)


def opened(url: str, environ: Mapping[str, str]) -> ObjectStore:
    """As from_url in an environment of which nothing else matters."""
    if url.startswith("memory:"):
        return MemoryStore()
    config = {name.lower(): value for name, value in environ.items() if not name.endswith("_ALLOW_HTTP")}
    return from_url(url, config=config, client_options={"allow_http": True})


@contextmanager
def azurite() -> Iterator[str]:
    """Return the base URL of Azurite: on a free port, in memory, without telemetry."""
    program, node = AZURITE / "node_modules/azurite/dist/src/blob/main.js", shutil.which("node")
    if node is None or not program.exists():
        pytest.skip(f"Azurite is not installed: npm install --prefix {AZURITE.name} azurite@3.35.0")
    options = ("--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry")
    place = ("--blobHost", "127.0.0.1", "--blobPort", "0")
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            [node, str(program), *options, *place],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
        ) as process,
    ):
        try:
            yield listening(process)
        finally:
            process.terminate()
            process.wait()


def listening(process: subprocess.Popen[str]) -> str:
    """Wait for its one line with the port."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "successfully listens on" in line:
            return line.split()[-1]
    raise AssertionError(f"Azurite ended before it listened: {''.join(said)}")


def create_container(server: str, container: str) -> None:
    """Create a container: obstore can't. "Create Container", signed with the account's key."""
    date, version = f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S GMT}", "2021-08-06"
    resource = f"/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
    signed = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{version}\n{resource}"
    digest = hmac.new(base64.b64decode(ACCOUNT_KEY), signed.encode(), hashlib.sha256).digest()
    headers = {
        "x-ms-date": date,
        "x-ms-version": version,
        "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
    }
    url = f"{server}/{ACCOUNT}/{container}?restype=container"
    httpx.put(url, headers=headers).raise_for_status()
