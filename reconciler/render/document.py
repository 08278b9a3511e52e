"""A plan, a run or drift as a document: all that is said, decided once; layouts only place it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from reconciler.core.errors import Finding, ReconcilerError
from reconciler.core.events import addresses_blocked
from reconciler.core.members import TargetMembers
from reconciler.core.model import Address, Environment
from reconciler.core.plan.model import (
    Adopt,
    Create,
    Forget,
    Plan,
    Refill,
    Replace,
    Unchanged,
    Undecided,
    Update,
    address_of,
)
from reconciler.core.ports import StateHead
from reconciler.core.rounding import duration
from reconciler.core.schedule import ASSUMED_RATE
from reconciler.render.apply_report import ApplyReport
from reconciler.render.blocked import BlockedGroup, grouped
from reconciler.render.lists import ListRow, changed_lists
from reconciler.render.numbers import NumberFormat, age, counted, near, stamp
from reconciler.render.plan_rows import (
    Part,
    Row,
    RowContext,
    RowKind,
    blocked_row,
    leaving_line,
    row_of,
    with_definition,
    with_relaxed_guards,
    with_removal,
)
from reconciler.render.text import name, sentence

NO_STATE = "no state yet"
_SEATS_SHOWN = 3


class DocumentType(StrEnum):
    """What a document is about."""

    PLAN = "plan"
    APPLY = "apply"
    DRIFT = "drift"

    @property
    def heading(self) -> str:
        """It stands before the name of the environment."""
        return {
            DocumentType.PLAN: "Plan for",
            DocumentType.APPLY: "Apply to",
            DocumentType.DRIFT: "Drift of",
        }[self]


@dataclass(frozen=True, slots=True)
class Header:
    """`seats` are those of the environment, `state` and `data` what it was made from; "" for unknown."""

    document_type: DocumentType
    environment: str
    endpoint: str
    emulated: bool
    seats: tuple[str, ...]
    state: str
    data: str
    made_at: str


@dataclass(frozen=True, slots=True)
class Section:
    """All addresses to which the same thing happens, in their order."""

    kind: RowKind
    rows: tuple[Row, ...]

    @property
    def recorded(self) -> str:
        """What is said of all of them at once, where each has nothing else to say; "" elsewhere."""
        if self.kind != RowKind.STATE_ONLY:
            return ""
        their = "its" if len(self.rows) == 1 else "their"
        return f"{their} definition changed, {their} members did not; no call"

    @property
    def shared(self) -> tuple[Part, ...]:
        """Parts of the definition that changed alike for all of them."""
        first = self.rows[0].definition
        return first if all(row.definition == first for row in self.rows) else ()


@dataclass(frozen=True, slots=True)
class Totals:
    """How many addresses of each kind, and the members that move, in words."""

    kinds: tuple[tuple[RowKind, int], ...]
    unchanged: int
    adds: str
    removes: str

    def count(self, kind: RowKind) -> int:
        return dict(self.kinds).get(kind, 0)


NOTHING = Totals((), 0, "", "")


@dataclass(frozen=True, slots=True)
class RunError:
    """What ended the work, as an error tells it. A remedy may have several lines."""

    problem: str
    remedy: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Ready to be laid out. `summary` is its one line; `cost` says calls, time and when it shows.

    `precision` says how exact its counts are. `problems` stand against the plan as a whole.
    `outcome` is what an apply came to; `trouble` what kept the plan from being made, or ended the run.
    Without an outcome nothing was sent.
    `approvals` are the digests of the plans by whose approval it was carried out. `lists` are the
    exclusion lists that are not as they were last applied.
    `blocked` is what blocks addresses, by cause.
    `notice` comes before everything else: what the whole document has to be read with.
    """

    header: Header
    sections: tuple[Section, ...]
    totals: Totals
    summary: str
    estimate: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    precision: str = ""
    problems: tuple[Finding, ...] = ()
    outcome: ApplyReport | None = None
    error: RunError | None = None
    approvals: tuple[str, ...] = ()
    lists: tuple[ListRow, ...] = ()
    notice: tuple[str, ...] = ()
    blocked: tuple[BlockedGroup, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for section in self.sections for row in section.rows)

    @property
    def failure_headline(self) -> str:
        """What stands on top where nothing came of it; "" elsewhere."""
        if not self.error or self.outcome:
            return ""
        return f"{_nothing(self.header)}: {self.error.problem}."

    @property
    def risks(self) -> tuple[Row, ...]:
        """What a reviewer looks at first."""
        return tuple(row for row in self.rows if row.risky)

    @property
    def warning(self) -> str:
        """What stands above the risks."""
        return f"Look at {'this' if len(self.risks) == 1 else 'these'} first"

    @property
    def review_summary(self) -> str:
        """Why it is not a plain matter; "" where it is."""
        if not self.risks:
            return ""
        needs = "needs" if len(self.risks) == 1 else "need"
        return f"{counted(len(self.risks), 'address', 'addresses')} {needs} a look"

    @property
    def others(self) -> tuple[Section, ...]:
        """What carries no risk."""
        rest = (Section(one.kind, tuple(row for row in one.rows if not row.risky)) for one in self.sections)
        return tuple(section for section in rest if section.rows)

    @property
    def empty(self) -> bool:
        return not self.sections

    @property
    def applicable(self) -> bool:
        """Something of it can be applied, or nothing needs to be."""
        blocked = self.totals.count(RowKind.BLOCKED)
        return not self.problems and (not blocked or blocked < len(self.rows) or bool(self.totals.unchanged))

    def row(self, address: Address) -> Row | None:
        """What is said of one address; None when it doesn't change."""
        return next((row for row in self.rows if row.address == str(address)), None)


