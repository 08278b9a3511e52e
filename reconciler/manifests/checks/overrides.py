"""`Override` documents: days that exist, and limits that the address may have."""

from collections.abc import Iterator
from datetime import date

from reconciler.core.override import EVERYTHING, too_late
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument, PathStep


def check(inventory: ManifestIndex) -> Iterator[Issue]:
    """Yield what is wrong with these documents."""
    for document in inventory.declared["Override"]:
        if (expires := document.text_of("expires")) and not _is_day(expires):
            yield _flaw(document, ("expires",), "there is no such day", "write a day, such as 2026-12-07")
        selector = document.text_of("address")
        for key, general in (("maxMissing", True), ("maxSuppressionShrink", False)):
            if not selector or document.value("guards", key) is None or (selector == EVERYTHING) is general:
                continue
            problem = f"{key} holds for the whole environment" if general else f'"*" never covers {key}'
            remedy = 'write `address: "*"`' if general else "name the audience or the address"
            yield _flaw(document, ("guards", key), problem, remedy)


def beyond_limit(inventory: ManifestIndex, today: date) -> Iterator[Issue]:
    """Yield the documents that expire too late: they are ignored, and only `validate` refuses them."""
    for document in inventory.declared["Override"]:
        expires = document.text_of("expires")
        if expires and _is_day(expires) and (found := too_late(date.fromisoformat(expires), today)):
            yield _flaw(document, ("expires",), *found)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _flaw(document: ManifestDocument, path: tuple[PathStep, ...], problem: str, remedy: str) -> Issue:
    return Issue(document.place(*path), IssueRank.SCHEMA, problem, remedy)
