"""The ownership tag that ends the description of each managed segment: whose it is, should the state be lost.

It names an environment and an address, by ten digits of a digest, and the state that manages them, by four
digits of its lineage. The ten follow from the manifests alone, and need no key: addresses are no secret.
"""

import hashlib
import re
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
    """What the segment of an address is tagged with by the state of that lineage."""
    return Tag(owner(environment, address), lineage[:LINEAGE_DIGITS])


def with_tag(text: str, tag: Tag) -> str:
    """A description as it stands at Criteo."""
    return f"{text.rstrip()} {tag}".lstrip()


def tag_of(description: str) -> Tag | None:
    """The last tag in a description: people may write behind the one that we put at its end."""
    found = list(_TAG.finditer(description))
    return Tag(found[-1][1], found[-1][2]) if found else None


def ends_with(description: str, tag: Tag) -> bool:
    """As we write it: nobody has edited the description since."""
    return description.rstrip().endswith(str(tag))


def without_tag(description: str) -> str:
    """What people wrote, without the tag at the end; a tag before the end is part of it."""
    found = tag_of(description)
    if found is None or not ends_with(description, found):
        return description
    return description.rstrip().removesuffix(str(found)).rstrip()
