"""The whole way: files → documents → every check → `Desired`, or every finding at once."""

from collections.abc import Iterator
from pathlib import Path

from reconciler.core.errors import ConfigurationError
from reconciler.core.model import Desired
from reconciler.manifests import links, naming, project, sources
from reconciler.manifests.build import build
from reconciler.manifests.complaints import of_unknown_kind, validate
from reconciler.manifests.inventory import Inventory
from reconciler.manifests.nodes import Document, Flaw, findings
from reconciler.manifests.reading import Reading, read
from reconciler.manifests.schema import KINDS
from reconciler.manifests.traps import inspect

_OLDEST_SUPPORTED = "2026-01"
_KNOWN_VERSIONS = ("2026-01", "2026-07", "2027-01")


def load(root: Path, environment: str, *, data_root: str | None = None) -> Desired:
    """What the manifests of one environment ask for; `data_root` replaces the declared one."""
    reading = read(root, project.files(root, environment))
    flaws, documents = judge(reading)
    complete = reading.complete and len(documents) == len(reading.documents)
    inventory = Inventory.of(environment, documents, complete=complete)
    flaws += [*links.check(inventory), *naming.check(inventory), *sources.check(inventory, root, data_root)]
    found = findings(flaws)
    if found:
        count = "a problem" if len(found) == 1 else f"{len(found)} problems"
        raise ConfigurationError(f"{count} in environments/{environment}", findings=found)
    return build(inventory, data_root, tuple(_notes(inventory, data_root)))


def judge(reading: Reading) -> tuple[list[Flaw], list[Document]]:
    """Each document by itself: all flaws, and the documents of known kinds without what is wrong in them."""
    flaws = list(reading.flaws)
    documents = []
    for document in reading.documents:
        flaws += inspect(document)
        if document.kind in KINDS:
            complaints, rest = validate(document)
            flaws += complaints
            documents.append(rest)
        else:
            flaws.append(of_unknown_kind(document))
    return flaws, documents


def _notes(inventory: Inventory, data_root: str | None) -> Iterator[str]:
    yield from _version_notes(inventory)
    yield from sources.notes(inventory, data_root)
    yield from links.notes(inventory)


def _version_notes(inventory: Inventory) -> Iterator[str]:
    if not inventory.home or not (version := inventory.home.value("api", "version")):
        return
    place = inventory.home.place("api", "version")
    if version < _OLDEST_SUPPORTED:
        yield f"{place}: Criteo has ended support for this version of the API; 2026-07 is the current one"
    elif version not in _KNOWN_VERSIONS:
        yield f"{place}: this release doesn't know this version; known are {', '.join(_KNOWN_VERSIONS)}"
