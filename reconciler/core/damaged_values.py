"""What exports write where a value is missing, and what spreadsheets make of long numbers.

None of it identifies a person, whatever the type, so all of it is malformed. Patterns are matched in
full, by Python's re and by RE2, as those of `identifiers` are.
"""

import hashlib
import re

MD5_DIGITS, SHA256_DIGITS = 32, 64
HASH = "[0-9A-Fa-f]*"

MISSING, HASH_OF_MISSING = "a word for a missing value", "the hash of a missing value"
ZEROS, SCIENTIFIC, DECIMAL = "all zeros", "scientific notation", "a decimal number"


def is_hash(trimmed: str) -> bool:
    """Exactly an MD5 or a SHA-256 in hex, of either case; never part of a longer text."""
    return len(trimmed) in (MD5_DIGITS, SHA256_DIGITS) and re.fullmatch(HASH, trimmed) is not None


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _any_case(word: str) -> str:
    """Return a pattern for a word in either case. Case folding would reach beyond ASCII."""
    return "".join(f"[{one.upper()}{one.lower()}]" if one.isalpha() else f"\\x{ord(one):02x}" for one in word)


_WORDS = """
null (null) <null> [null] none <none> nan -nan n/a #n/a <na> #na undefined nil <nil> \\N
#value! #ref! #name? #null! #num! #div/0!
"""
"""In upper or lower case. `NA` and `NaT` count only as R and pandas write them: Na and Nat are names."""

LONGEST_WORD = 9
WORDS = "|".join((*map(_any_case, _WORDS.split()), "NA", "NaT", "-{1,9}", "\\?{1,9}"))
ALL_ZEROS = "0{8}-?0{4}-?0{4}-?0{4}-?0{12}"
SCIENTIFIC_NUMBER = "[+-]?[0-9]{1,3}(?:[.,][0-9]+[Ee][+-]?|[Ee]\\+)[0-9]{1,3}"
DECIMAL_NUMBER = "[+-]?[0-9]+[.,]0"
_HASHED = ("", " ", "null", "none", "nan", "n/a", "undefined")
HASHES_OF_MISSING = frozenset(
    digest
    for word in _HASHED
    for text in (word, word.upper(), word.capitalize())
    for digest in (md5(text), sha256(text), sha256(md5(text)))
)


def damage(text: str) -> str:
    """Return why a text identifies nobody, or ""."""
    checks = (
        (HASH_OF_MISSING, is_hash(text) and text.lower() in HASHES_OF_MISSING),
        (MISSING, re.fullmatch(WORDS, text)),
        (ZEROS, re.fullmatch(ALL_ZEROS, text)),
        (SCIENTIFIC, re.fullmatch(SCIENTIFIC_NUMBER, text)),
        (DECIMAL, re.fullmatch(DECIMAL_NUMBER, text)),
    )
    return next((flaw for flaw, found in checks if found), "")
