"""Limits of Criteo's responses, and the problem of an unreadable one."""

import httpx

from reconciler.web.size_limits import TooLargeError

LARGEST = 8 * 1024 * 1024
"""Bytes of an unpacked answer: several times a page of 500 segments with the longest names."""
KEPT = frozenset({b"date", b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset"})
"""All other headers are dropped. Cookies are not stored, and redirects are not followed."""


def unreadable(error: httpx.RequestError) -> str:
    """Return the problem of a response that could not be read; "" if there was no response."""
    if isinstance(error, TooLargeError):
        return f"the answer is larger than {LARGEST // 1024**2} MiB"
    return "the answer came garbled" if isinstance(error, httpx.DecodingError) else ""