def error_document(
    document_type: DocumentType, environment: str, error: ReconcilerError, now: datetime
) -> Document:
    """Where nothing could be decided."""
    header = Header(document_type, name(environment), "", False, (), "", "", stamp(now))
    trouble = trouble_of(error)
    return Document(header, (), NOTHING, f"{_nothing(header)}: {trouble.problem}.", error=trouble)


def with_error(document: Document, error: ReconcilerError) -> Document:
    """The same, ended by `error`. What nothing came of costs nothing, and is never live."""
    cost = document.estimate if document.outcome else ()
    return replace(document, estimate=cost, error=trouble_of(error))


def _nothing(header: Header) -> str:
    """What didn't come to pass. Before an endpoint is known nothing was planned or compared."""
    if header.document_type == DocumentType.APPLY:
        return "Nothing was sent"
    if header.endpoint:
        return "This was not finished"
    return "No plan" if header.document_type == DocumentType.PLAN else "Nothing was compared"


def trouble_of(error: ReconcilerError) -> RunError:
    return RunError(sentence(error.problem), _lines(error.remedy), tuple(map(_tame, error.findings)))


def _tame(finding: Finding) -> Finding:
    return Finding(sentence(finding.where), sentence(finding.problem), _lines(finding.remedy))


def _lines(remedy: str) -> str:
    """A snippet to paste keeps its lines."""
    return "\n".join(map(sentence, remedy.splitlines()))


def plan_document(
    plan: Plan,
    environment: Environment,
    figures: NumberFormat,
    document_type: DocumentType = DocumentType.PLAN,
) -> Document:
    """What a plan says to people. `environment` is the one it was made for, as it was reached."""
    seats = {seat: label for label, seat in environment.seats}
    voice = RowContext(figures, seats, environment.api.batch_size)
    sections = _sections(plan, voice)
    totals = _totals(plan, sections, figures)
    return Document(
        header=_header(plan, environment, document_type),
        sections=sections,
        totals=totals,
        summary=_summary(plan, totals),
        estimate=(*_leaving(plan, figures), *_cost(plan, totals)),
        notes=tuple(_notes(plan, environment)),
        precision=figures.precision if sections else "",
        problems=tuple(map(_tame, plan.problems)),
        lists=changed_lists(plan.lists, figures),
        blocked=grouped(addresses_blocked(plan)),
    )


