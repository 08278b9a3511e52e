"""The whole way: files → documents → every check → `DesiredState`, or every finding at once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

from reconciler.core.api_versions import SUPPORT
from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import ConfigurationError
from reconciler.core.promotion.gates import NOTHING_PROMOTED
from reconciler.manifests import countries, project, sql_files
from reconciler.manifests.build import build
from reconciler.manifests.checks import (
    adoptions,
    engines,
    lifecycle,
    overrides,
    partitions,
    queries,
    snapshot_keys,
)
from reconciler.manifests.checks import references as links
from reconciler.manifests.checks import segment_names as naming
from reconciler.manifests.checks import source_files as sources
from reconciler.manifests.checks.placeholders import placeholders
from reconciler.manifests.checks.schema_errors import of_unknown_kind, validate
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.promotion_lock import promotion_record
from reconciler.manifests.schema import KINDS
from reconciler.manifests.syntax.files import ParsedFiles, read
from reconciler.manifests.syntax.nodes import Issue, ManifestDocument, findings
from reconciler.manifests.syntax.pitfalls import inspect

_OLDEST_SUPPORTED = "2026-01"
_UNGATED = (
    "promotion.lock records promotions, but environment.yaml has no `promotion`: no gate checks changes"
)
_KNOWN_VERSIONS = tuple(version for version in SUPPORT if version >= _OLDEST_SUPPORTED)


def load(root: Path, environment: str, *, data_root: str | None = None) -> DesiredState:
    """Return the desired state of one environment. `data_root` replaces the declared one.

    The data root must exist. A missing file blocks only its audience, when it is read.
    """
    flaws, inventory = _declared(root, environment)
    flaws += sources.check_root(inventory, root, data_root)
    return _built(root, flaws, inventory, data_root, ())


def load_offline(root: Path, environment: str, *, today: date, data_root: str | None = None) -> DesiredState:
    """Return the desired state if the data may be on another machine: a note states this.

    Overrides that expire too late are part of what is found; alone, they stop nothing.
    """
    flaws, inventory = _declared(root, environment)
    if data_root or not sources.are_elsewhere(inventory, root):
        flaws += sources.check(inventory, root, data_root)
    if flaws:
        flaws += overrides.beyond_limit(inventory, today)
    return _built(root, flaws, inventory, data_root, (*sources.notes(inventory, root, data_root),))


def load_without_sources(root: Path, environment: str, *, data_root: str | None = None) -> DesiredState:
    """Return the desired state without its data."""
    flaws, inventory = _declared(root, environment)
    return _built(root, flaws, inventory, data_root, ())


def _declared(root: Path, environment: str) -> tuple[list[Issue], ManifestIndex]:
    reading = read(root, project.files(root, environment))
    flaws, documents = check_documents(reading)
    complete = reading.complete and len(documents) == len(reading.documents)
    statements, unread = sql_files.read(root, documents)
    inventory = ManifestIndex.of(environment, documents, statements, complete=complete)
    flaws += (*unread, *links.check(inventory), *countries.check(inventory), *naming.check(inventory))
    flaws += (
        *lifecycle.check(inventory),
        *adoptions.check(inventory),
        *engines.check(inventory),
        *overrides.check(inventory),
    )
    flaws += (*snapshot_keys.check(inventory), *queries.check(inventory), *partitions.check(inventory))
    return flaws, inventory


def declared(root: Path, environment: str) -> ManifestIndex:
    """The sound documents of one environment, as they are written."""
    flaws, inventory = _declared(root, environment)
    _refuse(flaws, environment)
    return inventory


def _built(
    root: Path, flaws: list[Issue], inventory: ManifestIndex, data_root: str | None, notes: tuple[str, ...]
) -> DesiredState:
    _refuse(flaws, inventory.environment)
    noted = (
        *_version_notes(inventory),
        *_gate_notes(root, inventory),
        *notes,
        *links.notes(inventory),
        *queries.notes(inventory),
        *sql_files.notes(inventory, project.sql_files(root, inventory.environment)),
    )
    built = build(inventory, data_root, noted, placeholders(inventory))
    record = promotion_record(root, inventory.environment)
    if built.environment.promotion:
        return replace(built, promotion=record)
    return replace(built, notes=(*built.notes, _UNGATED)) if record != NOTHING_PROMOTED else built


def _refuse(flaws: list[Issue], environment: str) -> None:
    if found := findings(flaws):
        count = "a problem" if len(found) == 1 else f"{len(found)} problems"
        raise ConfigurationError(f"{count} in environments/{environment}", findings=found)


def check_documents(reading: ParsedFiles) -> tuple[list[Issue], list[ManifestDocument]]:
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


def _gate_notes(root: Path, inventory: ManifestIndex) -> Iterator[str]:
    source = inventory.home.value("promotion", "from") if inventory.home else None
    if inventory.home and source and source not in set(project.environments(root)) - {inventory.environment}:
        place = inventory.home.place("promotion", "from")
        yield f"{place}: there is no other environment {source} to promote from: the gates block each change"


def _version_notes(inventory: ManifestIndex) -> Iterator[str]:
    if not inventory.home or not (version := inventory.home.value("api", "version")):
        return
    place = inventory.home.place("api", "version")
    if version < _OLDEST_SUPPORTED:
        yield f"{place}: Criteo has ended support for this version of the API; 2026-07 is the current one"
    elif version not in _KNOWN_VERSIONS:
        yield f"{place}: this release doesn't know this version; known are {', '.join(_KNOWN_VERSIONS)}"
