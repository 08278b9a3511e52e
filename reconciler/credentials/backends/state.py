"""`state:NAME`: a secret beside the state, encrypted with a key that is stored elsewhere.

AES-256-GCM, not Fernet: it uses all 256 bits of the key and stores no time in clear text. Each name in each
environment has its own key (HKDF), so a value that was moved cannot be decrypted.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from reconciler.core.errors import AuthenticationError
from reconciler.core.ports import SecretStore
from reconciler.core.secret import Secret
from reconciler.credentials.backends.base import MissingSecretError
from reconciler.credentials.key_text import KEY_LENGTH, key_bytes

FORMAT = b"reconciler sealed 1\n"
_CHECK, _NONCE = 8, 12
_RESTORE = (
    "restore it from a backup of the state, or ask for the secret again (a consent, for a refresh token)"
)


class StateBackend:
    """Stores the format name, a check of the key, a nonce, and the encrypted text."""

    def __init__(self, store: SecretStore, environment: str, key: Callable[[], Secret]) -> None:
        """The key is read once: when it is needed again, a token may have been spent already."""
        self._store = store
        self._environment = environment
        self._key = cache(key)

    def fetch(self, name: str) -> Secret:
        content = self._store.read(name)
        if content is None:
            raise MissingSecretError(
                f"nothing is kept as state:{name}",
                remedy=f"ask for consent, or change the reference state:{name} in the manifest",
            )
        return _open(name, self._derived(name), content)

    def store(self, name: str, secret: Secret) -> None:
        self._store.write(name, _seal(self._derived(name), secret))

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """A key that can't be read is found out here, before a token is spent."""
        self._derived(name)
        with self._store.lock(name):
            yield

    def _derived(self, name: str) -> "_Derived":
        return _derive(_decoded(self._key()), f"{self._environment}/{name}")


@dataclass(frozen=True, slots=True, repr=False)
class _Derived:
    """The key of one name, and the value that distinguishes a wrong key from damage."""

    key: bytes
    check: bytes


def _derive(key: bytes, name: str) -> _Derived:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = b"reconciler state:" + name.encode()
    both = HKDF(algorithm=SHA256(), length=KEY_LENGTH + _CHECK, salt=None, info=info).derive(key)
    return _Derived(both[:KEY_LENGTH], both[KEY_LENGTH:])


def _decoded(secret: Secret) -> bytes:
    key = key_bytes(secret)
    if key is None:
        raise AuthenticationError(
            f"the key that `state:` secrets are sealed with is not {KEY_LENGTH} bytes in base64",
            remedy="make one with `openssl rand -base64 32`, keep it where the reference says: "
            "`sealingKey` in environment.yaml, otherwise RECONCILER_STATE_KEY",
        )
    return key


def _seal(derived: _Derived, secret: Secret) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    sealed = AESGCM(derived.key).encrypt(nonce, secret.reveal().encode(), FORMAT)
    return FORMAT + derived.check + nonce + sealed


def _open(name: str, derived: _Derived, content: bytes) -> Secret:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    beginning, check, nonce, sealed = _parts(content)
    if beginning != FORMAT or not sealed:
        raise AuthenticationError(f"what is kept as state:{name} is damaged, or not ours", remedy=_RESTORE)
    if check != derived.check:
        raise AuthenticationError(
            f"what is kept as state:{name} was sealed with another key, or under another name",
            remedy="give the key it was sealed with; if that is lost, ask for consent again",
        )
    try:
        return Secret(AESGCM(derived.key).decrypt(nonce, sealed, FORMAT).decode())
    except (InvalidTag, ValueError):
        raise AuthenticationError(f"what is kept as state:{name} is damaged", remedy=_RESTORE) from None


def _parts(content: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    check = len(FORMAT)
    nonce = check + _CHECK
    sealed = nonce + _NONCE
    return content[:check], content[check:nonce], content[nonce:sealed], content[sealed:]
