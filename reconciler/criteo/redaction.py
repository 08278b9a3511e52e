"""Removes from a response what it repeats of its request.

Names, codes, titles and trace IDs of responses are printed. Criteo, or a gateway in between, may quote parts
of the request there: its token, the application's secret, or identifiers.
"""

import base64
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from urllib.parse import quote_plus, unquote_plus

from reconciler.core.pii import REDACTED, pii_kind
from reconciler.core.secret import Secret
from reconciler.criteo.errors import CODE

WITHHELD = "(withheld)"
GIVEAWAY, OF_A_SECRET, OF_A_WORD, OF_A_NAME = 12, 8, 7, 4
"""Characters in a row that cannot match by chance.

Of identifiers, of a secret, of identifiers as a whole word of a response, and as a word of the part before an
@.
"""
LONGEST = 500
TOO_LONG = 2_000
"""Characters; nothing that is shown or compared is longer."""
URL_SAFE = str.maketrans("+/", "-_")
HEX = re.compile(r"(?:[0-9a-fA-F][ :_-]?){8,}")
"""Bytes as hexadecimal digits, in one run or separated."""
WORD, PACKED = re.compile(r"[0-9a-z]+"), re.compile(r"[0-9A-Za-z+/_-]{8,}")
TEXTS = 40
LIST = b'"identifiers":'
"""The text before the identifiers, which are the last part of a body."""
DEEPEST = 12
"""Levels of an answer; nothing that is read lies deeper."""
TRACES = frozenset({"traceId", "traceIdentifier"})
"""Keys whose values look like hashes but are not."""


class SensitiveRequest:
    """The sensitive parts of one request: secrets of its credential, and the body of a call about members.

    Searching a body takes milliseconds, so only the first texts of a response are searched. Every further
    text is redacted.
    """

    def __init__(self, secrets: Iterable[Secret], members: bytes) -> None:
        self._secrets = tuple(secrets)
        self._members = members
        self._patience = TEXTS
        self._redacted: dict[tuple[str, str], str] = {}

    def redacted(self, text: str, key: str) -> str:
        """Return the text under a key of the response, or what replaces it.

        Listings repeat accounts, retailers and kinds in each segment: each text is searched once.
        """
        if (text, key) not in self._redacted:
            self._redacted[text, key] = self._searched(text, key)
        return self._redacted[text, key]

    def _searched(self, text: str, key: str) -> str:
        if len(text) > TOO_LONG:
            return WITHHELD
        forms = tuple(_forms(text))
        if key not in TRACES and any(map(pii_kind, forms)):
            return REDACTED
        return WITHHELD if self._is_in(forms, key) else text

    def _is_in(self, forms: Iterable[str], key: str) -> bool:
        """Return whether the forms of a text repeat a secret or an identifier, whole or in part.

        A code of several words does not count as an identifier that equals one of its words.
        """
        folded = [form.lower() for form in forms]
        return any(not self._pieces.isdisjoint(_windows(one, OF_A_SECRET)) for one in folded) or (
            bool(self._members) and self._names_somebody(folded, key)
        )

    @cached_property
    def _pieces(self) -> frozenset[str]:
        """Return the parts of the secrets.

        A short secret counts only as a whole: parts may occur in any word.
        """
        values = {one.reveal().lower() for one in self._secrets}
        values |= {quote_plus(one.reveal()).lower() for one in self._secrets}
        return frozenset(piece for value in values for piece in _windows(value, OF_A_SECRET))

    def _names_somebody(self, forms: Iterable[str], key: str) -> bool:
        self._patience -= 1
        return self._patience < 0 or any(len(one) > LONGEST or self._is_of_people(one, key) for one in forms)

    def _is_of_people(self, folded: str, key: str) -> bool:
        content, text, words = self._content, folded.encode(errors="replace"), WORD.findall(folded)
        telling = [] if key == "code" and CODE.fullmatch(folded) else words
        if not self._names.isdisjoint(["".join(words), *telling]):
            return True
        long = [word.encode() for word in telling if len(word) >= OF_A_WORD]
        if any(word in content for word in long):
            return True
        whole = [text, *(word.encode() for word in words)]
        parts = (text[at : at + GIVEAWAY] for at in range(len(text) - GIVEAWAY + 1))
        return any(b'"%s"' % one in content for one in whole) or any(part in content for part in parts)

    @cached_property
    def _names(self) -> frozenset[str]:
        """Return the parts before the @ of the identifiers, whole and by word."""
        found: set[str] = set()
        for one in re.findall(rb'"([^"@]+)@', self._content):
            words = WORD.findall(one.decode(errors="replace"))
            found |= {"".join(words), *words}
        return frozenset(name for name in found if len(name) >= OF_A_NAME)

    @cached_property
    def _content(self) -> bytes:
        """Return the identifiers only, because a code may contain the word "identifiers"."""
        return self._members.lower().partition(LIST)[2]


def _windows(text: str, size: int) -> Iterator[str]:
    """Yield every run of `size` characters; a shorter text as it is."""
    return (text[at : at + size] for at in range(max(1, len(text) - size + 1)))


def _forms(text: str) -> Iterator[str]:
    """Yield the text, the text as printed, and its decoded forms."""
    plain_ascii = text.isascii() and text.isprintable()
    shown = text if plain_ascii else "".join(filter(str.isprintable, unicodedata.normalize("NFKC", text)))
    decoded = unquote_plus(shown) if "%" in shown or "+" in shown else shown
    yield from dict.fromkeys((text, shown, decoded))
    for packed in PACKED.findall(shown):
        with suppress(ValueError):  # of other lengths than base64 has
            plain = base64.urlsafe_b64decode(packed.translate(URL_SAFE) + "=" * (-len(packed) % 4))
            yield plain.decode("ascii")
    for found in HEX.findall(shown):
        digits = re.sub(r"[^0-9a-fA-F]", "", found)
        for start in (0, 1):  # a digit before the first byte shifts them all
            end = start + (len(digits) - start) // 2 * 2
            yield bytes.fromhex(digits[start:end]).decode(errors="replace")


def redact_echoes(body: object, sent: SensitiveRequest, key: str = "", depth: int = 0) -> object:
    """Return the body with each text replaced that repeats the request or looks like personal data."""
    if depth > DEEPEST:
        return None
    if isinstance(body, dict):
        return {name: redact_echoes(value, sent, name, depth + 1) for name, value in body.items()}
    if isinstance(body, list):
        return [redact_echoes(value, sent, key, depth + 1) for value in body]
    if key == "type":
        return body  # never shown, and what it says decides whether a call happened
    return sent.redacted(body, key) if isinstance(body, str) else body
