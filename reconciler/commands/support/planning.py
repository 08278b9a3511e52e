"""One plan from one reading of manifests, state, sources and Criteo."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from functools import partial

from reconciler.commands.support.options import COMPUTATIONS
from reconciler.commands.support.selection import selected
from reconciler.core.approval.approved_changes import approved_changes
from reconciler.core.approval.model import ApprovedPlan
from reconciler.core.errors import Finding
from reconciler.core.events import ProgressReporter
from reconciler.core.model import Address
from reconciler.core.overridden import with_overrides
from reconciler.core.override import Override
from reconciler.core.plan.deadline import before_deadline
from reconciler.core.plan.model import Plan
from reconciler.core.plan.observed import ObservedState, TeardownEnd
from reconciler.core.plan.planner import create_plan
from reconciler.core.plan.teardown import create_teardown
from reconciler.core.ports import MemberEngine, StateReader
from reconciler.core.reuse import ReadRecords
from reconciler.core.schedule import computation_at
from reconciler.core.state.model import StateHead
from reconciler.operations.observe import LoadedState, observe
from reconciler.operations.observe_teardown import observe_teardown
from reconciler.operations.preflight import check
from reconciler.operations.read_sources import NO_READINGS, EarlierReadings
from reconciler.render.document.model import Document, DocumentType
from reconciler.render.document.plan import plan_document, without_state
from reconciler.render.numbers import NumberFormat
from reconciler.workspace import Workspace

AcceptOverrides = Callable[[StateHead | None], frozenset[str] | None]
"""Returns the digests of the overrides that may count; None for all."""


def accept_all(_head: StateHead | None) -> frozenset[str] | None:
    return None


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A plan, and what apply needs beside it. `overrides` are those that count in it."""

    plan: Plan
    observed: ObservedState
    engine: MemberEngine
    overrides: tuple[Override, ...] = ()

    def document(
        self, space: Workspace, figures: NumberFormat, subject: DocumentType = DocumentType.PLAN
    ) -> Document:
        environment = space.desired.environment
        document = plan_document(self.plan, environment, figures, subject)
        return without_state(document, environment) if space.reviewed else document

    def before(self, deadline: str | None, space: Workspace) -> "PlanResult":
        """Return the plan in the best order before Criteo's next computation at this time, if it is given."""
        if deadline is None:
            return self
        computed_at = computation_at(COMPUTATIONS[deadline], self.plan.basis.made_at)
        ordered = before_deadline(self.plan, space.desired.environment.api.batch_size, computed_at)
        return replace(self, plan=ordered)

    def approvable(self, space: Workspace) -> ApprovedPlan | None:
        """Return what an apply of the plan must match; None if nothing of it can be applied."""
        environment, basis = space.desired.environment, self.plan.basis
        if self.plan.refused:
            return None
        return ApprovedPlan(
            digest="",
            environment=environment.name,
            endpoint=environment.api.endpoint,
            seats=dict(environment.seats),
            lineage=basis.lineage,
            made_at=basis.made_at,
            limits=environment.approval_limits,
            changes=approved_changes(self.plan, self.observed.resources),
            overrides=tuple(sorted(one.digest for one in self.overrides)),
        )


def make_teardown(
    space: Workspace, state: StateReader, only: tuple[str, ...], end: TeardownEnd, progress: ProgressReporter
) -> PlanResult:
    """Read Criteo and the state once and return the plan that leaves no known member at Criteo."""
    known, engine = LoadedState.of(state), space.engine_over(space.cache(), state)
    addresses = selected(only, space.addresses(known.resources))

    def doing(what: str) -> None:
        space.clock.check()
        progress.doing(what)

    readers = space.readers()
    checked = partial(check, space.desired, space.inspectors())
    seen = observe_teardown(
        space.desired, addresses, end, readers, known, engine, space.clock, doing, checked
    )
    progress.doing("")
    space.clock.check()
    desired = replace(space.desired, notes=(*space.desired.notes, *space.notes()))
    plan = create_teardown(desired, seen.observed, seen.diffs, addresses, end, next(iter(readers), ""))
    return PlanResult(plan, seen.observed, engine)


def _pending_erasure(environment: str, state: StateReader, problems: Sequence[Finding]) -> tuple[str, ...]:
    """Return notes about an incomplete erasure, and about the `problems` of the attempt to complete it."""
    if not state.erasures().is_pending:
        return ()
    note = f"an erasure is not complete: the next apply or `reconciler erase {environment} --yes` resumes it"
    return (note, *(f"the erasure is held up: {one}" for one in problems))


def earlier_readings(state: StateReader, *, read_sources: bool) -> EarlierReadings:
    """Return the readings of earlier runs; none if the user asks to read all sources."""
    return EarlierReadings(state.key(), ReadRecords() if read_sources else state.read_records())


def make_plan(
    space: Workspace,
    state: StateReader,
    only: tuple[str, ...],
    progress: ProgressReporter,
    counted: Container[Address] | None = (),
    earlier: EarlierReadings = NO_READINGS,
    accepts: AcceptOverrides = accept_all,
    unerased: Sequence[Finding] = (),
) -> PlanResult:
    """Read everything once and return the plan. `accepts` states which overrides may count.

    `counted` are the addresses to request statistics for; None for all.
    `earlier`: readings of sources that need not be repeated. `unerased`: what prevents a pending erasure.
    """
    known, engine = LoadedState.of(state), space.engine(state)
    addresses = selected(only, space.addresses(known.resources))

    def doing(what: str) -> None:
        space.clock.check()
        progress.doing(what)

    readers, clock = space.readers(), space.clock
    today = clock.now().date()
    desired = with_overrides(space.desired, today, accepts(known.head))
    checked = partial(check, desired, space.inspectors())
    asked = addresses if counted is None else counted
    seen = observe(desired, addresses, readers, known, engine, clock, doing, checked, asked, earlier)
    observed = space.dated(seen)
    progress.doing("")
    space.clock.check()
    pending = _pending_erasure(space.desired.environment.name, state, unerased)
    desired = replace(desired, notes=(*desired.notes, *space.notes(), *pending))
    return PlanResult(create_plan(desired, observed, addresses), observed, engine, desired.overrides)
