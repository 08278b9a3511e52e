"""Every address by acknowledged members: size, state, Criteo's counts, and when it is live."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from reconciler.core.model import Address
from reconciler.core.plan.losses import loss
from reconciler.core.plan.rejections import rejection
from reconciler.core.remote import Statistics
from reconciler.core.rounding import format_limit
from reconciler.core.schedule import ACTIVATION_DELAY, next_computation
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.core.verification import MIN_MATCH_RATE, KeptVerification
from reconciler.render.numbers import NumberFormat, counted, near, stamp
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.terminal.state import settled
from reconciler.render.terminal.verification import kept_text, match_rate
from reconciler.render.text import GAP, left, name, right, widths

_NOT_ASKED = (
    "Acknowledged requests only (`--statistics` asks Criteo, `reconciler drift {environment}` compares)."
)


class AddressStatus(StrEnum):
    """The status of an address. The value is used in JSON."""

    NEVER_APPLIED = "never_applied"
    FORGOTTEN = "forgotten"
    REPLACING = "replacing"
    CREATE_UNCONFIRMED = "create_unconfirmed"
    TRANSFERRING = "transferring"
    MEMBERS_UNKNOWN = "members_unknown"
    ACKNOWLEDGED = "acknowledged"
    NOT_FILLED = "not_filled"


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One address. `members` is the size of the last completed transfer; `matches` is "" without statistics.

    `lost`: Criteo counts far fewer identifiers than it acknowledged. `verification` is the newest one.
    `trend` draws the size over the last runs.
    """

    address: str
    members: str
    rejected: str
    state: str
    settled_at: str
    live: str
    matches: str
    lost: str = ""
    verification: str = ""
    trend: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The status of an environment, as values. `basis` states whether statistics are included."""

    environment: str
    rows: tuple[StatusRow, ...]
    precision: str = ""
    basis: str = ""


def status(
    environment: str,
    wanted: Iterable[Address],
    resources: Iterable[ResourceState],
    statistics: Mapping[str, Statistics] | None,
    limits: Mapping[Address, float],
    verified: Mapping[Address, KeptVerification],
    now: datetime,
    figures: NumberFormat,
    paused: Container[Address] = (),
) -> Status:
    """Return the status of all addresses in the manifests or the state, in order.

    `statistics` is by segment ID; None without `--statistics`. `limits` are the shares that Criteo may reject
    (maxInvalid), of addresses in the manifests. `paused` are the addresses that a pause covers.
    """
    known = {resource.address: resource for resource in resources}
    rows = []
    for address in sorted({*wanted, *known}):
        resource = known.get(address)
        if resource is None:
            state = "never applied; paused" if address in paused else "never applied"
            rows.append(StatusRow(name(str(address)), "0", "", state, "", "", ""))
        else:
            found = statistics.get(resource.current.segment_id) if statistics else None
            row = _row(resource, found, limits.get(address), now, figures, paused=address in paused)
            gone = _lost(environment, resource, found, now, figures) if address in limits else ""
            proof = kept_text(verified[address], figures) if address in verified else ""
            rows.append(replace(row, lost=gone, verification=proof))
    basis = _NOT_ASKED.format(environment=name(environment)) if known and statistics is None else ""
    return Status(name(environment), tuple(rows), figures.precision if rows else "", basis)


def print_status(one: Status, out: Console) -> None:
    show(status_lines(one, out), out)


def status_lines(one: Status, out: Console) -> Iterator[Text]:
    yield Text.assemble("Status of ", (one.environment, "bold"))
    if one.rows:
        yield Text()
        addresses, members, trends = widths([(row.address, row.members, row.trend) for row in one.rows])
        for row in one.rows:
            first = GAP.join((f"  {left(row.address, addresses)}", right(row.members, members)))
            if trends:
                first = GAP.join((first, left(row.trend, trends)))
            room = cell_len(first) + len(GAP)
            if room + len(row.state) <= out.width:
                yield Text(f"{first}{GAP}{row.state}")
            else:
                yield Text(first)
                yield from wrapped(row.state, "", 4, out, hang=2)
            for line in (row.live, row.verification, row.matches, row.lost, row.rejected):
                if line:
                    yield from wrapped(line, "dim", 4, out, hang=2)
    yield Text()
    yield Text(f"{counted(len(one.rows), 'address', 'addresses')}.", "bold")
    for line in (one.precision, one.basis):
        if line:
            yield from wrapped(line, "dim", 0, out)


def _rejected(holding: SegmentState, limit: float | None, figures: NumberFormat) -> str:
    beyond = rejection(holding, limit) if limit is not None else None
    if beyond:
        return (
            f"{figures.count(beyond.rejected)} of {figures.count(beyond.sent)} identifiers rejected by "
            f"Criteo as invalid (limit {format_limit(beyond.limit)}, maxInvalid)"
        )
    return f"{figures.count(holding.rejected)} rejected by Criteo" if holding.rejected else ""


def _lost(
    environment: str, resource: ResourceState, found: Statistics | None, now: datetime, figures: NumberFormat
) -> str:
    counts = loss(resource.current, found, now)
    if counts is None:
        return ""
    share = f"{figures.count(counts.counted)} of the {figures.count(counts.acknowledged)} identifiers"
    way = f"`reconciler plan {name(environment)} --statistics --only {resource.address}`"
    return f"Criteo counts {share} that it acknowledged: {way} plans to refill it"


def _row(
    resource: ResourceState,
    found: Statistics | None,
    limit: float | None,
    now: datetime,
    figures: NumberFormat,
    *,
    paused: bool,
) -> StatusRow:
    current = resource.current
    marks = (("paused", paused), ("protected", resource.protected))
    return StatusRow(
        address=name(str(resource.address)),
        members=figures.count(settled(current)),
        rejected=_rejected(current, limit, figures),
        state="; ".join((_state(resource, figures), *(what for what, is_set in marks if is_set))),
        settled_at=stamp(current.completed_at) if current.completed_at else "",
        live=_live(current.completed_at, now) if current.completed_at else "",
        matches=_matches(found, figures) if found else "",
    )


def address_status(resource: ResourceState) -> AddressStatus:
    if resource.forgotten_at:
        return AddressStatus.FORGOTTEN
    return AddressStatus.REPLACING if resource.replacement else segment_status(resource.current)


def segment_status(segment: SegmentState) -> AddressStatus:
    """Return the status of one segment."""
    if segment.intent:
        return AddressStatus.CREATE_UNCONFIRMED
    if segment.transfer:
        return AddressStatus.TRANSFERRING
    if segment.size is None and segment.members_unknown_before:
        return AddressStatus.MEMBERS_UNKNOWN
    return AddressStatus.ACKNOWLEDGED if segment.completed_at else AddressStatus.NOT_FILLED


def _state(resource: ResourceState, figures: NumberFormat) -> str:
    if resource.forgotten_at:
        return f"forgotten on {resource.forgotten_at:%Y-%m-%d}; it stays at Criteo"
    if resource.replacement:
        return f"being replaced: {_filling(resource.replacement, figures)}"
    return _filling(resource.current, figures)


def _filling(holding: SegmentState, figures: NumberFormat) -> str:
    if holding.intent:
        return f"create unconfirmed since {stamp(holding.intent.sent_at)}"
    if moving := holding.transfer:
        done, total = figures.count(moving.acknowledged), figures.count(moving.size.total)
        return f"transfer in progress, {done} of {total} identifiers done"
    if holding.size is None and holding.members_unknown_before:
        return f"rebuilt on {stamp(holding.members_unknown_before)}; members unknown"
    if holding.completed_at:
        return f"acknowledged by Criteo, last sent {stamp(holding.completed_at)}"
    return "created, not filled yet"


def _live(settled_at: datetime, now: datetime) -> str:
    computed = next_computation(settled_at)
    live = computed + ACTIVATION_DELAY
    if now >= live:
        return f"live since about {near(live, now)}"
    verb = "computed" if now >= computed else "to be computed"
    return f"{verb} at {near(computed, now)}, live about {near(live, computed)}"


def _matches(found: Statistics, figures: NumberFormat) -> str:
    if found.match_rate is None:
        return "match rate not computed yet"
    counts = [
        f"{figures.count(number)} {what}"
        for number, what in ((found.identifiers, "identifiers"), (found.matches, "matches"))
        if number is not None
    ]
    verdict = "usable" if found.match_rate >= MIN_MATCH_RATE else "too low"
    rate = f"match rate {match_rate(found.match_rate, found, figures)}".rstrip()
    return ", ".join((*counts, f"{rate}: {verdict} (minimum {format_limit(MIN_MATCH_RATE)})"))
