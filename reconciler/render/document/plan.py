"""A plan as a document."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from reconciler.core.events import addresses_blocked
from reconciler.core.members import TargetMembers
from reconciler.core.model import Address, Environment
from reconciler.core.plan.changes import (
    Adopt,
    Create,
    Delete,
    Empty,
    Ending,
    Forget,
    Refill,
    Replace,
    Unchanged,
    Undecided,
    Update,
    address_of,
)
from reconciler.core.plan.model import Blocked, Plan
from reconciler.core.rounding import format_limit
from reconciler.core.state.model import StateHead
from reconciler.render.document.blocked import grouped
from reconciler.render.document.exclusion_lists import changed_lists
from reconciler.render.document.model import (
    CredentialCalls,
    Document,
    DocumentType,
    Estimate,
    Header,
    NamedSeat,
    Removals,
    Section,
    StateMissing,
    StateRef,
    Totals,
    clean,
)
from reconciler.render.document.plan_rows import (
    RowContext,
    blocked_row,
    paused_row,
    row_of,
    with_definition,
    with_relaxed_guards,
    with_removal,
    with_resemblance,
)
from reconciler.render.document.row import Row, RowKind
from reconciler.render.document.statements import BeforeDeadline, Note, Remark, Sample, SourcesUnchanged
from reconciler.render.numbers import NumberFormat
from reconciler.render.text import name, sentence


def plan_document(
    plan: Plan,
    environment: Environment,
    figures: NumberFormat,
    document_type: DocumentType = DocumentType.PLAN,
) -> Document:
    """Return a plan as values. `environment` is the one it was made for, as it was reached."""
    seats = {seat: label for label, seat in environment.seats}
    voice = RowContext(figures, seats, environment.api.batch_size)
    sections = _sections(plan, voice)
    totals = _totals(plan, sections, figures)
    return Document(
        header=_header(plan, environment, document_type),
        sections=sections,
        totals=totals,
        estimate=_estimate(plan, totals, environment.api.share),
        removals=_removals(plan, figures),
        notes=tuple(_notes(plan, environment)),
        rounded_to=figures.step if sections else None,
        problems=tuple(map(clean, plan.problems)),
        lists=changed_lists(plan.lists, figures),
        blocked=grouped(addresses_blocked(plan)),
    )


def without_state(document: Document, environment: Environment) -> Document:
    """Return the document with a note that the state may be new or unreachable."""
    if document.header.state is not None:
        return document
    return replace(document, notice=StateMissing(environment.state_url.startswith("file:")))


def _sections(plan: Plan, voice: RowContext) -> tuple[Section, ...]:
    blocked: dict[Address, list[Blocked]] = defaultdict(list)
    for one in plan.blocked:
        blocked[one.address].append(one)
    by_kind: dict[RowKind, list[Row]] = {kind: [] for kind in RowKind}
    for change in plan.changes:
        defined = with_definition(row_of(change, voice), plan.redefined.get(address_of(change), ()))
        row = with_relaxed_guards(defined, plan.relaxed_guards.get(address_of(change), ()))
        row = with_resemblance(row, address_of(change), plan.resembling.get(address_of(change)))
        by_kind[row.kind].append(row)
    held = {address_of(one): one for one in plan.blocked_outcomes}
    leaving = {one.spec.address: one for one in plan.removals}
    by_kind[RowKind.BLOCKED] += [
        with_definition(
            with_removal(
                blocked_row(
                    address, blockers, held.get(address), plan.relaxed_guards.get(address, ()), voice
                ),
                leaving.get(address),
                voice,
            ),
            plan.redefined.get(address, ()),
        )
        for address, blockers in blocked.items()
    ]
    by_kind[RowKind.PAUSED] += [
        with_definition(
            with_removal(paused_row(held[address], voice), leaving.get(address), voice),
            plan.redefined.get(address, ()),
        )
        for address in plan.paused
    ]
    return tuple(Section(kind, tuple(rows)) for kind, rows in by_kind.items() if rows)


def _header(plan: Plan, environment: Environment, document_type: DocumentType) -> Header:
    basis = plan.basis
    header = heading(document_type, environment, StateHead(basis.lineage, basis.serial, ""), basis.made_at)
    return replace(header, newest_data=_newest(plan))


def heading(
    document_type: DocumentType, environment: Environment, head: StateHead | None, now: datetime
) -> Header:
    return Header(
        document_type=document_type,
        environment=name(environment.name),
        endpoint=name(environment.api.endpoint),
        emulated=environment.api.emulated,
        seats=tuple(
            NamedSeat(name(label), name(seat.account_id), name(seat.retailer_id))
            for label, seat in environment.seats
        ),
        state=StateRef(head.serial, name(head.lineage)) if head and head.lineage else None,
        newest_data=None,
        made_at=now,
    )


def _targets(plan: Plan) -> Iterator[TargetMembers]:
    for one in (*plan.changes, *plan.unchanged, *plan.blocked_outcomes):
        match one:
            case Create() | Adopt() | Update() | Replace() | Refill():
                yield one.members.target
            case Unchanged():
                yield one.target
            case Forget() | Empty() | Delete() | Undecided():
                pass
            case _:
                assert_never(one)


def _newest(plan: Plan) -> datetime | None:
    return max((target.newest for target in _targets(plan) if target.newest), default=None)


def _totals(plan: Plan, sections: tuple[Section, ...], figures: NumberFormat) -> Totals:
    deltas = [one.members.delta for one in plan.changes if not isinstance(one, Ending)]
    emptied = [one.emptying.removes for one in plan.changes if isinstance(one, Empty | Delete)]
    return Totals(
        kinds=tuple((section.kind, len(section.rows)) for section in sections),
        unchanged=len(plan.unchanged),
        adds=figures.number(sum(delta.adds for delta in deltas)),
        removes=figures.number(sum(delta.out for delta in deltas) + sum(emptied)),
        deferred=plan.deferred,
    )


def _removals(plan: Plan, figures: NumberFormat) -> Removals | None:
    if not plan.removals or plan.problems:
        return None
    members = figures.number(sum(one.count for one in plan.removals))
    stopped = {*plan.paused, *(one.address for one in plan.blocked)}
    blocked = sum(one.spec.address in stopped for one in plan.removals)
    return Removals(len(plan.removals), members, blocked)


def _estimate(plan: Plan, totals: Totals, share: float) -> Estimate | None:
    if plan.problems or not (plan.changes or plan.removals):
        return None
    cost = plan.cost
    moving = bool(totals.adds or totals.removes or plan.removals)
    return Estimate(
        calls=sum(cost.calls.values()),
        seconds=round(cost.duration.total_seconds()),
        credentials=tuple(
            CredentialCalls(
                name(credential),
                calls,
                cost.calls_per_minute(credential),
                credential not in cost.rates,
            )
            for credential, calls in cost.calls.items()
        ),
        share=format_limit(share),
        waits_until=cost.waits_until,
        computed_at=cost.computed_at if moving else None,
        live_at=cost.live_at if moving else None,
    )


def _notes(plan: Plan, environment: Environment) -> Iterator[Note]:
    if environment.sample_rows is not None:
        yield Sample(environment.sample_rows)
    if plan.reused:
        yield SourcesUnchanged(len(plan.reused), max(plan.reused.values()))
    if one := plan.deadline:
        late = tuple(name(str(address)) for address in one.late)
        yield BeforeDeadline(one.computed_at, one.changes - len(late), one.changes, late)
    yield from (Remark(sentence(one)) for one in plan.notes)
