"""Manifests for existing segments: audiences to fill in, destinations, and `Adopt` documents."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping

from reconciler.core.model import HASHINGS, Hashing, IdentifierType
from reconciler.core.pii import REDACTED, pii_kind
from reconciler.core.remote import Segment
from reconciler.core.unmanaged import UnmanagedSegment
from reconciler.manifests.checks.segment_names import LONGEST
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.syntax.invisible import is_invisible
from reconciler.manifests.syntax.nodes import ManifestDocument
from reconciler.manifests.syntax.writer import name, quoted

LONGEST_DESCRIPTION = 471
"""As in the schema of an audience: the ownership tag takes the rest."""
_LONGEST_NAME = 63
_LINES = re.compile(r"\r\n|[\r\u0085\u2028\u2029]")
_SLUGS = {
    IdentifierType.EMAIL: "email",
    IdentifierType.USER_IDENTIFIER: "user-identifier",
    IdentifierType.IDENTITY_LINK: "identity-link",
    IdentifierType.CUSTOMER_ID: "customer-id",
    IdentifierType.PHONE_NUMBER: "phone-number",
}


def credentials_of_seats(inventory: ManifestIndex) -> dict[str, str]:
    """Return a credential for each seat: that of a destination with this seat, or else the first."""
    first = next(iter(sorted(inventory.named["Credential"])), "")
    found = dict.fromkeys(inventory.seats(), first)
    for destination in inventory.declared["Destination"]:
        found[destination.text_of("seat")] = destination.text_of("credential")
    return found


def segments_to_be_adopted(inventory: ManifestIndex) -> frozenset[str]:
    """Return the segments that `Adopt` documents name."""
    return frozenset(one.text_of("segmentId") for one in inventory.declared["Adopt"])


def dumped(inventory: ManifestIndex, segments: Iterable[UnmanagedSegment]) -> dict[str, str]:
    """Return the text of each file, by its path in the folder of the environment.

    Destinations are those of the manifests with the same seat and identifier type, or else new ones.
    """
    prefix = inventory.home.text_of("namePrefix") if inventory.home else ""
    destinations = _Destinations(inventory)
    audiences, adoptions = dict[str, str](), dict[str, str]()
    taken = set(inventory.named["Audience"])
    for one in segments:
        destination, suffix = destinations.of(one)
        title = _title(one.segment, prefix, suffix)
        audience = _unique(_slug(title) or f"segment-{one.segment.id}", taken)
        audiences[f"audiences/{audience}.yaml"] = _audience(one.segment, audience, title, destination)
        adoptions[f"adopt/{audience}.yaml"] = _adoption(one.segment, f"{destination}/{audience}")
    return {**destinations.written, **audiences, **adoptions}


class _Destinations:
    """The destination of each seat and identifier type. `written` are the files of new ones."""

    def __init__(self, inventory: ManifestIndex) -> None:
        self.written: dict[str, str] = {}
        self._credentials = credentials_of_seats(inventory)
        self._taken = set(inventory.named["Destination"])
        self._known = {
            (one.text_of("seat"), one.text_of("identifierType")): (one.name, _suffix(one))
            for _, one in sorted(inventory.named["Destination"].items(), reverse=True)
        }

    def of(self, one: UnmanagedSegment) -> tuple[str, str]:
        """Return the name of the destination, and what it appends to titles."""
        kind = _kind(one.segment)
        if (one.seat, kind) not in self._known:
            made = _unique(f"{one.seat}-{_SLUGS[kind]}", self._taken)
            self.written[f"destinations/{made}.yaml"] = _destination(
                made, self._credentials[one.seat], one.seat, kind
            )
            self._known[one.seat, kind] = (made, "")
        return self._known[one.seat, kind]


def _suffix(destination: ManifestDocument) -> str:
    suffix = destination.value("nameSuffix")
    return f" ({destination.name})" if suffix is None else str(suffix)


def _kind(segment: Segment) -> IdentifierType:
    if segment.identifier_type is None:
        raise AssertionError(f"segment {segment.id} can't be managed")
    return segment.identifier_type


def _title(segment: Segment, prefix: str, suffix: str) -> str:
    """Return the title with which the segment keeps its name, if a title can have it."""
    bare = _visible(segment.name, lambda _: False).strip().removeprefix(prefix)
    bare = (bare.removesuffix(suffix) if suffix else bare).strip()
    longest = max(1, LONGEST - len(prefix) - len(suffix))
    return _shown(segment.name, (bare or f"Segment {segment.id}")[:longest].strip())


def _description(segment: Segment) -> str:
    text = _visible(segment.description, "\n\t".__contains__)
    return _shown(segment.description, text[:LONGEST_DESCRIPTION].strip())


def _shown(text: str, written: str) -> str:
    """Return what is written of a text, unless one of both looks like personal data."""
    return REDACTED if pii_kind(text) or pii_kind(written) else written


def _visible(text: str, allowed: Callable[[str], bool]) -> str:
    """Return the text without invisible characters. A line break that is not allowed becomes a space."""
    lines = _LINES.sub("\n", text)
    return "".join(
        one if allowed(one) or not is_invisible(one) else " " if one in "\n\t" else "" for one in lines
    )


def _slug(title: str) -> str:
    """Return a name made of the title; "" if nothing of it can be in a name."""
    if title == REDACTED:
        return ""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_NAME].strip("-")


def _unique(wanted: str, taken: set[str]) -> str:
    """Return the name, with a number if it is taken, and take it."""
    made, number = wanted[:_LONGEST_NAME].strip("-"), 1
    while made in taken:
        number += 1
        made = f"{wanted[: _LONGEST_NAME - len(str(number)) - 1].strip('-')}-{number}"
    taken.add(made)
    return made


def _audience(segment: Segment, audience: str, title: str, destination: str) -> str:
    description = _description(segment)
    return _lines(
        f"# Segment {segment.id} at Criteo. Fill in where its members come from.",
        "kind: Audience",
        f"name: {name(audience)}",
        f"title: {quoted(title)}",
        *([f"description: {quoted(description)}"] if description else []),
        f"destinations: [{name(destination)}]",
        "source: {files: [YOUR-FILES]}",
        f"columns: {{{_kind(segment).value}: YOUR-COLUMN}}",
    )


def _destination(made: str, credential: str, seat: str, kind: IdentifierType) -> str:
    hashed = Hashing.SHA256 in HASHINGS[kind]
    return _lines(
        "kind: Destination",
        f"name: {name(made)}",
        f"credential: {name(credential)}",
        f"seat: {name(seat)}",
        f"identifierType: {kind.value}",
        *(["# Assumed: Criteo does not report the hashing."] if hashed else []),
        *([f"hashing: {Hashing.SHA256.value}"] if hashed else []),
        'nameSuffix: ""',
    )


def _adoption(segment: Segment, address: str) -> str:
    return _lines(
        "# baseline: reuse (other members may remain), assume (`file:` lists possible members), or replace.",
        "kind: Adopt",
        f"address: {address}",
        f"segmentId: {quoted(segment.id)}",
        "baseline: reuse",
    )


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def joined(files: Mapping[str, str]) -> str:
    """Return all files as one stream of documents, each below its path."""
    return "---\n".join(f"# {path}\n{text}" for path, text in files.items())
