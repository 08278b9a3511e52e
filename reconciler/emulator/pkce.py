"""PKCE: the client that sends a code is the client that requested it (RFC 7636). Stores no verifier."""

import base64
import hashlib
import hmac
import re

METHODS = ("S256", "plain")
_WORD = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def well_formed(word: str) -> bool:
    """Verifiers and challenges are spelled alike."""
    return _WORD.fullmatch(word) is not None


def kept(challenge: str, method: str) -> str:
    """Both methods as S256: a plain challenge is the verifier itself, which is not to be kept."""
    return challenge if method == "S256" else _s256(challenge)


def answers(verifier: str, challenge: str) -> bool:
    """Return whether the verifier fits. A verifier without a challenge does not (RFC 9700)."""
    if not verifier or not challenge:
        return not verifier and not challenge
    return well_formed(verifier) and hmac.compare_digest(_s256(verifier), challenge)


def _s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
