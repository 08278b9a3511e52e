"""The documents of one environment, by kind and name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.model import Guards
from reconciler.manifests.schema import KINDS
from reconciler.manifests.syntax.nodes import ManifestDocument, PathStep


@dataclass(frozen=True, slots=True)
class ManifestIndex:
    """`complete` is False when a document was lost, and with it perhaps a name that others refer to.

    `declared` holds all documents by kind, `named` by kind and name: of two with one name, the first.
    What a schema refuses is already taken out of them. `statements` are the texts of files of SQL, by path.
    """

    environment: str
    complete: bool
    declared: dict[str, list[ManifestDocument]]
    named: dict[str, dict[str, ManifestDocument]]
    statements: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        environment: str,
        documents: list[ManifestDocument],
        statements: Mapping[str, str],
        *,
        complete: bool,
    ) -> "ManifestIndex":
        declared: dict[str, list[ManifestDocument]] = {kind: [] for kind in KINDS}
        named: dict[str, dict[str, ManifestDocument]] = {kind: {} for kind in KINDS}
        for document in documents:
            declared[document.kind].append(document)
            if document.name:
                named[document.kind].setdefault(document.name, document)
        return cls(environment, complete, declared, named, statements)

    @property
    def home(self) -> ManifestDocument | None:
        """The environment's own document."""
        return next(iter(self.declared["Environment"]), None)

    def seats(self) -> dict[str, Any]:
        """Seats of the environment; empty when there are none."""
        seats: dict[str, Any] = (self.home.value("seats") if self.home else None) or {}
        return seats


def list_paths(document: ManifestDocument) -> Iterator[tuple[PathStep, ...]]:
    """Yield the path of each suppression or exclusion list of a document."""
    for path in (("suppress", "lists"), ("exclude",)):
        yield from ((*path, index) for index in range(len(document.value(*path) or [])))


def share(text: str) -> float:
    """`20%` → 0.2."""
    return float(text.removesuffix("%")) / 100


LIMITS = {
    "maxShrink": "max_shrink",
    "maxGrowth": "max_growth",
    "minMembers": "min_members",
    "maxInvalid": "max_invalid",
    "maxMissing": "max_missing",
    "maxSuppressionShrink": "max_suppression_shrink",
}
"""The field of `Guards` of each key."""


def guards(declared: dict[str, Any], otherwise: Guards) -> Guards:
    """Return the declared guards, and the defaults for the others."""

    def one(key: str, value: float) -> float:
        return share(declared[key]) if key in declared else value

    return Guards(
        max_shrink=one("maxShrink", otherwise.max_shrink),
        max_growth=one("maxGrowth", otherwise.max_growth),
        min_members=int(declared.get("minMembers", otherwise.min_members)),
        max_invalid=one("maxInvalid", otherwise.max_invalid),
        max_missing=one("maxMissing", otherwise.max_missing),
        max_suppression_shrink=one("maxSuppressionShrink", otherwise.max_suppression_shrink),
    )
