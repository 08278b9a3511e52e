"""A plan as a document: all that is said about it, decided once; layouts only place it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.core.errors import Finding
from reconciler.core.members import Target
from reconciler.core.model import Address, Environment
from reconciler.core.plan import Forget, Plan
from reconciler.core.schedule import ASSUMED_RATE
from reconciler.render.figures import Figures, age, counted, duration, near, stamp
from reconciler.render.rows import Kind, Row, Voice, blocked_row, row_of
from reconciler.render.text import name, sentence

_SEATS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Header:
    """What the plan is of: `seats` are those of the environment, `state` and `data` what it was made from."""

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

    kind: Kind
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """How many addresses of each kind, and the members that move, in words."""

    kinds: tuple[tuple[Kind, int], ...]
    unchanged: int
    adds: str
    removes: str

    def count(self, kind: Kind) -> int:
        return dict(self.kinds).get(kind, 0)


@dataclass(frozen=True, slots=True)
class Document:
    """A plan, ready to be laid out. `summary` is its one line; `cost` says calls, time and when it shows."""

    header: Header
    sections: tuple[Section, ...]
    totals: Totals
    summary: str
    cost: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for section in self.sections for row in section.rows)

    @property
    def empty(self) -> bool:
        return not self.sections

    @property
    def applicable(self) -> bool:
        return not self.totals.count(Kind.BLOCKED)

    def row(self, address: Address) -> Row | None:
        """What is said of one address; None when it doesn't change."""
        return next((row for row in self.rows if row.address == str(address)), None)


def plan_document(plan: Plan, environment: Environment, figures: Figures) -> Document:
    """What a plan says to people. `environment` is the one it was made for, as it was reached."""
    seats = {seat: label for label, seat in environment.seats}
    voice = Voice(figures, seats, environment.api.batch_size)
    sections = _sections(plan, voice)
    totals = _totals(plan, sections, figures)
    return Document(
        header=_header(plan, environment),
        sections=sections,
        totals=totals,
        summary=_summary(plan, totals),
        cost=tuple(_cost(plan, totals)),
        notes=tuple(_notes(plan, environment)),
    )


def _sections(plan: Plan, voice: Voice) -> tuple[Section, ...]:
    blocked: dict[Address, list[Finding]] = defaultdict(list)
    for one in plan.blocked:
        blocked[one.address].append(one.finding)
    by_kind: dict[Kind, list[Row]] = {kind: [] for kind in Kind}
    for change in plan.changes:
        row = row_of(change, voice)
        by_kind[row.kind].append(row)
    by_kind[Kind.BLOCKED] += [blocked_row(address, findings) for address, findings in blocked.items()]
    return tuple(Section(kind, tuple(rows)) for kind, rows in by_kind.items() if rows)


def _header(plan: Plan, environment: Environment) -> Header:
    basis, emulated = plan.basis, environment.api.endpoint == "emulator"
    seats = [
        f"{name(label)} (account {seat.account_id}, retailer {seat.retailer_id})"
        for label, seat in environment.seats
    ]
    if len(seats) > _SEATS_SHOWN:
        seats = [*seats[:_SEATS_SHOWN], f"{len(seats) - _SEATS_SHOWN:,} more"]
    state = (
        f"state serial {basis.serial:,}, lineage {name(basis.lineage)[:8]}"
        if basis.lineage
        else "no state yet"
    )
    return Header(
        environment=name(basis.environment),
        endpoint="the Criteo emulator" if emulated else name(environment.api.endpoint),
        emulated=emulated,
        seats=tuple(seats),
        state=state,
        data=_data(_newest(plan), basis.made_at),
        made_at=stamp(basis.made_at),
    )


def _targets(plan: Plan) -> Iterator[Target]:
    yield from (one.members.target for one in plan.changes if not isinstance(one, Forget))
    yield from (one.target for one in plan.unchanged)


def _newest(plan: Plan) -> datetime | None:
    return max((target.newest for target in _targets(plan) if target.newest), default=None)


def _data(newest: datetime | None, now: datetime) -> str:
    return f"newest data {stamp(newest)} ({age(newest, now)})" if newest else ""


def _totals(plan: Plan, sections: tuple[Section, ...], figures: Figures) -> Totals:
    deltas = [one.members.delta for one in plan.changes if not isinstance(one, Forget)]
    return Totals(
        kinds=tuple((section.kind, len(section.rows)) for section in sections),
        unchanged=len(plan.unchanged),
        adds=figures.plus(sum(delta.adds for delta in deltas)),
        removes=figures.minus(sum(delta.out for delta in deltas)),
    )


def _summary(plan: Plan, totals: Totals) -> str:
    if not totals.kinds:
        unchanged = f" {counted(totals.unchanged, 'address', 'addresses')} unchanged."
        return f"No changes. {name(plan.basis.environment)} is as the manifests say.{unchanged}"
    parts = [f"{count:,} to {kind}" for kind, count in totals.kinds if kind != Kind.BLOCKED]
    parts += [f"{totals.unchanged:,} unchanged"] if totals.unchanged else []
    parts += [f"{totals.count(Kind.BLOCKED):,} blocked"] if totals.count(Kind.BLOCKED) else []
    moved = " ".join(part for part in (totals.adds, totals.removes) if part)
    return f"Plan: {', '.join(parts)}." + (f" Members: {moved}." if moved else "")


def _cost(plan: Plan, totals: Totals) -> Iterator[str]:
    if not totals.kinds:
        return
    if stopped := totals.count(Kind.BLOCKED):
        what = counted(stopped, "address is", "addresses are")
        yield f"Nothing can be applied while {what} blocked."
    if not plan.changes:
        return
    yield f"Cost: {_calls(plan)}"
    if totals.adds or totals.removes:
        computed, today = plan.cost.computed_at, plan.basis.made_at.date()
        day = "" if computed.date() == today else f" of {computed:%Y-%m-%d}"
        live = near(plan.cost.live_at, computed)
        yield f"Ready before the {computed:%H:%M} UTC computation{day}; live about {live}."


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
