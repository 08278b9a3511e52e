"""The mark that each managed segment bears at Criteo: whose it is, should the state be lost.

It can be told from the manifests alone, and so it names an address by a digest without a key: addresses
are no secret. It ends the description, where it outlives renames and troubles nobody.
"""

import hashlib
import re

from reconciler.core.model import Address

_MARK = re.compile(r"\[reconciler [0-9a-f]{10}\]$")


def mark(environment: str, address: Address) -> str:
    """`[reconciler 7f3a9c21b4]`."""
    digest = hashlib.sha256(f"{environment}\n{address}".encode()).hexdigest()
    return f"[reconciler {digest[:10]}]"


def marked(text: str, mark: str) -> str:
    """A description as it stands at Criteo."""
    return f"{text.rstrip()} {mark}".lstrip()


def mark_of(description: str) -> str:
    """The mark that a description ends with; "" when there is none."""
    found = _MARK.search(description.rstrip())
    return found[0] if found else ""


def unmarked(description: str) -> str:
    """What people wrote."""
    return _MARK.sub("", description.rstrip()).rstrip() if mark_of(description) else description
