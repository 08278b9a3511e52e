"""What an answer repeats of what was sent is taken out of it before anyone reads it.

Names, codes, titles and trace ids of an answer are shown to people. Criteo, or a gateway before it,
may quote there what a request carried: its token, the application's secret, or people.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from urllib.parse import quote_plus

from reconciler.core.personal import HIDDEN, personal
from reconciler.core.secret import Secret

WITHHELD = "(withheld)"
GIVEAWAY = 12
"""Characters in a row that can't be there by chance."""
LONGEST = 500
TEXTS = 40
LIST = b'"identifiers":'
"""What stands before people in a body, which they end."""
DEEPEST = 12
"""Levels of an answer; nothing that is read lies deeper."""
TRACES = frozenset({"traceId", "traceIdentifier"})
"""Look like hashes, and are none."""


class Sent:
    """What one call carried: secrets of its credential and, if it is about members, its body.

    Searching a body takes milliseconds, so only the first texts of an answer are looked at; the rest
    is taken for people.
    """

    def __init__(self, secrets: Iterable[Secret], members: bytes) -> None:
        self._secrets = tuple(secrets)
        self._members = members
        self._patience = TEXTS

    def is_in(self, text: str) -> bool:
        """In whatever case, whole or a piece that gives it away."""
        folded = text.lower()
        return not self._pieces.isdisjoint(_windows(folded)) or (
            bool(self._members) and self._names_somebody(folded)
        )

    @cached_property
    def _pieces(self) -> frozenset[str]:
        """Of a secret too short to give away, the whole: it may well stand inside an honest word."""
        values = {one.reveal().lower() for one in self._secrets}
        values |= {quote_plus(one.reveal()).lower() for one in self._secrets}
        return frozenset(piece for value in values for piece in _windows(value))

    def _names_somebody(self, folded: str) -> bool:
        self._patience -= 1
        if len(folded) > LONGEST or self._patience < 0:
            return True
        content, text = self._content, folded.encode(errors="replace")
        whole = [text, *re.findall(rb"[0-9a-z]+", text)]
        parts = (text[at : at + GIVEAWAY] for at in range(len(text) - GIVEAWAY + 1))
        return any(b'"%s"' % one in content for one in whole) or any(part in content for part in parts)

    @cached_property
    def _content(self) -> bytes:
        """The people alone: a code may well speak of identifiers."""
        return self._members.lower().partition(LIST)[2]


def _windows(text: str) -> Iterator[str]:
    """Every run of GIVEAWAY characters; a shorter text as it is."""
    return (text[at : at + GIVEAWAY] for at in range(max(1, len(text) - GIVEAWAY + 1)))


def without_echoes(body: object, sent: Sent, key: str = "", depth: int = 0) -> object:
    """The same answer, in which no text repeats what was sent or looks like personal data."""
    if depth > DEEPEST:
        return None
    if isinstance(body, dict):
        return {name: without_echoes(value, sent, name, depth + 1) for name, value in body.items()}
    if isinstance(body, list):
        return [without_echoes(value, sent, key, depth + 1) for value in body]
    if key == "type":
        return body  # never shown, and what it says decides whether a call happened
    if not isinstance(body, str):
        return body
    if key not in TRACES and personal(body):
        return HIDDEN
    return WITHHELD if sent.is_in(body) else body
