"""The documents of one environment, by kind and name."""

from dataclasses import dataclass
from typing import Any

from reconciler.core.model import Guards
from reconciler.manifests.nodes import Document
from reconciler.manifests.schema import KINDS


@dataclass(frozen=True, slots=True)
class Inventory:
    """`sound` are documents that their schema accepts; `complete` is False when a part of a file was lost.

    `declared` holds all documents by kind, `legal` the sound ones by kind and name: of two with one
    name, the first.
    """

    environment: str
    complete: bool
    declared: dict[str, list[Document]]
    legal: dict[str, dict[str, Document]]

    @classmethod
    def of(
        cls, environment: str, documents: list[Document], sound: list[Document], *, complete: bool
    ) -> "Inventory":
        declared: dict[str, list[Document]] = {kind: [] for kind in KINDS}
        for document in documents:
            declared.setdefault(document.kind, []).append(document)
        legal: dict[str, dict[str, Document]] = {kind: {} for kind in KINDS}
        for document in sound:
            legal[document.kind].setdefault(document.name, document)
        return cls(environment, complete, declared, legal)

    @property
    def home(self) -> Document | None:
        """The environment's own document, when it is sound."""
        return next(iter(self.legal["Environment"].values()), None)

    def names(self, kind: str) -> dict[str, Document]:
        """What others may refer to, whatever else is wrong with it."""
        return {document.name: document for document in self.declared[kind]}

    def seats(self) -> dict[str, Any]:
        """Seats of the environment; empty when there are none that can be trusted."""
        seats: dict[str, Any] = self.home.root.value["seats"] if self.home else {}
        return seats


def share(text: str) -> float:
    """`20%` → 0.2."""
    return float(text.removesuffix("%")) / 100


def guards(declared: dict[str, Any], otherwise: Guards) -> Guards:
    """What is declared, and for the rest what holds otherwise."""

    def one(key: str, value: float) -> float:
        return share(declared[key]) if key in declared else value

    return Guards(
        max_shrink=one("maxShrink", otherwise.max_shrink),
        max_growth=one("maxGrowth", otherwise.max_growth),
        min_members=int(declared.get("minMembers", otherwise.min_members)),
        max_invalid=one("maxInvalid", otherwise.max_invalid),
        max_vanished=one("maxVanished", otherwise.max_vanished),
    )
