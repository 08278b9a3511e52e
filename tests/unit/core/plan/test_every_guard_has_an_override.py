"""Each guard at its boundary, on both sides; the advised override lets the change pass until it expires."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import yaml
from support.in_memory_environment import DesiredSegment, InMemoryEnvironment

from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import Finding
from reconciler.core.list_refusals import list_refusals
from reconciler.core.lists import ListChange
from reconciler.core.members import (
    EMPTY_SNAPSHOT,
    AppliedList,
    Delta,
    DropReason,
    ListMatches,
    ReadList,
    SnapshotRef,
    TargetMembers,
)
from reconciler.core.model import Address, Guards, Hashing, IdentifierType, ListKind, SourceLocation
from reconciler.core.overridden import beyond_limit, with_overrides
from reconciler.core.override import Override
from reconciler.core.plan.changes import MemberChange, Removal
from reconciler.core.plan.guards import GuardInput, violations
from reconciler.core.plan.lost_access import lost_access
from reconciler.core.plan.notes import notes
from reconciler.core.plan.observed import Departure, ObservedState
from reconciler.core.plan.suppressed_removals import too_many
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.manifests.index import LIMITS

pytestmark = pytest.mark.promise("guards")

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = NOW.date()
ADDRESS = Address("offsite", "buyers")
GUARDS = Guards(0.2, 0.2, 100, 0.1, 0.1, 0.05)
Ask = Callable[[DesiredState, int], Sequence[Finding]]
"""What a guard says if so many members beyond its limit are concerned: 0 is the limit itself."""


def declared() -> DesiredState:
    world = InMemoryEnvironment(wishes={ADDRESS: DesiredSegment("Buyers")}, guards=GUARDS)
    return world.desired()


def changing(
    desired: DesiredState, count: int, delta: Delta, size: int, invalid: int = 0
) -> Sequence[Finding]:
    drops = ((DropReason.MALFORMED, invalid),) if invalid else ()
    target = TargetMembers(SnapshotRef("d", count), EMPTY_SNAPSHOT, count + invalid, drops)
    [spec] = desired.segments
    return violations(GuardInput(spec, MemberChange(size, target, delta), size, fresh=False, now=NOW))


def shrinks(desired: DesiredState, beyond: int) -> Sequence[Finding]:
    out = 200 + beyond
    return changing(desired, 1000 - out, Delta(0, 0, out), 1000)


def grows(desired: DesiredState, beyond: int) -> Sequence[Finding]:
    adds = 200 + beyond
    return changing(desired, 1000 + adds, Delta(0, adds, 0), 1000)


def is_small(desired: DesiredState, beyond: int) -> Sequence[Finding]:
    return changing(desired, 100 - beyond, Delta(0, 0, 0), 0)


def is_invalid(desired: DesiredState, beyond: int) -> Sequence[Finding]:
    return changing(desired, 900 - beyond, Delta(0, 0, 0), 0, invalid=100 + beyond)


def listed(desired: DesiredState, missing: int, invalid: int) -> Sequence[Finding]:
    [spec] = desired.segments
    email, place = IdentifierType.EMAIL, SourceLocation("environments/test/environment.yaml", 1, 1)
    matches, kind = ListMatches(email, Hashing.SHA256), ListKind.SUPPRESSION
    before = AppliedList(("o.csv",), email, SnapshotRef("b", 1000), matches, NOW, kind, "opt-outs")
    read = ReadList(
        ("o.csv",), email, SnapshotRef("n", 900), 1000, invalid, 0.05, place, matches, kind, "opt-outs"
    )
    return list(list_refusals(spec, [ListChange(before, read, missing)], TODAY))


def loses_opt_outs(desired: DesiredState, beyond: int) -> Sequence[Finding]:
    return listed(desired, 50 + beyond, 0)


def lists_garbage(desired: DesiredState, beyond: int) -> Sequence[Finding]:
    return listed(desired, 0, 100 + beyond)


def removes_opt_outs(desired: DesiredState, beyond: int) -> Sequence[Finding]:
    [spec] = desired.segments
    leaving = SnapshotRef("u", 200 + beyond)
    departure = Departure("current", SnapshotRef("b", 1000), EMPTY_SNAPSHOT, leaving)
    return [one.finding for one in too_many([Removal(spec, (departure,))], TODAY)]


def misses(desired: DesiredState, beyond: int) -> Sequence[Finding]:
    [spec] = desired.segments
    ids = [f"{number}" for number in range(20)]
    resources = {
        Address("offsite", one): ResourceState(
            Address("offsite", one), SegmentState(spec.key, segment_id=one)
        )
        for one in ids
    }
    observed = ObservedState(None, resources, {spec.key.account_id: ()}, {}, {}, {}, {}, NOW)
    return list(lost_access(desired, observed, ids[2 + beyond :]))


CASES: dict[str, tuple[str, Ask]] = {
    "maxShrink": ("maxShrink", shrinks),
    "maxGrowth": ("maxGrowth", grows),
    "minMembers": ("minMembers", is_small),
    "maxInvalid": ("maxInvalid", is_invalid),
    "maxInvalid of a list": ("maxInvalid", lists_garbage),
    "maxSuppressionShrink": ("maxSuppressionShrink", loses_opt_outs),
    "maxShrink of a removal": ("maxShrink", removes_opt_outs),
    "maxMissing": ("maxMissing", misses),
}


def advised(finding: Finding) -> Override:
    """Return the override that a message advises."""
    [line] = re.findall("`--- (.*?)`", finding.remedy)
    document = yaml.safe_load(line)
    [(key, text)] = document["guards"].items()
    value = float(str(text).removesuffix("%")) / (1 if key == "minMembers" else 100)
    place = SourceLocation("environments/test/overrides.yaml", 1, 1)
    expires = date.fromisoformat(document["expires"])
    return Override(document["address"], ((LIMITS[key], value),), f"{key} {text}", "once", expires, place)


def with_one(one: Override, today: date, accepted: frozenset[str] | None = None) -> DesiredState:
    return with_overrides(replace(declared(), overrides=(one,)), today, accepted)


def test_each_guard_of_the_manifests_is_here() -> None:
    assert {key for key, _ in CASES.values()} == LIMITS.keys()


@pytest.mark.parametrize("case", CASES)
def test_a_guard_holds_at_its_boundary_and_its_override_until_it_expires(case: str) -> None:
    key, ask = CASES[case]
    assert not ask(declared(), 0)
    [blocked] = ask(declared(), 1)
    assert key in blocked.problem
    one = advised(blocked)
    assert one.expires == TODAY + timedelta(days=7)
    assert not ask(with_one(one, TODAY), 1)
    assert not ask(with_one(one, one.expires), 1)
    assert ask(with_one(one, one.expires + timedelta(days=1)), 1)
    assert not ask(with_one(one, TODAY, frozenset({one.digest})), 1)
    assert ask(with_one(one, TODAY, frozenset({"another"})), 1)


@pytest.mark.parametrize("case", CASES)
def test_an_override_changes_no_definition(case: str) -> None:
    _, ask = CASES[case]
    one = advised(ask(declared(), 1)[0])
    [before], [after] = declared().segments, with_one(one, TODAY).segments
    assert before.definition == after.definition


def override(selector: str, share: float, days: int = 1) -> Override:
    place = SourceLocation("environments/test/overrides.yaml", 1, 1)
    limits = (("max_shrink", share),)
    return Override(selector, limits, f"maxShrink {share}", "once", TODAY + timedelta(days=days), place)


def test_the_most_specific_override_wins() -> None:
    several = (override("offsite/buyers", 0.3), override("*", 0.5), override("buyers", 0.4))
    for one, expected in ((several, 0.3), (several[1:], 0.4), (several[1:2], 0.5), ((), 0.2)):
        found = with_overrides(replace(declared(), overrides=one), TODAY, None)
        assert found.segments[0].guards.max_shrink == expected
    elsewhere = with_overrides(replace(declared(), overrides=(override("others", 0.9),)), TODAY, None)
    assert elsewhere.segments[0].guards == GUARDS


def test_each_override_has_a_note() -> None:
    one = override("buyers", 0.4)
    for found, words in (
        (with_one(one, TODAY), "override of buyers until 2026-11-25 (maxShrink 0.4): once"),
        (with_one(one, TODAY + timedelta(days=2)), "this override expired on 2026-11-25 and is ignored"),
        (with_one(one, TODAY, frozenset()), "no completed approval has this override, so it is ignored"),
        (with_one(override("*", 0.4, 15), TODAY), "expires over 14 days from now and is ignored"),
    ):
        assert words in found.notes[-1]


def test_an_override_of_more_than_fourteen_days_is_found() -> None:
    for days, wrong in ((14, False), (15, True)):
        desired = replace(declared(), overrides=(override("*", 0.4, days),))
        assert bool(beyond_limit(desired, TODAY)) is wrong


def test_an_override_that_selects_no_address_is_noted() -> None:
    """A forgotten address is one; `*` always selects."""
    gone = Address("offsite", "gone")
    world = InMemoryEnvironment(wishes={ADDRESS: DesiredSegment("Buyers")}, guards=GUARDS)
    resources = {gone: ResourceState(gone, SegmentState(world.desired().segments[0].key, segment_id="1"))}
    observed = ObservedState(None, resources, {}, {}, {}, {}, {}, NOW)
    for selector, idle in (("buyers", False), ("gone", False), ("*", False), ("buyer", True)):
        desired = replace(world.desired(), overrides=(override(selector, 0.4),))
        noted = [one for one in notes([], [], desired, observed) if "allows nothing" in one]
        assert bool(noted) is idle
        assert not noted or f"there is no address {selector}, so" in noted[0]
