"""Which texts look like personal data. Text from outside is shown only if nothing in it does."""

import re

REDACTED = "[redacted: possible PII]"
"""Replaces a name that is not shown."""

_KINDS = {"mail": "an e-mail address", "hash": "a hashed identifier", "phone": "a phone number"}
_PERSONAL = re.compile(
    r"(?P<mail>(?<=[\w.+-])@(?:[\w-]+\.)+[^\W\d_]{2,})"
    r"|(?P<hash>(?<![0-9A-Za-z])(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{32})(?![0-9A-Za-z]))"
    r"|(?P<phone>(?<!\w)\+[1-9](?:[ ().-]{0,2}[0-9]){7,14}(?![0-9]))"
)

_YEAR, _MONTH, _DAY = "20[1-4][0-9]", "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"[T_ .-]?(?:[01][0-9]|2[0-3])[-_.:]?[0-5][0-9](?:[-_.:]?[0-5][0-9](?:[._]?[0-9]{3,6})?)?Z?"
_OF_EXPORTS = re.compile(
    r"(?<![0-9a-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-z])"
    rf"|(?<!\d)(?:{_YEAR}[-_.]?{_MONTH}[-_.]?{_DAY}(?:{_TIME})?|{_DAY}[-_.]{_DAY}[-_.]{_YEAR})(?!\d)"
    r"|(?<!\d)1[6-9][0-9]{8}(?:[0-9]{3})?(?!\d)"
    r"|(?<!\d)0{4,}[0-9]{0,6}(?!\d)"
    r"|(?<![a-z])tid-[0-9]+",
    re.IGNORECASE,
)
"""Of the digits in names that programs give to what they export: UUIDs, days and times, Unix times,
shards, tasks of Spark."""
_IN_A_NAME = re.compile(
    r"\w(?:@|%40)\w"
    r"|(?<![0-9A-Za-z])(?:[0-9a-fA-F]{32}|(?=[A-Za-z]*[0-9])[0-9A-Za-z]{40,})(?![0-9A-Za-z])"
    r"|\d(?:(?:%20|[ ().+-]){0,3}\d){8,}"
)
"""E-mail addresses, digests and long ids, and nine digits or more: a phone number, a customer."""


def pii_kind(text: str) -> str:
    """Return the kind of personal data that a text seems to contain; "" if none."""
    if len(text) < 32 and "@" not in text and "+" not in text:
        return ""
    found = _PERSONAL.search(text)
    return _KINDS[str(found.lastgroup)] if found else ""


def redacted_path(path: str) -> str:
    """Return a path with each part that looks like personal data replaced.

    Stricter than `pii_kind`: file names are short, and a file may be named after a customer.
    """
    return "/".join(REDACTED if _names_somebody(part) else part for part in path.split("/"))


def _names_somebody(part: str) -> bool:
    return bool(pii_kind(part) or _IN_A_NAME.search(_OF_EXPORTS.sub("·", part)))
