"""Guards: rules that block a change before the first write. Each finding states the number and the limit."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.errors import Finding
from reconciler.core.members import DropReason, TargetMembers
from reconciler.core.model import Address, Guards, SegmentSpec
from reconciler.core.override import advice
from reconciler.core.plan.changes import MemberChange
from reconciler.core.rounding import (
    STEP,
    certainly_enough,
    duration,
    format_count,
    format_limit,
    is_past,
    rounded,
    rounded_count,
    share_beyond,
)


@dataclass(frozen=True, slots=True)
class GuardInput:
    """The input of the guards. `settled` is the size after the last completed transfer, None before.

    A segment that is filled again in place of another is compared by size only.
    """

    spec: SegmentSpec
    members: MemberChange
    settled: int | None
    fresh: bool
    now: datetime

    @property
    def target(self) -> TargetMembers:
        return self.members.target

    @property
    def leaving(self) -> int:
        """Return the removed members, with those that an interrupted run removed already."""
        fewer = max(0, (self.settled or 0) - self.target.members.count)
        return fewer if self.fresh else max(fewer, self.members.delta.out)

    @property
    def joining(self) -> int:
        more = max(0, self.target.members.count - (self.settled or 0))
        return more if self.fresh else max(more, self.members.delta.adds)

    @property
    def size(self) -> int:
        """Return the size that a change is measured against; 0 before the first completed transfer."""
        return max(self.settled, self.members.before or 0) if self.settled else 0


@dataclass(frozen=True, slots=True)
class _Excess:
    """A limit that is exceeded: `fact` says by how much. `limit` is "" if the fact contains it."""

    key: str
    fact: str
    limit: str
    remedy: str

    @property
    def problem(self) -> str:
        return f"{self.fact} ({f'limit {self.limit}, ' if self.limit else ''}{self.key})"


_Guard = Callable[[GuardInput, Guards], _Excess | None]


def violations(question: GuardInput) -> tuple[Finding, ...]:
    """Return the findings of every guard that blocks this change.

    Findings are printed wherever the plan is, so they contain rounded counts only.
    """
    where = str(question.spec.address)
    if question.target.members.count == 0:
        nobody = Finding(where, *_nobody(question))
        if not question.target.rows:
            return (nobody,)
        found = [nobody]
    else:
        found = []
    guards = question.spec.guards
    excesses = (excess for guard in _GUARDS if (excess := guard(question, guards)))
    found += [Finding(where, excess.problem, excess.remedy) for excess in excesses]
    return (*found, *stale_sources(question.spec, question.target, question.now))


def relaxed_guards(question: GuardInput, general: Guards) -> tuple[str, ...]:
    """Return the limits that only an override, the audience's own guards or the environment's allow."""
    own = question.spec.guards
    return tuple(
        said for guard in _GUARDS if not guard(question, own) and (said := _let(question, guard, general))
    )


def _let(question: GuardInput, guard: _Guard, general: Guards) -> str:
    own = question.spec.guards
    if excess := guard(question, question.spec.audience.guards):
        return f"{excess.fact}; allowed only by an override, `{excess.key}: {_written(own, excess.key)}`"
    if excess := guard(question, general):
        return (
            f"{excess.fact}; allowed only by the audience's `{excess.key}: {_written(own, excess.key)}` "
            f"(environment: {_written(general, excess.key)})"
        )
    if excess := guard(question, Guards()):
        key, allowed = excess.key, _written(own, excess.key)
        by = "environment.yaml" if allowed == _written(general, key) else "the audience's own guard"
        return (
            f"{excess.fact}; the default limit is {_written(Guards(), key)} ({key}), "
            f"and {by} allows {allowed}"
        )
    return ""


def _written(guards: Guards, key: str) -> str:
    """A limit as manifests write it."""
    return {
        "maxShrink": format_limit(guards.max_shrink),
        "maxGrowth": format_limit(guards.max_growth),
        "minMembers": f"{guards.min_members:,}",
        "maxInvalid": format_limit(guards.max_invalid),
    }[key]


def _nobody(question: GuardInput) -> tuple[str, str]:
    """Return the problem and the fix of an empty audience. It is blocked whatever the guards are."""
    place = question.spec.audience.source.place
    if not question.target.rows:
        return "the source holds no rows", (
            f"an empty audience is never sent: deliver its rows, or take it out of the manifests ({place})"
        )
    if erased := question.target.dropped(DropReason.ERASED):
        which = "all" if erased == question.target.rows else "some"
        problem = f"no members are left of the rows read, {which} of which are of erased persons"
        return problem, (
            "no plan sends an erased person: deliver rows of others, or take the audience out of the "
            f"manifests ({place})"
        )
    return (
        "no members are left of the rows read",
        f"`reconciler explain` says why rows were dropped; an empty audience is never sent ({place})",
    )


def _minimum(question: GuardInput, guards: Guards) -> _Excess | None:
    if not 0 < question.target.members.count < guards.min_members:
        return None
    return _Excess(
        "minMembers",
        f"there are fewer than {guards.min_members:,} members",
        "",
        _advice(question, "minMembers", "1"),
    )


def _shrink(question: GuardInput, guards: Guards) -> _Excess | None:
    whole, limit = question.size, guards.max_shrink
    part = min(question.leaving, whole)  # uncertain members may leave too, and 100% lets all leave
    if not (question.target.members and whole and is_past(part, limit, whole)):
        return None
    return _Excess(
        "maxShrink",
        _moved(question, part, limit, "{share} of members would be removed: {part} of {whole}"),
        format_limit(limit),
        _advice(question, "maxShrink", certainly_enough(part, whole, up_to=1.0)),
    )


def _growth(question: GuardInput, guards: Guards) -> _Excess | None:
    part, whole, limit = question.joining, question.size, guards.max_growth
    if not (whole and is_past(part, limit, whole)):
        return None
    return _Excess(
        "maxGrowth",
        _moved(question, part, limit, "{share} of members would be added: {part} to {whole}"),
        format_limit(limit),
        _advice(question, "maxGrowth", certainly_enough(part, whole)),
    )


def _moved(question: GuardInput, part: int, limit: float, alone: str) -> str:
    """Return how members change, in the numbers shown beside it: removed and added members."""
    whole, share = _count(question.size), share_beyond(part, question.size, limit)
    out, joining = question.leaving, question.joining
    if not (out and joining):
        return alone.format(share=share, part=_count(part), whole=whole)
    both = f"{_count(min(out, question.size))} of {whole} removed, {_count(joining)} added"
    fewer, more = sorted(max(STEP, rounded(one)) for one in (out, joining))  # as they are shown
    return f"{share} of members would {'be replaced' if 2 * fewer >= more else 'change'}: {both}"


def _invalid(question: GuardInput, guards: Guards) -> _Excess | None:
    part, whole, limit = question.target.invalid, question.target.present, guards.max_invalid
    if not is_past(part, limit, whole):
        return None
    return _Excess(
        "maxInvalid",
        f"{share_beyond(part, whole, limit)} of the identifiers can't be sent",
        format_limit(limit),
        "`reconciler explain` counts them by reason; "
        + _advice(question, "maxInvalid", certainly_enough(part, whole, up_to=1.0)),
    )


_GUARDS: tuple[_Guard, ...] = (_minimum, _shrink, _growth, _invalid)


def _advice(question: GuardInput, key: str, value: str) -> str:
    audience = question.spec.audience
    return advice(audience.name, {key: value}, question.now.date(), audience.place.file)


def protected_from_replace(spec: SegmentSpec) -> Finding:
    """Return why a protected audience is not replaced."""
    return Finding(
        str(spec.address),
        "its segment would be replaced, and the audience is protected (protect)",
        "undo the change of its account, retailer, identifier type or hashing; if a new segment is intended, "
        f"set `protect: false` in {spec.audience.place.file}",
    )


def protected_from_removal(address: Address) -> Finding:
    """Return why a protected address is not emptied or deleted, also after it left the manifests."""
    return Finding(
        str(address),
        "its segments and members would be removed, and the audience was applied with `protect: true`",
        f"if intended, apply {address} with `protect: false` first",
    )


def exceeds_max_missing(gone: int, managed: int, limit: float) -> bool:
    """Return whether so many segments are missing that access may be lost. A single one is just missing."""
    return is_past(gone, limit, managed) and (gone > 1 or gone == managed)


def stale_sources(spec: SegmentSpec, target: TargetMembers, now: datetime) -> tuple[Finding, ...]:
    """Return a finding for each source older than `maxAge`. Unchanged addresses are checked too."""
    limit, newest = spec.audience.source.max_age, target.newest
    if limit is None or newest is None or now - newest <= limit:
        return ()
    old, most = duration(now - newest), duration(limit)
    return (
        Finding(
            str(spec.address),
            f"the newest source {_stamped(spec)} is {f'over {old}' if old == most else old} old "
            f"(limit {most}, maxAge)",
            f"deliver fresh {_stamped(spec)}s, or raise source.maxAge in {spec.audience.source.place}",
        ),
    )


def _stamped(spec: SegmentSpec) -> str:
    """Return what has an age: a row, by the `freshness` of a query or the log of a table, or a file."""
    source = spec.audience.source
    return "row" if source.query or source.lake_tables else "file"


def _count(number: int) -> str:
    return format_count(rounded_count(number))
