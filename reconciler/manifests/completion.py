"""Names in manifests for shell completion. Nothing is checked, and no error is raised."""

from collections.abc import Iterator
from pathlib import Path

from reconciler.core.model import Address
from reconciler.manifests.project import files
from reconciler.manifests.syntax.files import read


def addresses(root: Path, environment: str) -> Iterator[Address]:
    for document in read(root, files(root, environment)).documents:
        if document.kind == "Audience":
            for _, destination in document.texts("destinations"):
                yield Address(destination, document.name)


def credentials(root: Path, environment: str) -> Iterator[str]:
    for document in read(root, files(root, environment)).documents:
        if document.kind == "Credential":
            yield document.name
