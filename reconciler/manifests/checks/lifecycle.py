"""`Moved` and `Removed` documents: what they name has left the manifests, once, and leads somewhere."""

from collections.abc import Iterator, Sequence

from reconciler.core.lifecycle import selects
from reconciler.core.model import Address
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.suggestions import choices
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument

_DONE = "remove this document; it is only needed until it was applied"


def check(inventory: ManifestIndex) -> Iterator[Issue]:
    """Yield what is wrong with these documents. Addresses are known only if every document was readable."""
    moved = [one for one in inventory.declared["Moved"] if one.text_of("from") and one.text_of("to")]
    removed = [one for one in inventory.declared["Removed"] if one.text_of("address")]
    if not (moved or removed):
        return
    declared = _declared(inventory)
    yield from _repeated(removed, "address", "Removed")
    yield from _repeated(moved, "from", "Moved")
    yield from _repeated(moved, "to", "Moved")
    for document in removed:
        if _selected(document.text_of("address"), declared):
            problem = "the manifests still contain this address"
            remedy = "remove the audience or the destination from the manifests, or remove this document"
            yield _flaw(document, "address", problem, remedy)
        yield from _removed_and_moved(document, moved)
    for document in moved:
        yield from _move(inventory, document, moved, declared)


def _declared(inventory: ManifestIndex) -> list[Address]:
    return [
        Address(destination, audience.name)
        for audience in inventory.named["Audience"].values()
        for _, destination in audience.texts("destinations")
    ]


def _selected(selector: str, declared: Sequence[Address]) -> bool:
    return any(selects(selector, address) for address in declared)


def _overlap(one: str, other: str) -> bool:
    """Return whether two selectors select one address."""
    return one == other or one.rpartition("/")[2] == other or other.rpartition("/")[2] == one


def _repeated(documents: Sequence[ManifestDocument], key: str, kind: str) -> Iterator[Issue]:
    for at, document in enumerate(documents):
        earlier = next(
            (one for one in documents[:at] if _overlap(one.text_of(key), document.text_of(key))), None
        )
        if earlier:
            problem = f"another {kind} names this address, at {earlier.place(key)}"
            yield _flaw(document, key, problem, "remove one of the two")


def _removed_and_moved(document: ManifestDocument, moved: Sequence[ManifestDocument]) -> Iterator[Issue]:
    for other in moved:
        if _overlap(document.text_of("address"), other.text_of("from")):
            problem = f"this address is moved, at {other.place('from')}"
            yield _flaw(document, "address", problem, "remove one of the two documents")


def _move(
    inventory: ManifestIndex,
    document: ManifestDocument,
    moved: Sequence[ManifestDocument],
    declared: Sequence[Address],
) -> Iterator[Issue]:
    origin, to = document.text_of("from"), document.text_of("to")
    if ("/" in origin) != ("/" in to):
        problem = "`from` and `to` are not of one form"
        yield _flaw(document, "to", problem, "write two addresses, or two names of audiences")
    elif _selected(origin, declared):
        problem = "the manifests still contain what this document moves"
        yield _flaw(document, "from", problem, f"rename it in its audience, or {_DONE}")
    elif _ends_nowhere(document, moved):
        yield _flaw(document, "to", "these moves lead in a circle", _DONE)
    elif inventory.complete and not (_selected(to, declared) or _goes_on(to, moved)):
        known = sorted({address.audience if "/" not in to else str(address) for address in declared})
        problem = "there is no such audience or address in the manifests"
        offered = choices(to, known, call="names here")
        yield _flaw(document, "to", problem, f"{offered}; if it is gone, {_DONE}")


def _goes_on(to: str, moved: Sequence[ManifestDocument]) -> bool:
    """Return whether another document moves it on."""
    return any(one.text_of("from") == to for one in moved)


def _ends_nowhere(document: ManifestDocument, moved: Sequence[ManifestDocument]) -> bool:
    following = {one.text_of("from"): one.text_of("to") for one in moved}
    seen, at = set[str](), document.text_of("from")
    while at in following and at not in seen:
        seen.add(at)
        at = following[at]
    return at in seen


def _flaw(document: ManifestDocument, key: str, problem: str, remedy: str) -> Issue:
    return Issue(document.place(key), IssueRank.SCHEMA, problem, remedy)
