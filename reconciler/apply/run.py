"""One apply from the first write to the report: preludes in order, then segments side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from reconciler.apply.ledger import FAILURES, Ledger, Tools
from reconciler.apply.prelude import patch, run_prelude
from reconciler.apply.transfer import remove_suppressed, send_members
from reconciler.core.definition import parts_of
from reconciler.core.errors import CancelledError, ReconcilerError, RefusedError, StorageError
from reconciler.core.events import Outcome
from reconciler.core.members import AppliedList
from reconciler.core.model import Address
from reconciler.core.plan import (
    Forget,
    PatchSegment,
    Plan,
    PromoteSuccessor,
    Removal,
    Replace,
    Sending,
    address_of,
)
from reconciler.core.receipt import Holding, Receipt, Retired
from reconciler.core.rejections import failure
from reconciler.core.tagging import tagged

Job = Callable[[], None]
RunJobs = Callable[[Sequence[Job]], None]
"""Runs all jobs, side by side or one after the other; raises what a job raises once all have stopped."""


@dataclass(frozen=True, slots=True)
class Report:
    """How an apply ended. `acknowledged` counts batches, `rejected` identifiers that Criteo refused.

    `wrote`: something was changed at Criteo, or may have been. `stopped` is what ended the whole run.
    """

    outcomes: Mapping[Address, Outcome]
    errors: Mapping[Address, ReconcilerError]
    unchanged: int
    acknowledged: int
    rejected: int
    wrote: bool
    stopped: ReconcilerError | None = None

    def count(self, outcome: Outcome) -> int:
        return sum(one == outcome for one in self.outcomes.values())


def apply(plan: Plan, receipts: Mapping[Address, Receipt], tools: Tools, run_jobs: RunJobs) -> Report:
    """Carries out a plan. A plan without changes writes nothing.

    Failures of Criteo end their own address only; a request to stop and a failing state end the run,
    after all that was earned is written down. Blocked addresses stay as they are, but for
    suppressed people, who leave.
    RefusedError before the first write when something stands against the whole plan.
    """
    if plan.problems:
        raise RefusedError("the plan can't be applied; nothing was sent", findings=plan.problems)
    ledger, stopped = Ledger(tools, plan.basis.environment, receipts), None
    if plan.changes or plan.removals:
        try:
            tools.clock.check()
            lineage = tools.state.open_run().lineage
            _carry_out(tagged(plan, lineage), tools, ledger, run_jobs)
            tools.state.prune()
        except (CancelledError, StorageError) as error:
            stopped = error
        for change in plan.changes:
            ledger.end(address_of(change), Outcome.NOT_ATTEMPTED)
    return Report(
        outcomes=ledger.ended,
        errors=ledger.errors,
        unchanged=len(plan.unchanged),
        acknowledged=ledger.acknowledged,
        rejected=ledger.rejected,
        wrote=ledger.wrote,
        stopped=stopped,
    )


def _carry_out(plan: Plan, tools: Tools, ledger: Ledger, run_jobs: RunJobs) -> None:
    sending: list[Sending] = []
    for change in plan.changes:
        if isinstance(change, Forget):
            _forget(tools, ledger, change)
        else:
            sending.append(change)
    run_prelude(tools, ledger, sending)
    standing = [change for change in sending if change.spec.address not in ledger.ended]
    # Suppressed people first. Then the shortest: most audiences are ready early, few are left half-way.
    standing.sort(key=_urgency)
    leaving = [_leaving(tools, ledger, removal) for removal in plan.removals]
    run_jobs([*leaving, *(_job(tools, ledger, change) for change in standing)])


def _leaving(tools: Tools, ledger: Ledger, removal: Removal) -> Job:
    """The address stays blocked: only what keeps people from leaving is an outcome of it."""

    def job() -> None:
        tools.clock.check()
        try:
            for departure in removal.departures:
                remove_suppressed(tools, ledger, removal, departure)
        except FAILURES as error:
            ledger.end(removal.spec.address, Outcome.FAILED, error)
        except (CancelledError, StorageError):
            ledger.end(removal.spec.address, Outcome.STOPPED)
            raise

    return job


def _urgency(change: Sending) -> tuple[bool, int, Address]:
    delta = change.members.delta
    return delta.urgent == 0, delta.total, change.spec.address


def _forget(tools: Tools, ledger: Ledger, change: Forget) -> None:
    receipt = ledger.receipt(change.address)
    if change.drop:
        ledger.drop(receipt)
    else:
        ledger.write(replace(receipt, forgotten_at=tools.clock.now()))
    ledger.end(change.address, Outcome.APPLIED)


def _job(tools: Tools, ledger: Ledger, change: Sending) -> Job:
    def job() -> None:
        address = change.spec.address
        tools.clock.check()
        try:
            _complete(tools, ledger, change)
        except FAILURES as error:
            ledger.end(address, Outcome.FAILED, error)
        except (CancelledError, StorageError):
            ledger.end(address, Outcome.STOPPED)
            raise
        else:
            ledger.end(address, Outcome.APPLIED)

    return job


def _complete(tools: Tools, ledger: Ledger, change: Sending) -> None:
    address, lists = change.spec.address, change.members.target.applied_lists
    _keep_lists(tools, ledger, address, lists)
    if change.steps.transfer is not None:
        send_members(tools, ledger, change, change.steps.transfer)
    if isinstance(change, Replace):
        _check_accepted(ledger.holding(address, "successor"), change)
    for step in change.steps.finish:
        match step:
            case PatchSegment():
                patch(tools, ledger, [(change, step)])
                if address in ledger.errors:
                    raise ledger.errors[address]
            case PromoteSuccessor():
                _promote(tools, ledger, address, step)
            case _:
                assert_never(step)
    receipt = ledger.receipt(address)
    definition, parts = change.spec.definition, parts_of(change.spec)
    ledger.write(replace(receipt, definition=definition, parts=parts, forgotten_at=None, lists=lists))
    _check_accepted(receipt.current, change)


def _check_accepted(holding: Holding, change: Sending) -> None:
    """Raise if Criteo rejected too many identifiers. A replacement is checked before it takes over."""
    if error := failure(holding, change.spec):
        raise error


def _keep_lists(tools: Tools, ledger: Ledger, address: Address, lists: tuple[AppliedList, ...]) -> None:
    """The first batch is announced together with the lists that it is sent under: no crash loses them."""
    kept = {one.members for one in ledger.receipt(address).lists}
    for one in lists:
        if one.members and one.members not in kept:
            tools.state.keep(one.members, tools.engine.file(one.members))
    ledger.send_under(address, lists)


def _promote(tools: Tools, ledger: Ledger, address: Address, step: PromoteSuccessor) -> None:
    receipt = ledger.receipt(address)
    if receipt.successor is None:
        raise AssertionError(f"{address} has no successor")
    left = (Retired(receipt.current, tools.clock.now()),) if step.retires else ()
    promoted = replace(
        receipt, current=receipt.successor, successor=None, retired=(*receipt.retired, *left), renew=False
    )
    ledger.write(promoted)
