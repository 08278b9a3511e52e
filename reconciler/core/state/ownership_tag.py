"""The ownership tag at the end of the description of each managed segment.

It identifies the address, so that a lost state can be rebuilt: ten digits of a digest of environment and
address, and four digits of the lineage of the state. The ten digits derive from the manifests alone and need
no key, because addresses are not secret.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.core.model import Address

LINEAGE_DIGITS = 4
_TAG = re.compile(rf"\[reconciler ([0-9a-f]{{10}})-([0-9a-f]{{{LINEAGE_DIGITS}}})\]")


@dataclass(frozen=True, slots=True)
class Tag:
    """Prints as `[reconciler 7f3a9c21b4-1a2b]`. `owner`: environment and address; `lineage`: of the state."""

    owner: str
    lineage: str

    def __str__(self) -> str:
        return f"[reconciler {self.owner}-{self.lineage}]"


def owner(environment: str, address: Address) -> str:
    """The digits of a tag that follow from the manifests."""
    return hashlib.sha256(f"{environment}\n{address}".encode()).hexdigest()[:10]


def tag(environment: str, address: Address, lineage: str) -> Tag:
    """Return the ownership tag of an address, for the state with this lineage."""
    return Tag(owner(environment, address), lineage[:LINEAGE_DIGITS])


def former_tags(environment: str, old: Iterable[Address], lineage: str) -> tuple[Tag, ...]:
    """Return the tags that segments of a moved address may still have."""
    return tuple(tag(environment, address, lineage) for address in old)


def with_tag(text: str, tag: Tag) -> str:
    """Return a description as it should be at Criteo."""
    return f"{text.rstrip()} {tag}".lstrip()


def tag_of(description: str) -> Tag | None:
    """Return the last tag in a description. Users may add text after the tag."""
    found = list(_TAG.finditer(description))
    return Tag(found[-1][1], found[-1][2]) if found else None


def ends_with(description: str, tag: Tag) -> bool:
    """Return whether the description ends with this tag, so that no user edited it since."""
    return description.rstrip().endswith(str(tag))


def without_tag(description: str) -> str:
    """Return the description without the tag at its end. A tag before the end is part of it."""
    found = tag_of(description)
    if found is None or not ends_with(description, found):
        return description
    return description.rstrip().removesuffix(str(found)).rstrip()