def without_state(document: Document, environment: Environment) -> Document:
    """The same, read by people who can't know whether the state is new or out of reach."""
    if document.header.state != NO_STATE:
        return document
    named = name(environment.name)
    folder = environment.state_url.startswith("file:")
    new = f"{named} has no state: all of its audiences count as new."
    wrong = (
        f"If {named} was applied before, `state.url` in its environment.yaml or the access to that place is"
        " wrong: fix it before anything is applied."
    )
    kept = "It is a folder, and most CI jobs keep none. " if folder else ""
    return replace(document, notice=(new, f"{kept}{wrong}"))


def _sections(plan: Plan, voice: RowContext) -> tuple[Section, ...]:
    blocked: dict[Address, list[Finding]] = defaultdict(list)
    for one in plan.blocked:
        blocked[one.address].append(one.finding)
    by_kind: dict[RowKind, list[Row]] = {kind: [] for kind in RowKind}
    for change in plan.changes:
        told = with_definition(row_of(change, voice), plan.redefined.get(address_of(change), ()))
        row = with_relaxed_guards(told, plan.relaxed_guards.get(address_of(change), ()))
        by_kind[row.kind].append(row)
    held = {address_of(one): one for one in plan.blocked_outcomes}
    leaving = {one.spec.address: one for one in plan.removals}
    by_kind[RowKind.BLOCKED] += [
        with_definition(
            with_removal(
                blocked_row(
                    address, findings, held.get(address), plan.relaxed_guards.get(address, ()), voice
                ),
                leaving.get(address),
                voice,
            ),
            plan.redefined.get(address, ()),
        )
        for address, findings in blocked.items()
    ]
    return tuple(Section(kind, tuple(rows)) for kind, rows in by_kind.items() if rows)


def _header(plan: Plan, environment: Environment, document_type: DocumentType) -> Header:
    basis = plan.basis
    header = heading(document_type, environment, StateHead(basis.lineage, basis.serial, ""), basis.made_at)
    return replace(header, data=_data(_newest(plan), basis.made_at))


def heading(
    document_type: DocumentType, environment: Environment, head: StateHead | None, now: datetime
) -> Header:
    emulated = environment.api.emulated
    seats = [
        f"{name(label)} (account {seat.account_id}, retailer {seat.retailer_id})"
        for label, seat in environment.seats
    ]
    if len(seats) > _SEATS_SHOWN:
        seats = [*seats[:_SEATS_SHOWN], f"{len(seats) - _SEATS_SHOWN:,} more"]
    known = f"state serial {head.serial:,}, lineage {name(head.lineage)[:8]}" if head else ""
    state = known if head and head.lineage else NO_STATE
    return Header(
        document_type=document_type,
        environment=name(environment.name),
        endpoint="the Criteo emulator" if emulated else name(environment.api.endpoint),
        emulated=emulated,
        seats=tuple(seats),
        state=state,
        data="",
        made_at=stamp(now),
    )


def _targets(plan: Plan) -> Iterator[TargetMembers]:
    for one in (*plan.changes, *plan.unchanged, *plan.blocked_outcomes):
        match one:
            case Create() | Adopt() | Update() | Replace() | Refill():
                yield one.members.target
            case Unchanged():
                yield one.target
            case Forget() | Undecided():
                pass
            case _:
                assert_never(one)


def _newest(plan: Plan) -> datetime | None:
    return max((target.newest for target in _targets(plan) if target.newest), default=None)


def _data(newest: datetime | None, now: datetime) -> str:
    return f"newest data {stamp(newest)} ({age(newest, now)})" if newest else ""


def _totals(plan: Plan, sections: tuple[Section, ...], figures: NumberFormat) -> Totals:
    deltas = [one.members.delta for one in plan.changes if not isinstance(one, Forget)]
    return Totals(
        kinds=tuple((section.kind, len(section.rows)) for section in sections),
        unchanged=len(plan.unchanged),
        adds=figures.plus(sum(delta.adds for delta in deltas)),
        removes=figures.minus(sum(delta.out for delta in deltas)),
    )


