"""Ownership tags in the steps of a plan, once the lineage of the state is known: the first apply makes it."""

from dataclasses import replace
from typing import TypeVar

from reconciler.core.plan.changes import Change, Ending
from reconciler.core.plan.model import Plan
from reconciler.core.plan.steps import CreateSegment, FinishStep, SetupStep, UpdateSegment
from reconciler.core.state.ownership_tag import Tag, tag, with_tag

Step = TypeVar("Step", bound=SetupStep | FinishStep)


def tagged(plan: Plan, lineage: str) -> Plan:
    """Return the plan with the ownership tag in every description that it sends."""
    return replace(
        plan, changes=tuple(_tagged(change, plan.basis.environment, lineage) for change in plan.changes)
    )


def _tagged(change: Change, environment: str, lineage: str) -> Change:
    if isinstance(change, Ending):
        return change
    whose = tag(environment, change.spec.address, lineage)
    steps = replace(
        change.steps,
        setup=tuple(_with_tag(step, whose) for step in change.steps.setup),
        finalize=tuple(_with_tag(step, whose) for step in change.steps.finalize),
    )
    return replace(change, steps=steps)


def _with_tag(step: Step, whose: Tag) -> Step:
    if isinstance(step, CreateSegment | UpdateSegment) and step.description is not None:
        return replace(step, description=with_tag(step.description, whose))
    return step
