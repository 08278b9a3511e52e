"""`state:` secrets open only with their key and under their name."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from support.fakes.secret_backends import places_of
from support.fakes.state import MemoryStore

from reconciler.core.errors import AuthenticationError, ConfigurationError
from reconciler.core.secret import Secret
from reconciler.credentials.backends.state import StateBackend

pytestmark = pytest.mark.promise("private")

VALUE = "a-refresh-token"
BYTES = bytes([0xFB, 0xFF, *range(30)])
KEY = base64.b64encode(BYTES).decode()


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    with_key(store, KEY).store("token", Secret(VALUE))
    return store


def with_key(store: MemoryStore, key: str) -> StateBackend:
    return StateBackend(store.sealed(), "sandbox", lambda: Secret(key))


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(AuthenticationError) as caught:
        act()
    text = f"{caught.value!r} {caught.value.remedy}"
    assert VALUE not in text
    assert KEY not in text
    assert caught.value.remedy
    return caught.value.problem


def test_what_is_kept_does_not_show_it(store: MemoryStore) -> None:
    kept = store.saved_secrets["token"]
    assert VALUE.encode() not in kept
    assert BYTES not in kept
    with_key(store, KEY).store("token", Secret(VALUE))
    assert store.saved_secrets["token"] != kept


@pytest.mark.parametrize(
    "key", [KEY, KEY.rstrip("="), base64.urlsafe_b64encode(BYTES).decode()], ids=["standard", "bare", "url"]
)
def test_a_key_may_be_written_in_either_alphabet(store: MemoryStore, key: str) -> None:
    assert with_key(store, key).fetch("token").reveal() == VALUE


@pytest.mark.parametrize("key", ["", "short", KEY + "AAAA", "no base64 at all!", "é" * 43, KEY[:-2] + "\n="])
def test_a_key_that_is_none_is_found_before_anything_is_locked(store: MemoryStore, key: str) -> None:
    sealed = with_key(store, key)
    for act in (sealed.lock("token").__enter__, lambda: sealed.fetch("token")):
        assert "not 32 bytes in base64" in refused(act)
    assert not store.held_secrets


def test_another_key_is_distinguished_from_damage(store: MemoryStore) -> None:
    other = base64.b64encode(bytes(32)).decode()
    assert "sealed with another key" in refused(lambda: with_key(store, other).fetch("token"))


def test_moved_to_another_name_it_does_not_open(store: MemoryStore) -> None:
    store.saved_secrets["other"] = store.saved_secrets["token"]
    assert "under another name" in refused(lambda: with_key(store, KEY).fetch("other"))


def test_nothing_damaged_opens(store: MemoryStore) -> None:
    whole = store.saved_secrets["token"]
    changed = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    cut = [whole[:at] for at in range(len(whole))]
    for content in [*changed, *cut, whole + b"\0", b"{}"]:
        store.saved_secrets["token"] = content
        problem = refused(lambda: with_key(store, KEY).fetch("token"))
        assert "damaged" in problem or "another key" in problem


def test_the_key_is_not_kept_beside_the_state_itself(store: MemoryStore) -> None:
    places = places_of({}, Path("/"), store.sealed(), "state:key")
    with pytest.raises(ConfigurationError, match="sealed itself"):
        places.fetch("state:token")


def test_a_key_that_is_not_set_is_named(store: MemoryStore) -> None:
    places = places_of({}, Path("/"), store.sealed(), "env:RECONCILER_STATE_KEY")
    message = refused(lambda: places.fetch("state:token"))
    assert (
        "can't be opened without their key: the environment variable RECONCILER_STATE_KEY is not" in message
    )
    assert "RECONCILER_STATE_KEY is not set" in refused(lambda: places.fetch("state:token"))


def test_a_value_of_another_environment_does_not_open(store: MemoryStore) -> None:
    production = StateBackend(store.sealed(), "production", lambda: Secret(KEY))
    assert "another key, or under another name" in refused(lambda: production.fetch("token"))


def test_the_key_is_read_once_however_often_it_is_needed(store: MemoryStore) -> None:
    """Its place may be closed by the time a token has been spent."""
    keys = iter([Secret(KEY)])
    sealed = StateBackend(store.sealed(), "sandbox", lambda: next(keys))
    with sealed.lock("token"):
        sealed.fetch("token")
        sealed.store("token", Secret("newer"))
    assert with_key(store, KEY).fetch("token").reveal() == "newer"
