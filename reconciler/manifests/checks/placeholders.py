"""Values that `init` or `dump` wrote as placeholders and that were not replaced."""

import re
from collections.abc import Iterator

from reconciler.core.errors import Finding
from reconciler.core.pii import REDACTED
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.syntax.nodes import ManifestDocument, Node, walk
from reconciler.manifests.syntax.pitfalls import FREE_TEXT

_YOURS = re.compile(r"(?<![A-Za-z0-9])YOUR-[A-Z]+")
_ZEROES = re.compile("0+")
"""An ID that no account and no retailer has."""
_REMEDIES = {
    "accountId": "write the id of your account at Criteo Retail Media, in quotes",
    "retailerId": "write the id of the retailer in that account, in quotes",
    "files": "write the files that its members come from, relative to the data root",
    "delta": "write the folder of the table that its members come from, relative to the data root",
    "iceberg": "write the folder of the table that its members come from, relative to the data root",
    "title": "write a title without personal data",
    "description": "write a description without personal data, or remove it",
    "url": "write a private bucket of yours, such as s3://acme-reconciler/production",
    "root": "write where your exports are, such as s3://acme-cdp/exports",
}


def placeholders(inventory: ManifestIndex) -> tuple[Finding, ...]:
    """Each with what to write in its place; in the order of files and lines."""
    found = (
        (document.at(node), _REMEDIES.get(name, "write yours in its place"))
        for documents in inventory.declared.values()
        for document in documents
        for name, node in _unwritten(document)
    )
    ordered = sorted(found, key=lambda one: (one[0].file, one[0].line, one[0].column))
    return tuple(Finding(str(place), "this is still a placeholder", remedy) for place, remedy in ordered)


def _unwritten(document: ManifestDocument) -> Iterator[tuple[str, Node]]:
    for name, node in walk(document.root):
        if isinstance(node.value, str) and _is_one(name, node.value):
            yield name, node


def _is_one(name: str, value: str) -> bool:
    if name in {"accountId", "retailerId"}:
        return bool(_ZEROES.fullmatch(value))
    return value == REDACTED if name in FREE_TEXT else is_placeholder(value)


def is_placeholder(text: str) -> bool:
    return bool(_YOURS.search(text))
