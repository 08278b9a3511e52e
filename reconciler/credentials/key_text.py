"""Keys that seal what is kept, as they are written: 32 bytes in base64."""

import base64
import binascii

from reconciler.core.secret import Secret

KEY_LENGTH = 32


def key_bytes(secret: Secret) -> bytes | None:
    """Return the key that a secret is; None if it is not a key."""
    text = secret.reveal().translate(str.maketrans("-_", "+/"))
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_LENGTH else None
