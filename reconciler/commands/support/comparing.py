"""A plan that is checked for a pull request: blocked addresses that the change touches, and all others."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reconciler.commands.support.annotations import annotate, at_their_manifests
from reconciler.commands.support.planning import PlanResult
from reconciler.core.changed_definitions import definitions, touched
from reconciler.core.model import Address
from reconciler.core.plan.model import Plan
from reconciler.manifests.revision import load_at
from reconciler.render.annotations import Level
from reconciler.render.numbers import counted
from reconciler.settings import Settings
from reconciler.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Change:
    """What a change touches; `before`: the definitions that it began with, None where nothing is compared."""

    before: Mapping[Address, str] | None
    now: Mapping[Address, str]

    @classmethod
    def since(cls, revision: str | None, space: Workspace) -> "Change":
        """ConfigurationError for a revision that isn't here."""
        now = definitions(space.desired.segments)
        if revision is None:
            return cls(None, now)
        then = load_at(space.root, space.desired.environment.name, revision)
        return cls(definitions(then.segments) if then else {}, now)

    def fails(self, plan: Plan) -> bool:
        """The change touches an address that is blocked."""
        return bool(self._blocked(plan))

    def noted(self, planned: PlanResult) -> PlanResult:
        """The plan, with notes of which blocked addresses are of this change, and which are not."""
        plan = planned.plan
        if self.before is None or plan.refused:
            return planned
        own = self._blocked(plan)
        others = {one.address for one in plan.blocked} - own
        notes = []
        if own:
            many = counted(len(own), "blocked address", "blocked addresses")
            notes.append(f"{many} changed since the base of this change, which fails its check (exit 5)")
        if others:
            many = counted(len(others), "blocked address is", "blocked addresses are")
            notes.append(f"{many} unchanged since the base of this change: they don't fail it")
        return replace(planned, plan=replace(plan, notes=(*plan.notes, *notes)))

    def annotate(self, plan: Plan, space: Workspace, settings: Settings) -> None:
        """At their manifests: errors, and warnings for what is not of this change and doesn't fail it."""
        mine = self._blocked(plan)
        all_fail = self.before is None or plan.refused
        own = [one for one in plan.blocked if all_fail or one.address in mine]
        others = [one for one in plan.blocked if one not in own]
        specs = space.desired.segments
        annotate((*plan.problems, *at_their_manifests(own, specs)), settings.directory)
        annotate(at_their_manifests(others, specs), settings.directory, Level.WARNING)

    def _blocked(self, plan: Plan) -> frozenset[Address]:
        if self.before is None:
            return frozenset()
        return touched((one.address for one in plan.blocked), self.before, self.now)
