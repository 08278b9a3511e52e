"""`Adopt` documents: each address and each segment once, and addresses that the manifests contain."""

from collections.abc import Iterator

from reconciler.core.adoption import Baseline
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.suggestions import choices, printable_names
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument


def check(inventory: ManifestIndex) -> Iterator[Issue]:
    """Yield what is wrong with these documents."""
    documents = inventory.declared["Adopt"]
    sampled = inventory.home is not None and inventory.home.value("sample") is not None
    for key, what in (("address", "address"), ("segmentId", "segment")):
        yield from _repeated(documents, key, what)
    if inventory.complete and documents:
        yield from _unknown(inventory, documents)
    for document in documents:
        if document.value("file") and document.value("baseline") in {Baseline.REUSE, Baseline.REPLACE}:
            problem = "`file` has no effect with this baseline"
            yield _flaw(document, "file", problem, "remove it, or set `baseline: assume`")
        if sampled and document.value("baseline") == Baseline.ASSUME:
            problem = "this environment sends a sample, so it would take a sample of the file as well"
            yield _flaw(document, "baseline", problem, "set `baseline: replace` or `baseline: reuse`")


def _repeated(documents: list[ManifestDocument], key: str, what: str) -> Iterator[Issue]:
    first: dict[str, ManifestDocument] = {}
    for document in documents:
        value = document.text_of(key)
        earlier = first.setdefault(value, document) if value else document
        if earlier is not document:
            problem = f"another Adopt names this {what}, at {earlier.place(key)}"
            yield _flaw(document, key, problem, "remove one of the two")


def _unknown(inventory: ManifestIndex, documents: list[ManifestDocument]) -> Iterator[Issue]:
    declared = {
        f"{destination}/{audience.name}": {destination, audience.name}
        for audience in inventory.declared["Audience"]
        for _, destination in audience.texts("destinations")
    }
    printable = sorted(one for one, names in declared.items() if names == set(printable_names(names)))
    for document in documents:
        address = document.text_of("address")
        if address and address not in declared:
            remedy = choices(address, printable, call="addresses here")
            problem = "no audience has this address"
            yield _flaw(document, "address", problem, f"{remedy}; if it is gone, remove this document")


def _flaw(document: ManifestDocument, key: str, problem: str, remedy: str) -> Issue:
    return Issue(document.place(key), IssueRank.SCHEMA, problem, remedy)
