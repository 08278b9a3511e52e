"""Rules that refuse a plan before its first write: each says the number and the limit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from reconciler.core.approval import STEP
from reconciler.core.errors import Finding
from reconciler.core.members import Target
from reconciler.core.model import SegmentSpec
from reconciler.core.plan import MemberChange


@dataclass(frozen=True, slots=True)
class Question:
    """What a guard looks at. `settled` is the size after the last completed transfer, None before it.

    A segment that is filled afresh in place of another is compared by its size alone.
    """

    spec: SegmentSpec
    members: MemberChange
    settled: int | None
    fresh: bool
    now: datetime

    @property
    def target(self) -> Target:
        return self.members.target

    @property
    def leaving(self) -> int:
        """What an interrupted run has already removed counts too."""
        fewer = max(0, (self.settled or 0) - self.target.members.count)
        return fewer if self.fresh else max(fewer, self.members.delta.out)

    @property
    def joining(self) -> int:
        more = max(0, self.target.members.count - (self.settled or 0))
        return more if self.fresh else max(more, self.members.delta.adds)

    @property
    def size(self) -> int:
        """What a change is measured against; 0 before the first completed transfer: all is new then."""
        return max(self.settled, self.members.before) if self.settled else 0


def refusals(question: Question) -> tuple[Finding, ...]:
    """Every guard that stands against this change, each as a finding at its address.

    Findings speak of whole percentages: they are printed wherever the plan is, and an exact count of
    few people would point at them.
    """
    guards: tuple[Callable[[Question], Iterator[tuple[str, str]]], ...] = (
        _empty,
        _minimum,
        _shrink,
        _growth,
        _invalid,
    )
    where = str(question.spec.address)
    counted = (Finding(where, problem, remedy) for guard in guards for problem, remedy in guard(question))
    return (*counted, *stale(question.spec, question.target, question.now))


def _override(question: Question, key: str, value: str) -> str:
    return f"if this is meant, write under `guards` in {question.spec.audience.place.file}: {key}: {value}"


def _empty(question: Question) -> Iterator[tuple[str, str]]:
    target = question.target
    if target.members.count == 0:
        yield (
            "no members are left of the rows read" if target.rows else "the source holds no rows",
            (
                f"`reconciler explain` says why rows were dropped; an empty audience is never sent "
                f"({question.spec.audience.source.place})"
            ),
        )


def _minimum(question: Question) -> Iterator[tuple[str, str]]:
    count, minimum = question.target.members.count, question.spec.audience.guards.min_members
    if 0 < count < minimum:
        yield (
            f"there are fewer members than the minimum of {minimum:,} (minMembers)",
            _override(question, "minMembers", "a smaller number"),
        )


def _shrink(question: Question) -> Iterator[tuple[str, str]]:
    limit, size = question.spec.audience.guards.max_shrink, question.size
    if size and _past(question.leaving, limit, size):
        share = _telling(min(1.0, question.leaving / size), size)
        yield (
            f"{share or 'many'} of the members would leave, where {percent(limit)} is the limit (maxShrink)",
            _override(question, "maxShrink", share or "100%"),
        )


def _growth(question: Question) -> Iterator[tuple[str, str]]:
    limit, size = question.spec.audience.guards.max_growth, question.size
    if size and _past(question.joining, limit, size):
        share = _telling(question.joining / size, size)
        yield (
            f"the members would grow by {share or 'more'}, where {percent(limit)} is the limit (maxGrowth)",
            _override(question, "maxGrowth", share or "a larger share"),
        )


def _invalid(question: Question) -> Iterator[tuple[str, str]]:
    limit, share = question.spec.audience.guards.max_invalid, question.target.invalid_share
    if share > limit:
        yield (
            (
                f"{percent_up(share)} of the identifiers can't be sent, where {percent(limit)} is the limit "
                f"(maxInvalid)"
            ),
            "`reconciler explain` counts them by reason; "
            + _override(question, "maxInvalid", percent_up(share)),
        )


def stale(spec: SegmentSpec, target: Target, now: datetime) -> tuple[Finding, ...]:
    """Also asked of addresses that don't change: a feed that has stopped changes nothing."""
    limit, newest = spec.audience.source.max_age, target.newest
    if limit is None or newest is None or now - newest <= limit:
        return ()
    hours, most = (time.total_seconds() / 3600 for time in (now - newest, limit))
    return (
        Finding(
            str(spec.address),
            f"the newest source file is {hours:,.1f} hours old, where {most:,.1f} is the limit (maxAge)",
            f"deliver fresh files, or raise source.maxAge in {spec.audience.source.place}",
        ),
    )


def _telling(share: float, whole: int) -> str:
    """A share of few people would tell how many they are."""
    return percent_up(share) if whole >= STEP else ""


def _past(part: int, limit: float, whole: int) -> bool:
    """Past the limit, and not just by how a computer writes 29 %."""
    return part > limit * whole + 1e-6


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def percent_up(share: float) -> str:
    """The smallest whole percentage that lets `share` pass, as it is written in a manifest."""
    return f"{ceil(100 * share - 1e-6)}%"
