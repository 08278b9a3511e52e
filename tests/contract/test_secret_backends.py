"""The contract of every secret backend; tests of single backends follow it.

Vault is a small server of ours (see fakes/vault.py), AWS is moto's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier, Thread

import pytest
from support.fakes.secret_backends import PLACES, WRITABLE, Place, beside_the_state

from reconciler.core.errors import AuthenticationError, LockedError, ReconcilerError
from reconciler.core.secret import Secret

pytestmark = pytest.mark.promise("private")

VALUE = "s3cr+t/välue=="
DOCUMENT = json.dumps({"refreshToken": "é-" + "x" * 2048, "accounts": ["日本", "1"]}, ensure_ascii=False)

LOCKER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from reconciler.core.errors import LockedError
from reconciler.core.model import Api, Environment
from reconciler.credentials import SecretResolver
from reconciler.state.secret_store import LocalSecretStore
import os
root = Path(sys.argv[1])
environment = Environment("sandbox", Api("emulator"), "", "", ())
sealed = LocalSecretStore(root / "secrets", lambda: datetime.now(UTC))
resolver = SecretResolver(os.environ, root, sealed, environment, lambda: None)
backend, name = resolver.writable_backend(sys.argv[2])
try:
    with backend.lock(name):
        print("took it")
except LockedError:
    print("locked")
"""


@pytest.fixture(params=PLACES, ids=lambda make: make.__name__)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with request.param(tmp_path) as place:
        yield place


@pytest.fixture(params=WRITABLE, ids=lambda make: make.__name__)
def writable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with request.param(tmp_path) as place:
        yield place


def elsewhere(place: Place) -> str:
    """What another process says of the lock."""
    run = subprocess.run(
        [sys.executable, "-c", LOCKER, str(place.root), place.reference],
        env={**os.environ, **place.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


def test_what_is_kept_is_found(place: Place) -> None:
    place.put(VALUE)
    assert place.fetch() == VALUE


def test_what_is_not_there_is_said_to_be_missing(place: Place) -> None:
    place.put(VALUE)
    with pytest.raises(AuthenticationError) as caught:
        place.open().fetch(place.missing)
    assert caught.value.remedy
    assert VALUE not in everything(caught.value)


@pytest.mark.parametrize(
    "place",
    [one for one in PLACES if one is not beside_the_state],
    indirect=True,
    ids=lambda one: one.__name__,
)
def test_an_empty_secret_is_none(place: Place) -> None:
    """Administrators write other secrets; only reconciler writes secrets in the state."""
    place.put(" ")
    with pytest.raises(AuthenticationError):
        place.fetch()


def everything(error: ReconcilerError) -> str:
    return f"{error!r} {error.problem} {error.remedy} {error.findings}"


@pytest.mark.parametrize("value", [VALUE, DOCUMENT])
def test_what_is_stored_is_found_by_the_next_process(writable: Place, value: str) -> None:
    writable.store(value)
    assert writable.fetch() == value
    writable.store("another")
    assert writable.fetch() == "another"


def test_the_lock_excludes_another_thread(writable: Place) -> None:
    backend, name = writable.writable()
    said: list[str] = []

    def try_it() -> None:
        mine, _ = writable.writable()
        for one in (backend, mine):
            try:
                with one.lock(name):
                    said.append("took it")
            except LockedError as error:
                said.append(everything(error))

    with backend.lock(name):
        thread = Thread(target=try_it)
        thread.start()
        thread.join()
    assert len(said) == 2
    assert "took it" not in said
    assert all(private not in text for text in said for private in writable.private)


def test_the_lock_excludes_another_process(writable: Place) -> None:
    backend, name = writable.writable()
    with backend.lock(name):
        assert elsewhere(writable) == "locked"
    assert elsewhere(writable) == "took it"


def test_of_many_writers_one_gets_the_lease(writable: Place) -> None:
    """Each holds on until all have tried."""
    many = 4
    together, tried, inside = Barrier(many), Barrier(many), []
    opened = [writable.writable() for _ in range(many)]

    def enter(number: int) -> None:
        backend, name = opened[number]
        with ExitStack() as held:
            together.wait()
            try:
                held.enter_context(backend.lock(name))
                inside.append(number)
            except LockedError:
                pass
            tried.wait()

    threads = [Thread(target=enter, args=(number,)) for number in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(inside) == 1


def test_the_lock_ends_with_what_fails_under_it(writable: Place) -> None:
    backend, name = writable.writable()
    with pytest.raises(ZeroDivisionError), backend.lock(name):
        raise ZeroDivisionError
    for _ in range(3):
        with backend.lock(name):
            backend.store(name, Secret(VALUE))
    assert writable.fetch() == VALUE


def test_a_lock_is_no_secret(writable: Place) -> None:
    """Before the first secret is stored, the place is still empty."""
    backend, name = writable.writable()
    with backend.lock(name), pytest.raises(AuthenticationError):
        writable.fetch()
    with pytest.raises(AuthenticationError):
        writable.fetch()
