"""The content of the manifests of one environment, resolved. Frozen, without secrets."""

from dataclasses import dataclass

from reconciler.core.adoption import Adoption
from reconciler.core.credential import Credential
from reconciler.core.database import DatabaseConnection
from reconciler.core.errors import Finding
from reconciler.core.lifecycle import MovedAudience, RemovedAudience, origins, selects
from reconciler.core.model import Address, Audience, Environment, SegmentSpec
from reconciler.core.override import Override
from reconciler.core.promotion.gates import NOTHING_PROMOTED, PromotionRecord


@dataclass(frozen=True, slots=True)
class DesiredState:
    """The content of the manifests of one environment. `notes` are warnings.

    `removed`, `moved` and `adoptions` are the documents of these kinds, also those that were applied.
    `overrides` are all that are declared, or those that count (`core/overridden.py`).
    `placeholders` are values of the scaffold that were not replaced: real calls need all of them replaced.
    """

    environment: Environment
    credentials: tuple[Credential, ...]
    segments: tuple[SegmentSpec, ...]
    notes: tuple[str, ...] = ()
    placeholders: tuple[Finding, ...] = ()
    promotion: PromotionRecord = NOTHING_PROMOTED
    removed: tuple[RemovedAudience, ...] = ()
    moved: tuple[MovedAudience, ...] = ()
    adoptions: tuple[Adoption, ...] = ()
    overrides: tuple[Override, ...] = ()
    connections: tuple[DatabaseConnection, ...] = ()

    @property
    def audiences(self) -> tuple[Audience, ...]:
        """Each audience once, in name order."""
        by_name = {spec.audience.name: spec.audience for spec in self.segments}
        return tuple(by_name[name] for name in sorted(by_name))

    def former(self, address: Address) -> tuple[Address, ...]:
        """Return the old addresses of an address that no other audience has now, the newest first."""
        old = origins(self.moved, address)
        declared = {spec.address for spec in self.segments} if old else frozenset()
        return tuple(one for one in old if one not in declared)

    def end_of(self, address: Address) -> RemovedAudience | None:
        """Return the document that states what becomes of an address; None if the manifests contain it."""
        found = next((one for one in self.removed if selects(one.selector, address)), None)
        declared = found is not None and any(spec.address == address for spec in self.segments)
        return None if declared else found
