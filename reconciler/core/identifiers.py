"""The one definition of how an identifier is normalised, judged and written; SQL engines follow it.

Email: white space around is cut; a plausible address in ASCII is lower-cased, any other is malformed
(what lower-case means beyond ASCII differs between languages, and so would the hash). Nothing else is
touched: no dots or `+suffix` are removed. PhoneNumber: E.164, so `+` or `00`, then a country code; with a
default country also as they are written there (`phone_numbers`).
Other types: white space around is cut, case is kept. A value that came hashed is never hashed twice.
What exports write for a missing or damaged value is malformed (docs/reference/identifiers.md).
"""

import re
from dataclasses import dataclass

from reconciler.core import phone_numbers
from reconciler.core.damaged_values import damage, is_hash, md5, sha256
from reconciler.core.members import DropReason
from reconciler.core.model import Hashing, IdentifierType

BLANKS = (
    "\t\n\v\f\r \x85\xa0\u1680\u180e"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d"
    "\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
"""Characters that are trimmed from a value: Unicode white space and zero-width characters."""

LONGEST_EMAIL, LONGEST_LOCAL, LONGEST_TEXT = 254, 64, 256

# Patterns are matched in full, by Python's re and by RE2: only what both read alike may stand in them.
BLANK_INSIDE = f"(?s:.*[{BLANKS}].*)"
NOT_ASCII_INSIDE = "(?s:.*[^\\x00-\\x7f].*)"
CONTROL_INSIDE = "(?s:.*[\\x00-\\x1f\\x7f-\\x9f].*)"
LOCAL = "[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+"
LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
ENDING = "[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]"
TWO_ATS_INSIDE = "[^@]*@[^@]*@.*"
EMAIL_CHARACTERS = f"{LOCAL}@[A-Za-z0-9.-]*"
ENDED = f".*\\.{ENDING}"
EMAIL = f"{LOCAL}@(?:{LABEL}\\.)+{ENDING}"
SURROGATE = "[\ud800-\udfff]"  # half a character, which has no UTF-8; a database can't hold one
PHONE_FILLERS = BLANKS + "-.()/\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
TRUNK_ZERO = f"(?s:.*\\([{BLANKS}]*0[{BLANKS}]*\\).*)"
PHONE_CHARACTERS = "\\+?[0-9]+"
INTERNATIONAL = "\\+[1-9][0-9]*"
PHONE = "\\+[1-9][0-9]{7,14}"

NO_AT, TWO_ATS, NO_LOCAL, NO_ENDING = "no @", "two @", "nothing before the @", "no domain ending"
INNER_BLANK, NOT_ASCII, CONTROL = "white space inside", "not ASCII", "control characters"
TOO_LONG, BAD_CHARACTER = "too long", "a character that no address has"
MISPLACED = "a misplaced dot or dash"
OPTIONAL_ZERO, NOT_A_NUMBER = "an optional (0)", "not a number"
NO_COUNTRY, WRONG_LENGTH = "no country code", "not 8 to 15 digits"
NOT_NATIONAL = "not a number of the default country"


@dataclass(frozen=True, slots=True)
class NormalizedIdentifier:
    """A value in the requested hashing, or the reason why it was dropped.

    `hashed`: it was hashed in the source.
    """

    value: str | None
    drop_reason: DropReason | None = None
    defect: str = ""
    hashed: bool = False


def normalize(value: str, kind: IdentifierType, hashing: Hashing, country: str = "") -> NormalizedIdentifier:
    """The value as sent to Criteo. Pure, and equal to what every engine computes.

    `country` is where phone numbers are written that have no country code; "" refuses them.
    """
    trimmed = value.strip(BLANKS)
    if not trimmed:
        return NormalizedIdentifier(None, DropReason.EMPTY)
    if defect := damage(trimmed):
        return NormalizedIdentifier(None, DropReason.MALFORMED, defect)
    if kind in (IdentifierType.EMAIL, IdentifierType.PHONE_NUMBER) and is_hash(trimmed):
        return _rehashed(trimmed.lower(), hashing)
    match kind:
        case IdentifierType.EMAIL:
            plain, defect = trimmed.lower(), _email_defect(trimmed)
        case IdentifierType.PHONE_NUMBER:
            plain = _international(trimmed, country)
            defect = _phone_defect(trimmed, plain, country)
        case _:
            plain, defect = trimmed, _text_defect(trimmed)
    if defect:
        return NormalizedIdentifier(None, DropReason.MALFORMED, defect)
    return NormalizedIdentifier(_written(plain, hashing))


def _rehashed(digest: str, hashing: Hashing) -> NormalizedIdentifier:
    match hashing, len(digest):
        case (Hashing.SHA256 | Hashing.SHA256_OF_MD5, 64) | (Hashing.MD5, 32):
            return NormalizedIdentifier(digest, hashed=True)
        case (Hashing.SHA256_OF_MD5, 32):
            return NormalizedIdentifier(sha256(digest), hashed=True)
        case _:
            return NormalizedIdentifier(None, DropReason.OTHER_HASHING, hashed=True)


def _written(plain: str, hashing: Hashing) -> str:
    match hashing:
        case Hashing.NONE:
            return plain
        case Hashing.MD5:
            return md5(plain)
        case Hashing.SHA256:
            return sha256(plain)
        case _:
            return sha256(md5(plain))


def _email_defect(text: str) -> str:
    at = text.find("@")
    checks = (
        (INNER_BLANK, re.fullmatch(BLANK_INSIDE, text)),
        (NOT_ASCII, re.fullmatch(NOT_ASCII_INSIDE, text)),
        (CONTROL, re.fullmatch(CONTROL_INSIDE, text)),
        (TOO_LONG, len(text) > LONGEST_EMAIL or at > LONGEST_LOCAL),
        (NO_AT, at < 0),
        (TWO_ATS, re.fullmatch(TWO_ATS_INSIDE, text)),
        (NO_LOCAL, at == 0),
        (BAD_CHARACTER, not re.fullmatch(EMAIL_CHARACTERS, text)),
        (NO_ENDING, not re.fullmatch(ENDED, text)),
        (MISPLACED, not re.fullmatch(EMAIL, text)),
    )
    return next((defect for defect, found in checks if found), "")


def _international(text: str, country: str) -> str:
    bare = text.translate(dict.fromkeys(map(ord, PHONE_FILLERS)))
    if bare.startswith("00"):
        return f"+{bare[2:]}"
    if country and re.fullmatch(phone_numbers.DIGITS, bare):
        return phone_numbers.international(bare, country) or bare
    return bare


def _phone_defect(text: str, number: str, country: str) -> str:
    checks = (
        (OPTIONAL_ZERO, re.fullmatch(TRUNK_ZERO, text)),
        (NOT_A_NUMBER, not re.fullmatch(PHONE_CHARACTERS, number)),
        (NOT_NATIONAL, country and re.fullmatch(phone_numbers.DIGITS, number)),
        (NO_COUNTRY, not re.fullmatch(INTERNATIONAL, number)),
        (WRONG_LENGTH, not re.fullmatch(PHONE, number)),
    )
    return next((defect for defect, found in checks if found), "")


def _text_defect(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        return TOO_LONG
    unwritable = re.fullmatch(CONTROL_INSIDE, text) or re.search(SURROGATE, text)
    return CONTROL if unwritable else ""
