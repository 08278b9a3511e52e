"""Segment names as Criteo will see them: not empty, not too long, unique per account."""

from collections.abc import Iterator

from reconciler.core.model import Address, Place
from reconciler.core.names import LONGEST
from reconciler.core.remote import name_key
from reconciler.manifests.inventory import Inventory
from reconciler.manifests.nodes import Document, Flaw, Rank


def segment_name(environment: Document, audience: Document, destination: Document) -> str:
    """Prefix of the environment, title of the audience, suffix of the destination."""
    prefix: str = environment.root.value.get("namePrefix", "")
    suffix: str = destination.root.value.get("nameSuffix", f" ({destination.name})")
    title: str = audience.root.value["title"]
    return f"{prefix}{title}{suffix}"


def check(inventory: Inventory) -> Iterator[Flaw]:
    """Judges the names of all segments whose parts are sound."""
    taken: dict[tuple[str, str], tuple[Address, Place]] = {}
    for audience in inventory.legal["Audience"].values():
        if not audience.root.value["title"].strip():
            yield _flaw(audience.place("title"), "`title` is empty", "say what people should see at Criteo")
            continue
        for place, destination, account, name in _segments(inventory, audience):
            yield from _long(place, name)
            here = (Address(destination, audience.name), place)
            other, there = taken.setdefault((account, name_key(name)), here)
            yield from _taken(place, there, other)


def _segments(inventory: Inventory, audience: Document) -> Iterator[tuple[Place, str, str, str]]:
    """Place, destination, account and name of each segment of an audience that can be told."""
    seats = inventory.seats()
    for index, name in enumerate(audience.root.value["destinations"]):
        destination = inventory.legal["Destination"].get(name)
        seat = seats.get(destination.root.value["seat"]) if destination else None
        if inventory.home and destination and seat:
            rendered = segment_name(inventory.home, audience, destination)
            yield audience.place("destinations", index), name, seat["accountId"], rendered


def _long(place: Place, name: str) -> Iterator[Flaw]:
    if len(name.strip()) > LONGEST:
        problem = f"the segment name would have {len(name.strip())} characters, the limit is {LONGEST}"
        yield _flaw(place, problem, "shorten `title`, `namePrefix` or `nameSuffix`")


def _taken(place: Place, there: Place, other: Address) -> Iterator[Flaw]:
    if place != there:
        problem = f"the segment would have the same name as {other} ({there}), in the same account"
        remedy = "change one `title`, or the destination's `nameSuffix`; case and outer spaces don't count"
        yield _flaw(place, problem, remedy)


def _flaw(place: Place, problem: str, remedy: str) -> Flaw:
    return Flaw(place, Rank.SCHEMA, problem, remedy)
