"""What documents say of each other: one environment, unique names, links that lead somewhere."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from reconciler.core.model import Form, IdentifierType, Place
from reconciler.manifests import project, schema
from reconciler.manifests.inventory import Inventory
from reconciler.manifests.nodes import Document, Flaw, Rank, Step
from reconciler.manifests.wording import choices, speakable

Known = dict[str, dict[str, Document]]
_PERSONAL_TYPES = {
    IdentifierType.EMAIL.value: "e-mail addresses",
    IdentifierType.PHONE_NUMBER.value: "phone numbers",
}


def check(inventory: Inventory) -> Iterator[Flaw]:
    """Everything that a document can't be blamed for alone."""
    yield from _environment(inventory)
    yield from _repeated_names(inventory)
    known = {kind: inventory.names(kind) for kind in ("Credential", "Destination")}
    for destination in inventory.legal["Destination"].values():
        yield from _destination(inventory, known, destination)
    for audience in inventory.legal["Audience"].values():
        yield from _audience(inventory, known, audience)


def _environment(inventory: Inventory) -> Iterator[Flaw]:
    home = PurePosixPath(project.home(inventory.environment))
    found = inventory.declared["Environment"]
    if not found and inventory.complete:
        remedy = "create it with a document of `kind: Environment`"
        yield _flaw(Place(str(home), 1, 1), "there is no environment", remedy)
    for index, document in enumerate(found):
        if PurePosixPath(document.file).with_suffix("") != home.with_suffix(""):
            remedy = "move it into environment.yaml of this environment's folder"
            yield _flaw(document.place("kind"), "an Environment outside environment.yaml", remedy)
        elif index:
            problem = f"a second Environment; the first is at {found[0].place()}"
            yield _flaw(document.place("kind"), problem, "keep one of the two")
    if inventory.home and inventory.home.name != inventory.environment:
        problem = "the environment is not named like its folder"
        yield _flaw(inventory.home.place("name"), problem, f"write `name: {inventory.environment}`")


def _repeated_names(inventory: Inventory) -> Iterator[Flaw]:
    for kind in schema.KINDS:
        first: dict[str, Document] = {}
        for document in inventory.declared[kind] if kind != "Environment" else ():
            earlier = first.setdefault(document.name, document) if document.name else document
            if earlier is not document:
                problem = f"this name is taken by another {kind}, at {earlier.place('name')}"
                yield _flaw(document.place("name"), problem, "choose another name, or remove one of the two")


def _destination(inventory: Inventory, known: Known, destination: Document) -> Iterator[Flaw]:
    value = destination.root.value
    if inventory.complete:
        yield from _link(known, destination, ("credential",), "Credential")
    seats = inventory.seats()
    if seats and value["seat"] not in seats:
        remedy = choices(value["seat"], speakable(seats), call="seats in environment.yaml")
        yield _flaw(destination.place("seat"), "there is no seat of that name", remedy)
    raw = _PERSONAL_TYPES.get(value["identifierType"])
    plain = value.get("form", Form.PLAIN) == Form.PLAIN
    if raw and plain and value.get("access", {}).get("pii", "hashed") == "hashed":
        place = destination.place("form" if "form" in value else "identifierType")
        problem = f"form plain sends raw {raw}, and `access` lets only hashes pass"
        yield _flaw(place, problem, "set `form: sha256`; or, if they may leave, `access: {pii: raw}`")


def _audience(inventory: Inventory, known: Known, audience: Document) -> Iterator[Flaw]:
    value = audience.root.value
    destinations = inventory.legal["Destination"]
    for index, name in enumerate(value["destinations"]):
        if inventory.complete:
            yield from _link(known, audience, ("destinations", index), "Destination")
        if name in destinations:
            wanted = destinations[name].root.value["identifierType"]
            yield from _column(audience, index, wanted, value["columns"])
    for index, exclusion in enumerate(value.get("exclude", [])):
        if not set(exclusion["columns"]) & set(value["columns"]):
            types = " or ".join(exclusion["columns"])
            yield _flaw(
                audience.place("exclude", index),
                "this list can't match anybody: it shares no identifier type with the audience",
                f"add {types} to the audience's `columns`, or one of those types to this list's",
            )


def _link(known: Known, document: Document, path: tuple[Step, ...], kind: str) -> Iterator[Flaw]:
    """Asked only when every file could be read in full: the other end may be in a lost part."""
    name = document.value(*path)
    if name not in known[kind]:
        remedy = choices(name, speakable(known[kind]), call=f"{kind.lower()}s here")
        yield _flaw(document.place(*path), f"there is no {kind} of that name", remedy)


def _column(audience: Document, index: int, wanted: str, columns: dict[str, Any]) -> Iterator[Flaw]:
    if wanted not in columns:
        yield _flaw(
            audience.place("destinations", index),
            f"this destination takes {wanted}, and `columns` names no column for it",
            f"add `{wanted}: <column>` under `columns`, or remove the destination",
        )


def _flaw(place: Place, problem: str, remedy: str) -> Flaw:
    return Flaw(place, Rank.SCHEMA, problem, remedy)


def notes(inventory: Inventory) -> Iterator[str]:
    """What nothing refers to."""
    destinations = inventory.legal["Destination"].values()
    audiences = inventory.legal["Audience"].values()
    used = {name for audience in audiences for name in audience.root.value["destinations"]}
    for document in destinations:
        if document.name not in used:
            yield f"{document.place('name')}: no audience uses this destination"
    credentials = {destination.root.value["credential"] for destination in destinations}
    for document in inventory.legal["Credential"].values():
        if document.name not in credentials:
            yield f"{document.place('name')}: no destination uses this credential"
    seats = {destination.root.value["seat"] for destination in destinations}
    for seat in inventory.seats():
        if inventory.home and seat not in seats:
            yield f"{inventory.home.key_place('seats', seat)}: no destination uses this seat"
