"""Carry out an erasure under the lock: in `erase`, and in each apply that finds an incomplete one."""

from collections.abc import Callable
from functools import partial

from reconciler.apply.erase import remove_erased
from reconciler.apply.recorder import ApplyContext
from reconciler.commands.support.audited import AuditedRun
from reconciler.core.errors import CancelledError, Finding, ReconcilerError
from reconciler.core.events import Event
from reconciler.core.ports import StateWriter
from reconciler.operations.erase_people import ErasurePlan, ErasureResult, carry_out
from reconciler.workspace import Workspace


def carry_out_erasure(
    space: Workspace,
    state: StateWriter,
    entry: AuditedRun,
    planned: ErasurePlan,
    emit: Callable[[Event], None],
) -> ErasureResult:
    """Store the list, remove at Criteo, and rewrite the state as far as possible."""
    readers = space.readers()
    tools = ApplyContext(
        api=space.desired.environment.api,
        state=state,
        engine=planned.engine,
        readers=readers,
        writers=space.writers(),
        clock=space.clock,
        emit=emit,
        telemetry=space.telemetry,
    )
    resources = {one.address: one for one in state.resources()}
    remove = partial(remove_erased, tools, space.desired.environment.name, resources)
    result = carry_out(planned, space.desired, state, readers, remove, space.clock)
    entry.changed("erased", result.removed)
    return result


def resume_erasure(
    space: Workspace, state: StateWriter, entry: AuditedRun, emit: Callable[[Event], None]
) -> tuple[Finding, ...]:
    """Complete an erasure that an earlier run left incomplete. Return what prevents it.

    It was confirmed when it was requested, and no guard counts for it, so nobody is asked again. What
    prevents it stops no other change.
    """
    erasures = state.erasures()
    if not erasures.is_pending:
        return ()
    planned = ErasurePlan(erasures, space.erasing_engine(state, erasures), lines=0)
    try:
        return carry_out_erasure(space, state, entry, planned, emit).problems
    except CancelledError:
        raise
    except ReconcilerError as error:
        return (Finding("", error.problem, error.remedy), *error.findings)