def _summary(plan: Plan, totals: Totals) -> str:
    left = f" {counted(plan.deferred, 'address is', 'addresses are')} left out." if plan.deferred else ""
    if not totals.kinds and left:
        return f"Nothing to apply now.{left}"
    if not totals.kinds:
        unchanged = f" {counted(totals.unchanged, 'address', 'addresses')} unchanged."
        return f"No changes. {name(plan.basis.environment)} is as the manifests say.{unchanged}"
    parts = [f"{count:,} {'' if kind == RowKind.BLOCKED else 'to '}{kind}" for kind, count in totals.kinds]
    parts += [f"{totals.unchanged:,} unchanged"] if totals.unchanged else []
    moved = " ".join(part for part in (totals.adds, totals.removes) if part)
    return f"Plan: {', '.join(parts)}." + (f" Members: {moved}." if moved else "") + left


def _leaving(plan: Plan, figures: NumberFormat) -> Iterator[str]:
    if (removals := plan.removals) and not plan.problems:
        where = counted(len(removals), "blocked address", "blocked addresses")
        yield f"At {where} {leaving_line(sum(one.count for one in removals), figures)}."


def _cost(plan: Plan, totals: Totals) -> Iterator[str]:
    if not totals.kinds:
        return
    if plan.problems or (plan.all_blocked and not plan.removals):
        yield _why_nothing(plan, totals)
        return
    if not (plan.changes or plan.removals):
        yield _why_no_change(plan)
        return
    yield f"Cost: {_calls(plan)}"
    if until := plan.cost.waits_until:
        ends = near(until, plan.basis.made_at)
        yield f"That includes a wait until {ends}: an unconfirmed request may still take effect."
    if totals.adds or totals.removes or plan.removals:
        computed, today = plan.cost.computed_at, plan.basis.made_at.date()
        day = "" if computed.date() == today else f" of {computed:%Y-%m-%d}"
        live = near(plan.cost.live_at, computed)
        yield f"Ready before the {computed:%H:%M} UTC computation{day}; live about {live}."


def _why_nothing(plan: Plan, totals: Totals) -> str:
    what = counted(totals.count(RowKind.BLOCKED), "address is", "addresses are")
    if not plan.problems:
        return f"Nothing can be applied: {what} blocked, and there is no other."
    also = f", and {what} blocked" if plan.blocked else ""
    return f"Nothing can be applied: the plan as a whole is refused{also}."


def _why_no_change(plan: Plan) -> str:
    what = counted(len({one.address for one in plan.blocked}), "address is", "addresses are")
    others = "" if plan.deferred else ", and all others are as the manifests say"
    return f"Nothing to apply: {what} blocked{others}."


def _calls(plan: Plan) -> str:
    cost = plan.cost
    if not cost.calls:
        return "no calls to Criteo."
    about = duration(cost.duration)
    took = f"about {about}" if cost.duration >= timedelta(minutes=1) else "less than a minute"
    paces = {
        credential: f"at {cost.rates.get(credential, ASSUMED_RATE).limit:,} a minute"
        + ("" if credential in cost.rates else " (assumed)")
        for credential in cost.calls
    }
    if len(cost.calls) == 1:
        [(credential, calls)] = cost.calls.items()
        return f"{counted(calls, 'API call')}, {took} {paces[credential]}."
    parts = [f"{counted(n, 'API call')} with {name(one)} {paces[one]}" for one, n in cost.calls.items()]
    return f"{', '.join(parts)}; {took}."


def _notes(plan: Plan, environment: Environment) -> Iterator[str]:
    if environment.sample_rows is not None:
        rows = counted(environment.sample_rows, "row")
        yield f"a sample: at most {rows} of each audience are sent (sample.rows in environment.yaml)"
    yield from map(sentence, plan.notes)
