"""Rules that refuse a plan before its first write: each says the number and the limit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

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
        if self.fresh:
            return max(0, (self.settled or 0) - self.target.members.count)
        return self.members.delta.out

    @property
    def joining(self) -> int:
        if self.fresh:
            return max(0, self.target.members.count - (self.settled or 0))
        return self.members.delta.adds


def refusals(question: Question) -> tuple[Finding, ...]:
    """Every guard that stands against this change, each as a finding at its address."""
    guards: tuple[Callable[[Question], Iterator[tuple[str, str]]], ...] = (
        _empty,
        _minimum,
        _shrink,
        _growth,
        _invalid,
        _stale,
    )
    where = str(question.spec.address)
    return tuple(Finding(where, problem, remedy) for guard in guards for problem, remedy in guard(question))


def _override(question: Question, key: str, value: str) -> str:
    return f"if this is meant, set in {question.spec.audience.place}: guards: {{{key}: {value}}}"


def _empty(question: Question) -> Iterator[tuple[str, str]]:
    target = question.target
    if target.members.count == 0:
        yield (
            f"no members are left of {target.rows:,} rows read",
            (
                f"`reconciler explain` says why rows were dropped; an empty audience is never sent "
                f"({question.spec.audience.source.place})"
            ),
        )


def _minimum(question: Question) -> Iterator[tuple[str, str]]:
    count, minimum = question.target.members.count, question.spec.audience.guards.min_members
    if 0 < count < minimum:
        yield (
            f"{count:,} members are fewer than the minimum of {minimum:,} (minMembers)",
            _override(question, "minMembers", str(count)),
        )


def _shrink(question: Question) -> Iterator[tuple[str, str]]:
    limit, settled = question.spec.audience.guards.max_shrink, question.settled
    if settled and question.leaving > limit * settled:
        out = question.leaving
        yield (
            (
                f"{out:,} of {settled:,} members would leave, {percent(out / settled)} "
                f"where {percent(limit)} is the limit (maxShrink)"
            ),
            _override(question, "maxShrink", percent_up(out / settled)),
        )


def _growth(question: Question) -> Iterator[tuple[str, str]]:
    limit, settled = question.spec.audience.guards.max_growth, question.settled
    if settled and question.joining > limit * settled:
        adds = question.joining
        yield (
            (
                f"{adds:,} would join {settled:,} members, {percent(adds / settled)} "
                f"where {percent(limit)} is the limit (maxGrowth)"
            ),
            _override(question, "maxGrowth", percent_up(adds / settled)),
        )


def _invalid(question: Question) -> Iterator[tuple[str, str]]:
    limit, share = question.spec.audience.guards.max_invalid, question.target.invalid_share
    if share > limit:
        yield (
            (
                f"{percent(share)} of the identifiers can't be sent, where {percent(limit)} is the limit "
                f"(maxInvalid)"
            ),
            "`reconciler explain` counts them by reason; "
            + _override(question, "maxInvalid", percent_up(share)),
        )


def _stale(question: Question) -> Iterator[tuple[str, str]]:
    limit, newest = question.spec.audience.source.max_age, question.target.newest
    if limit is not None and newest is not None and question.now - newest > limit:
        hours = (question.now - newest).total_seconds() / 3600
        yield (
            (
                f"the newest source file is {hours:,.1f} hours old, where "
                f"{limit.total_seconds() / 3600:,.1f} is the limit (maxAge)"
            ),
            f"deliver fresh files, or raise source.maxAge in {question.spec.audience.source.place}",
        )


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def percent_up(share: float) -> str:
    """A whole percentage that lets `share` pass, as it is written in a manifest."""
    return f"{int(100 * share) + 1}%"
