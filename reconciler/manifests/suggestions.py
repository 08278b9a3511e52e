"""Keys and names in findings: known keys and valid names are printed, values never."""

import re
from collections.abc import Iterable

from reconciler.core.model import IdentifierType
from reconciler.core.pii import pii_kind

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_KEY = re.compile(r"[A-Za-z][A-Za-z_-]{0,40}[0-9]{0,2}")
"""Digits are rare in keys; customer ids and secrets are full of them."""


def label(key: str) -> str:
    """Return a key for a finding, if it looks like a key and not like personal data."""
    return f"`{key}`" if _KEY.fullmatch(key) and not pii_kind(key) else "this key"


def printable_names(names: Iterable[str]) -> list[str]:
    """Return the valid names, sorted."""
    return sorted({name for name in names if NAME.fullmatch(name) and not pii_kind(name)})


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return the allowed word that is nearest to a typo; "" if none is near."""
    folded = {choice.casefold(): choice for choice in allowed}
    if word.strip().casefold() in folded:
        return folded[word.strip().casefold()]
    from difflib import get_close_matches

    compared = list(folded)[:_COMPARED]
    near = get_close_matches(word[:80].casefold(), compared, n=1, cutoff=0.6)
    return folded[near[0]] if near else _meant(word[:80].casefold(), folded)


_COMPARED = 500
"""At most this many names are compared, because each comparison takes time."""
_SYNONYMS = (
    (re.compile("mail"), IdentifierType.EMAIL),
    (re.compile("phone|mobile|msisdn|^tel|cell"), IdentifierType.PHONE_NUMBER),
    (
        re.compile("^(idfa|gaid|aaid|maid|adid)$|device|advertising|cookie|^user"),
        IdentifierType.USER_IDENTIFIER,
    ),
    (re.compile("ramp|identity"), IdentifierType.IDENTITY_LINK),
    (re.compile("customer|client|crm|loyalty|member"), IdentifierType.CUSTOMER_ID),
)
"""Names of identifier types in other systems."""


def _meant(word: str, folded: dict[str, str]) -> str:
    kinds = (kind for pattern, kind in _SYNONYMS if pattern.search(word))
    return next((kind.value for kind in kinds if kind.value in folded.values()), "")


def choices(word: str, allowed: Iterable[str], *, call: str = "allowed") -> str:
    """A remedy: what was probably meant, and all that is possible (the first ten)."""
    listed = list(allowed)
    near = nearest(word, listed)
    meant = f"did you mean `{near}`? " if near else ""
    more = f" and {len(listed) - 10} more" if len(listed) > 10 else ""
    return f"{meant}{call}: {', '.join(listed[:10]) or 'none'}{more}"
