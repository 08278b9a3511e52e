"""`vault:` uses the API as Vault's tools do, overwrites no other write, and repeats no text of the server."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from support.fakes import vault as fake

from reconciler.core.errors import AuthenticationError, ConfigurationError, LockedError
from reconciler.core.secret import Secret
from reconciler.credentials.backends.base import MissingSecretError
from reconciler.credentials.backends.vault import VaultBackend
from reconciler.credentials.secret_lock import LIFE, utc_now

pytestmark = pytest.mark.promise("private")

NAME = "secret/criteo/sandbox#refresh"
PATH = "criteo/sandbox"
VALUE = "a-refresh-token"


@pytest.fixture
def server() -> Iterator[fake.FakeVault]:
    with fake.serving() as server:
        yield server


def vault(server: fake.FakeVault, after: timedelta = timedelta(0), **environ: str) -> VaultBackend:
    return VaultBackend(
        {"VAULT_ADDR": server.url, "VAULT_TOKEN": fake.TOKEN, **environ}, lambda: utc_now() + after
    )


def refused(act: VaultBackend, name: str = NAME) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        act.fetch(name)
    text = f"{caught.value!r} {caught.value.remedy}"
    assert fake.TOKEN not in text
    assert "of its own" not in text
    assert caught.value.remedy
    return caught.value


def test_a_field_that_is_not_named_is_value(server: fake.FakeVault) -> None:
    server.put(PATH, value=VALUE)
    assert vault(server).fetch("secret/criteo/sandbox").reveal() == VALUE


def test_the_other_fields_stay(server: fake.FakeVault) -> None:
    server.put(PATH, client="stays", refresh="old")
    with vault(server).lock(NAME):
        vault(server).store(NAME, Secret(VALUE))
    assert server.newest(PATH) == {"client": "stays", "refresh": VALUE}


def test_a_deleted_secret_is_missing_and_can_be_written_again(server: fake.FakeVault) -> None:
    server.put(PATH, refresh="old", other="gone with it")
    server.delete(PATH)
    assert "holds no text" in refused(vault(server)).problem
    with vault(server).lock(NAME):
        vault(server).store(NAME, Secret(VALUE))
    assert server.newest(PATH) == {"refresh": VALUE}


def test_a_write_in_between_is_an_error_and_stays(server: fake.FakeVault) -> None:
    """The server is changed between our reading and our writing, as another machine would."""

    class Between(VaultBackend):
        def _write(self, *arguments: object) -> int:
            server.put(PATH, refresh="theirs")
            return super()._write(*arguments)  # type: ignore[arg-type]

    server.put(PATH, refresh="old")
    ours = Between({"VAULT_ADDR": server.url, "VAULT_TOKEN": fake.TOKEN})
    with pytest.raises(AuthenticationError, match="by another process at the same time"):
        ours.store(NAME, Secret(VALUE))
    assert server.newest(PATH) == {"refresh": "theirs"}


@pytest.mark.parametrize("unwritable", [PATH, f"{PATH}.lock"])
def test_a_place_that_cannot_be_written_is_found_by_the_lock(server: fake.FakeVault, unwritable: str) -> None:
    server.put(PATH, refresh="old")
    server.read_only.add(unwritable)
    with pytest.raises(AuthenticationError, match="no permission"), vault(server).lock(NAME):
        pytest.fail("nothing may run under a lock that can't be kept")
    server.read_only.clear()
    with vault(server).lock(NAME):
        """The lease was given back."""
    assert len(server.entries[PATH].versions) == 1


def test_a_killed_holder_is_followed_once_its_lease_is_over(server: fake.FakeVault) -> None:
    killed = vault(server).lock(NAME)
    killed.__enter__()
    with pytest.raises(LockedError, match="until"), vault(server, LIFE - timedelta(seconds=5)).lock(NAME):
        pytest.fail("it still holds")
    late = vault(server, LIFE + timedelta(seconds=1))
    with late.lock(NAME):
        killed.__exit__(None, None, None)
        with pytest.raises(LockedError), late.lock(NAME):
            pytest.fail("who was late gave back what was another's")


def test_a_lock_that_is_none_is_refused(server: fake.FakeVault) -> None:
    server.put(f"{PATH}.lock", until="tomorrow")
    with pytest.raises(AuthenticationError, match="holds something else"), vault(server).lock(NAME):
        pytest.fail("what is it?")


@pytest.mark.parametrize("data", [{}, {"refresh": ""}, {"refresh": 5}, {"refresh": {"a": "b"}}])
def test_a_field_without_text_is_refused(server: fake.FakeVault, data: dict[str, object]) -> None:
    server.put(PATH, **data)
    assert "the field refresh" in refused(vault(server)).problem


def test_what_is_not_there_is_missing(server: fake.FakeVault) -> None:
    for name in ("secret/nothing", "other/nothing"):
        with pytest.raises(MissingSecretError, match=name):
            vault(server).fetch(name)
    with pytest.raises(AuthenticationError, match="nothing at vault:other"), vault(server).lock("other/x"):
        pytest.fail("there is no such mount")


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (400, "as invalid"),
        (403, "no permission"),
        (418, "can't be asked"),
        (429, "too many"),
        (500, "failed"),
        (501, "not initialised"),
        (502, "proxy"),
        (503, "sealed"),
        (200, "no Vault"),
    ],
)
def test_each_refusal_has_its_words(server: fake.FakeVault, status: int, problem: str) -> None:
    server.status = status
    assert problem in refused(vault(server)).problem


def test_what_is_not_vault_is_not_repeated(server: fake.FakeVault) -> None:
    assert "can't be reached" in refused(vault(server, VAULT_ADDR="http://127.0.0.1:1")).problem
    assert (
        "no certificate" in refused(vault(server, VAULT_ADDR=server.url.replace("http:", "https:"))).problem
    )
    for address in ("nonsense", "http://[", "ftp://127.0.0.1"):
        assert "can't be asked" in refused(vault(server, VAULT_ADDR=address)).problem
    odd = {"VAULT_ADDR": server.url.replace("http:", "https:"), "VAULT_CACERT": "/no/such/file"}
    assert "can't be asked" in refused(vault(server, **odd)).problem


def test_a_token_that_cannot_be_sent_is_not_repeated(server: fake.FakeVault) -> None:
    for token in ("hvs.with\nline", "hvs.日本"):
        error = refused(vault(server, VAULT_TOKEN=token))
        assert "hvs." not in f"{error!r} {error.remedy}"


def test_the_token_may_stand_in_a_file_of_the_home(server: fake.FakeVault, tmp_path: Path) -> None:
    server.put(PATH, refresh=VALUE)
    home = {"VAULT_TOKEN": "", "HOME": str(tmp_path)}
    assert "no Vault token" in refused(vault(server, **home)).problem
    (tmp_path / ".vault-token").write_text(f"{fake.TOKEN}\n")
    assert vault(server, **home).fetch(NAME).reveal() == VALUE


def test_an_address_is_needed(server: fake.FakeVault) -> None:
    assert refused(vault(server, VAULT_ADDR="")).problem == "VAULT_ADDR is not set"


@pytest.mark.parametrize("name", ["secret", "secret/", "/", "#value"])
def test_a_reference_to_no_secret_is_refused(server: fake.FakeVault, name: str) -> None:
    with pytest.raises(ConfigurationError):
        vault(server).fetch(name)


def test_the_library_is_asked_for(server: fake.FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hvac", None)
    error = refused(vault(server))
    assert (
        f"{error.problem}: {error.remedy}" == "vault: needs the extra: pip install 'criteo-reconciler[vault]'"
    )
