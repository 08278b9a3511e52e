"""The content of the manifests of one environment, resolved. Frozen, without secrets."""

from dataclasses import dataclass

from reconciler.core.credential import Credential
from reconciler.core.errors import Finding
from reconciler.core.model import Audience, Environment, SegmentSpec
from reconciler.core.promotion.gates import NOTHING_PROMOTED, PromotionRecord


@dataclass(frozen=True, slots=True)
class DesiredState:
    """The content of the manifests of one environment. `notes` are warnings.

    `placeholders` are values of the scaffold that were not replaced: real calls need all of them replaced.
    """

    environment: Environment
    credentials: tuple[Credential, ...]
    segments: tuple[SegmentSpec, ...]
    notes: tuple[str, ...] = ()
    placeholders: tuple[Finding, ...] = ()
    promotion: PromotionRecord = NOTHING_PROMOTED

    @property
    def audiences(self) -> tuple[Audience, ...]:
        """Each audience once, in name order."""
        by_name = {spec.audience.name: spec.audience for spec in self.segments}
        return tuple(by_name[name] for name in sorted(by_name))
