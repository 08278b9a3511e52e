"""What may come of an answer of Criteo, and what is wrong with one that can't be read."""

import httpx

from reconciler.web.inflated import TooLargeError

LARGEST = 8 * 1024 * 1024
"""Bytes of an unpacked answer: several times a page of 500 segments with the longest names."""
KEPT = frozenset({b"date", b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset"})
"""All other headers are dropped. Cookies are not stored, and redirects are not followed."""


def unreadable(error: httpx.RequestError) -> str:
    """What is wrong with an answer that came; "" where none did."""
    if isinstance(error, TooLargeError):
        return f"the answer is larger than {LARGEST // 1024**2} MiB"
    return "the answer came garbled" if isinstance(error, httpx.DecodingError) else ""
