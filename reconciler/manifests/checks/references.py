"""References between documents: one environment, unique names, existing targets."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from reconciler.core.model import Hashing, IdentifierType, PersonalData, SourceLocation
from reconciler.manifests import project, schema
from reconciler.manifests.checks.schema_errors import RENAMED
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.suggestions import choices, printable_names
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument, PathStep

_TO = "destinations"
_PERSONAL_TYPES = {
    IdentifierType.EMAIL.value: "e-mail addresses",
    IdentifierType.PHONE_NUMBER.value: "phone numbers",
}


def check(inventory: ManifestIndex) -> Iterator[Issue]:
    """Everything that a document can't be blamed for alone."""
    yield from _environment(inventory)
    yield from _repeated_names(inventory)
    yield from _one_token_each(inventory)
    offered = {kind: printable_names(inventory.named[kind]) for kind in ("Credential", "Destination")}
    for destination in inventory.declared["Destination"]:
        yield from _link(inventory, destination, ("credential",), "Credential", offered)
        yield from _seat(inventory, destination)
        yield from _hashing(destination)
    for audience in inventory.declared["Audience"]:
        yield from _audience(inventory, audience, offered)
    if inventory.home:
        yield from _suppression(inventory, inventory.home)
        yield from _names_in(inventory.home, ("notify",), "receiver")


def _environment(inventory: ManifestIndex) -> Iterator[Issue]:
    home = PurePosixPath(project.home(inventory.environment))
    found = inventory.declared["Environment"]
    if not found and inventory.complete:
        remedy = "create it with a document of `kind: Environment`"
        yield _flaw(SourceLocation(str(home), 1, 1), "there is no environment", remedy)
    for index, document in enumerate(found):
        if PurePosixPath(document.file).with_suffix("") != home.with_suffix(""):
            remedy = "move it into environment.yaml of this environment's folder"
            yield _flaw(document.place("kind"), "an Environment outside environment.yaml", remedy)
        elif index:
            problem = f"a second Environment; the first is at {found[0].place()}"
            yield _flaw(document.place("kind"), problem, "keep one of the two")
    if inventory.home and inventory.home.name not in {inventory.environment, ""}:
        problem = "the environment is not named like its folder"
        yield _flaw(inventory.home.place("name"), problem, f"write `name: {inventory.environment}`")


def _suppression(inventory: ManifestIndex, home: ManifestDocument) -> Iterator[Issue]:
    """One name for each list, and exempt addresses that exist."""
    yield from _names_in(home, ("suppress", "lists"), "suppression list")
    declared = inventory.declared["Audience"]
    addresses = {f"{name}/{one.name}": {name, one.name} for one in declared for _, name in one.texts(_TO)}
    printable = sorted(text for text, names in addresses.items() if names == set(printable_names(names)))
    for index, address in home.texts("suppress", "exempt"):
        if inventory.complete and address not in addresses:
            remedy = choices(address, printable, call="addresses here")
            place = home.place("suppress", "exempt", index)
            yield _flaw(place, "no audience has this address", remedy)


def _names_in(home: ManifestDocument, entries: tuple[PathStep, ...], kind: str) -> Iterator[Issue]:
    """Yield the entries of a list whose name an entry before has."""
    first: dict[str, SourceLocation] = {}
    for index in range(len(home.value(*entries) or [])):
        path = (*entries, index, "name")
        if isinstance(name := home.value(*path), str):
            earlier = first.setdefault(name, home.place(*path))
            if earlier != home.place(*path):
                problem = f"this name is taken by another {kind}, at {earlier}"
                yield _flaw(home.place(*path), problem, "choose another name, or remove one of the two")


def _repeated_names(inventory: ManifestIndex) -> Iterator[Issue]:
    for kind in schema.KINDS:
        first: dict[str, ManifestDocument] = {}
        for document in inventory.declared[kind] if kind != "Environment" else ():
            earlier = first.setdefault(document.name, document) if document.name else document
            if earlier is not document:
                problem = f"this name is taken by another {kind}, at {earlier.place('name')}"
                yield _flaw(document.place("name"), problem, "choose another name, or remove one of the two")


def _one_token_each(inventory: ManifestIndex) -> Iterator[Issue]:
    """Each application would use up the other's refresh token."""
    first: dict[str, SourceLocation] = {}
    for credential in inventory.declared["Credential"]:
        for path in (("refreshToken",), ("plan", "refreshToken")):
            token = credential.value(*path)
            if not isinstance(token, str):
                continue
            place = credential.place(*path)
            if first.setdefault(token, place) != place:
                problem = f"another application keeps its refresh token there, at {first[token]}"
                yield _flaw(place, problem, "give each application a place of its own")


