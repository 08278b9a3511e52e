"""Every kind of secret backend, each on its own server or in its own folder."""

import base64
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

import boto3
import httpx
from moto.server import DomainDispatcherApplication, create_backend_app
from support.fakes import vault as fake
from support.fakes import wsgi_server as loopback

from reconciler.core.model import SEALING_KEY, Api, Environment
from reconciler.core.ports import SecretStore
from reconciler.core.secret import Secret
from reconciler.credentials import SecretResolver
from reconciler.credentials.backends.base import WritableBackend
from reconciler.state.secret_store import LocalSecretStore


def places_of(
    environ: Mapping[str, str], root: Path, sealed: SecretStore, sealing_key: str
) -> SecretResolver:
    """Of an environment of which nothing else matters."""
    environment = Environment("sandbox", Api("emulator"), "", "", (), sealing_key=sealing_key)
    return SecretResolver(environ, root, sealed, environment, lambda: None)


KEY = base64.b64encode(bytes(range(32))).decode()


@dataclass(frozen=True, slots=True)
class Place:
    """`put` stores the value like an administrator or an earlier run."""

    root: Path
    reference: str
    missing: str
    environ: Mapping[str, str]
    put: Callable[[str], None]
    private: tuple[str, ...] = field(default=())

    def open(self) -> SecretResolver:
        """Open it like the next process."""
        sealed = LocalSecretStore(self.root / "secrets", lambda: datetime.now(UTC))
        return places_of(self.environ, self.root, sealed, SEALING_KEY)

    def writable(self) -> tuple[WritableBackend, str]:
        return self.open().writable_backend(self.reference)

    def store(self, value: str) -> None:
        backend, name = self.writable()
        with backend.lock(name):
            backend.store(name, Secret(value))

    def fetch(self) -> str:
        return self.open().fetch(self.reference).reveal()


@contextmanager
def in_the_environment(root: Path) -> Iterator[Place]:
    environ: dict[str, str] = {}
    yield Place(root, "env:KEY", "env:OTHER", environ, lambda value: environ.update(KEY=f"{value}\n"))


@contextmanager
def from_a_command(root: Path) -> Iterator[Place]:
    def put(value: str) -> None:
        (root / "the secret").write_text(f"{value}\n")

    yield Place(root, "command:cat 'the secret'", "command:cat nothing", {"PATH": "/usr/bin:/bin"}, put)


@contextmanager
def in_a_file(root: Path) -> Iterator[Place]:
    def put(value: str) -> None:
        (root / "secret").touch(0o600)
        (root / "secret").write_text(f"{value}\n")

    yield Place(root, "file:secret", "file:nothing", {}, put)


@contextmanager
def beside_the_state(root: Path) -> Iterator[Place]:
    environ = {"RECONCILER_STATE_KEY": KEY}
    place = Place(root, "state:token", "state:nothing", environ, lambda value: place.store(value), (KEY,))
    yield place


@contextmanager
def in_vault(root: Path) -> Iterator[Place]:
    with fake.serving() as server:
        environ = {"VAULT_ADDR": server.url, "VAULT_TOKEN": fake.TOKEN}
        yield Place(
            root,
            "vault:secret/criteo/sandbox#refresh",
            "vault:secret/criteo/nothing",
            environ,
            lambda value: server.put("criteo/sandbox", refresh=value, other="stays"),
            (fake.TOKEN,),
        )


@contextmanager
def in_aws(root: Path) -> Iterator[Place]:
    with aws() as environ:
        yield aws_place(root, environ, "")


@contextmanager
def in_a_field_in_aws(root: Path) -> Iterator[Place]:
    with aws() as environ:
        yield aws_place(root, environ, "#refresh")


PLACES = (
    in_the_environment,
    from_a_command,
    in_a_file,
    beside_the_state,
    in_vault,
    in_aws,
    in_a_field_in_aws,
)
WRITABLE = PLACES[2:]


def aws_place(root: Path, environ: dict[str, str], field: str) -> Place:
    name = f"criteo/{uuid.uuid4().hex}"
    administrator(environ).create_secret(Name=name)
    place = Place(
        root,
        f"aws-sm:{name}{field}",
        f"aws-sm:criteo/nothing{field}",
        environ,
        lambda value: place.store(value),
        (environ["AWS_SECRET_ACCESS_KEY"],),
    )
    return place


@contextmanager
def aws() -> Iterator[dict[str, str]]:
    """Yield an empty moto server, with the environment that leads to it."""
    with loopback.serving(one_at_a_time(DomainDispatcherApplication(create_backend_app))) as url:
        httpx.post(f"{url}/moto-api/reset").raise_for_status()
        yield leading_to(url)


def one_at_a_time(app: Callable[..., Any]) -> Callable[..., Any]:
    """Serialize requests: AWS creates a version atomically, but moto checks before it creates."""
    turn = Lock()

    def take_turns(environ: Any, start: Any) -> Any:
        with turn:
            return app(environ, start)

    return take_turns


def leading_to(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
        "AWS_SECRET_ACCESS_KEY": "a-secret-access-key",
    }


def administrator(environ: Mapping[str, str]) -> Any:
    """Return a second AWS client."""
    return boto3.client(
        "secretsmanager",
        endpoint_url=environ["AWS_ENDPOINT_URL"],
        region_name=environ["AWS_REGION"],
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )
