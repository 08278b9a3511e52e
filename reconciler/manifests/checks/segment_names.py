"""Segment names as Criteo will see them: not empty, not too long, unique per account."""

from collections.abc import Iterator

from reconciler.core.model import Address, SourceLocation
from reconciler.core.remote import name_key
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument

LONGEST = 256  # as in core.names, which draws in all that plans are made of; a test keeps the two equal


def segment_name(
    environment: ManifestDocument, audience: ManifestDocument, destination: ManifestDocument
) -> str:
    """Prefix of the environment, title of the audience, suffix of the destination."""
    return f"{environment.text_of('namePrefix')}{suffixed_title(audience, destination)}".strip()


def suffixed_title(audience: ManifestDocument, destination: ManifestDocument) -> str:
    """Title of the audience, suffix of the destination: the part that is equal in all environments."""
    suffix = destination.value("nameSuffix")
    return f"{audience.text_of('title')}{f' ({destination.name})' if suffix is None else suffix}"


def check(inventory: ManifestIndex) -> Iterator[Issue]:
    """Check the known names of all segments."""
    taken: dict[tuple[str, str], tuple[Address, SourceLocation]] = {}
    for audience in inventory.declared["Audience"]:
        title = audience.text_of("title")
        if title and not title.strip():
            yield _flaw(audience.place("title"), "`title` is empty", "say what people should see at Criteo")
        for place, destination, account, name in _segments(inventory, audience) if title.strip() else ():
            yield from _long(place, name)
            address = Address(destination, audience.name)
            other, there = taken.setdefault((account, name_key(name)), (address, place))
            if other != address:
                yield _taken(place, there, other)


def _segments(
    inventory: ManifestIndex, audience: ManifestDocument
) -> Iterator[tuple[SourceLocation, str, str, str]]:
    """Place, destination, account and name of each segment."""
    seats = inventory.seats()
    for index, name in audience.texts("destinations"):
        destination = inventory.named["Destination"].get(name)
        seat = seats.get(destination.text_of("seat")) if destination else None
        account = seat.get("accountId") if seat else None
        if inventory.home and destination and account:
            rendered = segment_name(inventory.home, audience, destination)
            yield audience.place("destinations", index), name, account, rendered


def _long(place: SourceLocation, name: str) -> Iterator[Issue]:
    if len(name.strip()) > LONGEST:
        problem = f"the segment name would have {len(name.strip())} characters, the limit is {LONGEST}"
        yield _flaw(place, problem, "shorten `title`, `namePrefix` or `nameSuffix`")


def _taken(place: SourceLocation, there: SourceLocation, other: Address) -> Issue:
    problem = f"the segment would have the same name as {other} ({there}), in the same account"
    remedy = "change one `title`, or the destination's `nameSuffix`; case and outer spaces don't count"
    return _flaw(place, problem, remedy)


def _flaw(place: SourceLocation, problem: str, remedy: str) -> Issue:
    return Issue(place, IssueRank.SCHEMA, problem, remedy)
