"""Which identifiers each type takes; a stated guess, since Criteo publishes no rule."""

import re
from collections.abc import Callable

LONGEST = 256
_EMAIL = re.compile(
    r"[0-9a-f]{64}|[0-9a-f]{32}"
    r"|[^\s@\x00-\x1f\x7f]{1,64}@(?:[^\s@.\x00-\x1f\x7f]{1,63}\.){1,8}[^\s@.0-9\x00-\x1f\x7f]{2,63}"
)
_PHONE = re.compile(r"\+?[1-9][0-9]{6,14}|[0-9a-f]{64}")


def _opaque(identifier: str) -> bool:
    """Printable, not blank, no white space around it."""
    return 0 < len(identifier) <= LONGEST and identifier.isprintable() and identifier == identifier.strip()


VALID: dict[str, Callable[[str], object]] = {
    "CustomerId": _opaque,
    "Email": _EMAIL.fullmatch,
    "IdentityLink": _opaque,
    "PhoneNumber": _PHONE.fullmatch,
    "UserIdentifier": _opaque,
}


def split(identifier_type: str, identifiers: list[str]) -> tuple[list[str], list[str]]:
    """The valid and the invalid, each in the order given."""
    is_valid = VALID[identifier_type]
    valid = list(filter(is_valid, identifiers))
    if len(valid) == len(identifiers):
        return valid, []
    return valid, [identifier for identifier in identifiers if not is_valid(identifier)]
