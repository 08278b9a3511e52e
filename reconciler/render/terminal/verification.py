"""`verify`: what arrived at Criteo, by address; and what `status` shows of it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.text import Text

from reconciler.core.plan.losses import MemberCounts, is_lost
from reconciler.core.remote import Statistics
from reconciler.core.rounding import format_limit, percent
from reconciler.core.state.resource import ResourceState
from reconciler.core.verification import (
    MIN_MATCH_RATE,
    KeptVerification,
    VerificationOutcome,
    VerificationResult,
)
from reconciler.render.numbers import EXACT, NumberFormat, counted, near, stamp
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.text import GAP, left, name, right, widths

OUTCOMES = {
    VerificationOutcome.VERIFIED: "verified",
    VerificationOutcome.NOT_COMPUTED: "not computed yet",
    VerificationOutcome.TOO_FEW: "too few arrived",
    VerificationOutcome.BELOW_MINIMUM: "too few match",
    VerificationOutcome.NOT_APPLIED: "not applied",
    VerificationOutcome.INCOMPLETE: "incomplete",
    VerificationOutcome.DEFINITION_CHANGED: "definition changed",
    VerificationOutcome.MISSING: "missing at Criteo",
}
STYLES = {VerificationOutcome.VERIFIED: "green", VerificationOutcome.NOT_COMPUTED: "yellow"}
"""All other outcomes are red."""


@dataclass(frozen=True, slots=True)
class VerificationRow:
    """One address: its members, its outcome, what Criteo counts, and the fix. The last two may be ""."""

    address: str
    members: str
    outcome: VerificationOutcome
    found: str
    remedy: str


def verification_rows(
    environment: str,
    checks: Iterable[tuple[VerificationResult, ResourceState | None]],
    now: datetime,
    figures: NumberFormat,
) -> tuple[VerificationRow, ...]:
    return tuple(
        VerificationRow(
            address=name(str(result.address)),
            members=figures.count(result.sent),
            outcome=result.outcome,
            found=_found(result, resource, now, figures),
            remedy=_remedy(name(environment), result, resource),
        )
        for result, resource in checks
    )


def print_verification(
    environment: str, rows: Sequence[VerificationRow], note: str, figures: NumberFormat, out: Console
) -> None:
    """Print the rows; `note` states what the state kept."""
    show(_lines(environment, rows, note, figures, out), out)


def _lines(
    environment: str, rows: Sequence[VerificationRow], note: str, figures: NumberFormat, out: Console
) -> Iterator[Text]:
    yield Text.assemble("Verification of ", (name(environment), "bold"))
    if rows:
        yield Text()
        addresses, members = widths([(row.address, row.members) for row in rows])
        for row in rows:
            first = GAP.join((f"  {left(row.address, addresses)}", right(row.members, members)))
            yield Text.assemble(first, GAP, (OUTCOMES[row.outcome], STYLES.get(row.outcome, "red")))
            yield from wrapped(row.found, "dim", 4, out, hang=2)
            if row.remedy:
                yield from wrapped(f"→ {row.remedy}", "", 4, out, hang=2)
    yield Text()
    yield Text(_sum(rows), "bold")
    for line in (figures.precision if rows else "", note):
        if line:
            yield from wrapped(line, "dim", 0, out)


def _sum(rows: Sequence[VerificationRow]) -> str:
    found = Counter(row.outcome for row in rows)
    each = ", ".join(f"{found[one]:,} {OUTCOMES[one]}" for one in VerificationOutcome if one in found)
    addresses = counted(len(rows), "address", "addresses")
    return f"{addresses}: {each}." if each else f"{addresses}."


def _found(
    result: VerificationResult, resource: ResourceState | None, now: datetime, figures: NumberFormat
) -> str:
    counts = result.counts
    match result.outcome:
        case VerificationOutcome.NOT_COMPUTED:
            return _awaited(result, now, figures)
        case VerificationOutcome.MISSING:
            return f"Criteo has no segment {name(result.segment_id)}"
        case VerificationOutcome.INCOMPLETE if resource and (lost := resource.current.members_unknown_before):
            return f"unknown members from before {stamp(lost)} may hide a loss"
        case VerificationOutcome.INCOMPLETE:
            return "a transfer, a create or a replacement is unfinished"
        case VerificationOutcome.DEFINITION_CHANGED:
            return "the manifests differ from the definition last applied"
        case VerificationOutcome.NOT_APPLIED:
            return ""
        case _:
            return f"{_arrived(result, figures)}; {match_text(counts, figures)}"


def _awaited(result: VerificationResult, now: datetime, figures: NumberFormat) -> str:
    computed, due = result.computed_at, result.due_at
    if computed is None or due is None or now < computed:
        return f"Criteo computes at {near(computed, now)}" if computed else ""
    return (
        f"the computation of {near(computed, now)} may be unfinished: {_arrived(result, figures)};"
        f" again after {near(due, now)}"
    )


def _arrived(result: VerificationResult, figures: NumberFormat) -> str:
    if result.counts.identifiers is None:
        return f"Criteo has no count of {figures.count(result.expected)} identifiers yet"
    rejected = f", {figures.count(result.rejected)} were rejected" if result.rejected else ""
    arrived = min(result.counts.identifiers, result.expected)
    return f"{figures.count(arrived)} of {figures.count(result.expected)} identifiers arrived{rejected}"


def match_text(counts: Statistics, figures: NumberFormat) -> str:
    """Return how many identifiers match, and the rate beside its minimum."""
    if counts.match_rate is None:
        return "match rate not computed yet"
    matched = f"{figures.count(counts.matches)} match"
    rate = match_rate(counts.match_rate, counts, figures)
    return f"{', '.join(filter(None, [matched, rate]))} (minimum {format_limit(MIN_MATCH_RATE)})"


def match_rate(exact: float, found: Statistics, figures: NumberFormat) -> str:
    """Return the match rate, no more exact than the rounded counts; "" if these show none."""
    if figures == EXACT:
        return percent(exact)
    if found.identifiers is None or found.matches is None:
        return percent(round(exact, 2))
    return figures.share(found.matches, found.identifiers)


def _remedy(environment: str, result: VerificationResult, resource: ResourceState | None) -> str:
    only = f"--only {result.address}"
    match result.outcome:
        case VerificationOutcome.NOT_APPLIED | VerificationOutcome.DEFINITION_CHANGED:
            return f"apply first: `reconciler apply {environment} {only}`"
        case VerificationOutcome.INCOMPLETE if resource and resource.current.members_unknown_before:
            return f"`reconciler state rebuild {environment} --replace {only}` fills a new segment"
        case VerificationOutcome.INCOMPLETE:
            return f"apply first: `reconciler apply {environment} {only}` resumes"
        case VerificationOutcome.MISSING:
            return f"`reconciler plan {environment} {only}` shows how the segment is created again"
        case VerificationOutcome.TOO_FEW if _refills(result):
            return f"`reconciler plan {environment} --statistics {only}` plans to refill it"
        case VerificationOutcome.TOO_FEW:
            return f"`reconciler drift {environment} {only}` compares again after the next computation"
        case VerificationOutcome.BELOW_MINIMUM:
            return "check the columns and `hashing`: Criteo cannot use an audience below the minimum"
        case _:
            return ""


def _refills(result: VerificationResult) -> bool:
    counted = result.counts.identifiers
    return counted is not None and is_lost(MemberCounts(result.expected, counted))


def kept_text(one: KeptVerification, figures: NumberFormat) -> str:
    """Return what `status` shows of the newest verification."""
    found = one.verification
    text = f"{OUTCOMES[found.outcome]} {stamp(found.at)}"
    if found.arrived is not None and found.matched is not None:
        matched = f"matched {figures.count(found.matched)} of {figures.count(found.arrived)}"
        text += f" ({', '.join(filter(None, [matched, figures.share(found.matched, found.arrived)]))})"
    return f"{text}; the definition changed since: {', '.join(one.changed)}" if one.changed else text