def _seat(inventory: ManifestIndex, destination: ManifestDocument) -> Iterator[Issue]:
    """An illegal name among the seats may be the one that is meant."""
    name, seats = destination.text_of("seat"), inventory.seats()
    legal = printable_names(seats)
    if name and name not in seats and legal and len(legal) == len(seats):
        remedy = choices(name, legal, call="seats in environment.yaml")
        yield _flaw(destination.place("seat"), "there is no seat of that name", remedy)


def _hashing(destination: ManifestDocument) -> Iterator[Issue]:
    raw = _PERSONAL_TYPES.get(destination.text_of("identifierType"))
    if (
        not raw
        or destination.lost("hashing")
        or destination.lost("access")
        or destination.lost("access", "pii")
        or any(destination.value(key) is not None for key in RENAMED)
    ):
        return
    if destination.value("access", "pii") == PersonalData.NONE:
        problem = f"{raw} are personal data, also as hashes, and `access.pii: none` lets none pass"
        yield _flaw(
            destination.place("access", "pii"),
            problem,
            "set `access: {pii: hashed}`, or send another identifier type",
        )
    plain = destination.value("hashing") in {None, Hashing.NONE}
    if plain and destination.value("access", "pii") in {None, PersonalData.HASHED}:
        place = destination.place("hashing" if destination.value("hashing") else "identifierType")
        problem = f"hashing none sends raw {raw}, and `access` lets only hashes pass"
        yield _flaw(place, problem, "set `hashing: sha256`; or, if they may leave, `access: {pii: raw}`")


def _audience(
    inventory: ManifestIndex, audience: ManifestDocument, offered: dict[str, list[str]]
) -> Iterator[Issue]:
    columns = _columns(audience)
    for index, name in audience.texts("destinations"):
        yield from _link(inventory, audience, ("destinations", index), "Destination", offered)
        destination = inventory.named["Destination"].get(name)
        wanted = destination.text_of("identifierType") if destination else ""
        if wanted and columns and wanted not in columns:
            yield _flaw(
                audience.place("destinations", index),
                f"this destination takes {wanted}, and `columns` names no column for it",
                f"add `{wanted}: <column>` under `columns`, or remove the destination",
            )
    for index in range(len(audience.value("exclude") or [])):
        listed = _columns(audience, "exclude", index)
        if listed and columns and not listed & columns:
            types = " or ".join(sorted(listed))
            yield _flaw(
                audience.place("exclude", index),
                "this list can't match any member: it shares no identifier type with the audience",
                f"add {types} to the audience's `columns`, or one of those types to this list's",
            )


def _columns(audience: ManifestDocument, *path: PathStep) -> set[str]:
    """Identifier types that have a column; empty when a misspelt one may be among them."""
    node = audience.root
    for step in (*path, "columns"):
        if step not in node.items:
            return set()
        node = node.items[step]
    return set(node.keys) if set(node.keys) <= set(IdentifierType) else set()


def _link(
    inventory: ManifestIndex,
    document: ManifestDocument,
    path: tuple[PathStep, ...],
    kind: str,
    offered: dict[str, list[str]],
) -> Iterator[Issue]:
    """Yield a finding if the target does not exist. Checked only if every document was readable."""
    name = document.value(*path)
    if inventory.complete and name and name not in inventory.named[kind]:
        remedy = choices(name, offered[kind], call=f"{kind.lower()}s here")
        yield _flaw(document.place(*path), f"there is no {kind} of that name", remedy)


def _flaw(place: SourceLocation, problem: str, remedy: str) -> Issue:
    return Issue(place, IssueRank.SCHEMA, problem, remedy)


def notes(inventory: ManifestIndex) -> Iterator[str]:
    """Yield a note for each document that no other refers to."""
    destinations = inventory.declared["Destination"]
    used = {name for audience in inventory.declared["Audience"] for _, name in audience.texts("destinations")}
    for document in destinations:
        if document.name not in used:
            yield f"{document.place('name')}: no audience uses this destination"
    credentials = {destination.text_of("credential") for destination in destinations}
    for document in inventory.declared["Credential"]:
        if document.name not in credentials:
            yield f"{document.place('name')}: no destination uses this credential"
    seats = {destination.text_of("seat") for destination in destinations}
    for seat in inventory.seats():
        if inventory.home and seat not in seats:
            yield f"{inventory.home.key_place('seats', seat)}: no destination uses this seat"
