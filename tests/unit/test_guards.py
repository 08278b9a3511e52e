"""Guards refuse with the number, the limit, and the snippet that allows it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from world import EMAIL, Wish, World

from reconciler.core.guards import Question, refusals
from reconciler.core.members import EMPTY, Delta, Drop, SnapshotRef, Target
from reconciler.core.model import Address, Guards
from reconciler.core.plan import MemberChange

pytestmark = pytest.mark.promise("guards")

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADDRESS = Address("offsite", "buyers")


def asked(count, settled=None, adds=0, out=0, fresh=False, drops=(), rows=0, newest=None, max_age=None):
    world = World(wishes={ADDRESS: Wish("Buyers")}, guards=Guards(min_members=10))
    [spec] = world.desired().segments
    source = replace(spec.audience.source, max_age=max_age)
    spec = replace(spec, audience=replace(spec.audience, source=source))
    target = Target(SnapshotRef("d", count) if count else EMPTY, EMPTY, rows, drops, newest=newest)
    members = MemberChange(settled or 0, target, Delta(0, adds, out))
    return [str(finding) for finding in refusals(Question(spec, members, settled, fresh, NOW))]


def test_what_is_within_the_limits_passes():
    assert asked(100, settled=100, adds=20, out=20) == []
    assert asked(100, adds=100, fresh=True) == []
    assert asked(1_000_000, settled=None, adds=1_000_000) == []


def test_nothing_left_is_refused():
    [said] = asked(0, rows=12_000)
    assert "no members are left of the rows read" in said


def test_too_few_are_refused():
    [said] = asked(9)
    assert "fewer members than the minimum of 10" in said
    assert "minMembers: a smaller number" in said


@pytest.mark.parametrize(("out", "refused"), [(20, False), (21, True)])
def test_the_limit_of_shrinking_is_exact(out, refused):
    said = asked(100, settled=100, out=out)
    assert bool(said) is refused
    assert all("21% of the members would leave, where 20.0 %" in one for one in said)
    assert all("maxShrink: 21%" in one for one in said)


def test_an_exchange_of_all_members_is_no_silent_update():
    assert len(asked(100, settled=100, adds=101, out=100)) == 2


def test_a_segment_filled_afresh_is_compared_by_size():
    assert asked(85, settled=100, adds=85, fresh=True) == []
    [shrunk] = asked(79, settled=100, adds=79, fresh=True)
    assert "21% of the members would leave" in shrunk
    [grown] = asked(201, settled=100, adds=201, fresh=True)
    assert "grow by 101%" in grown
    assert "maxGrowth: 101%" in grown


def test_too_many_invalid_identifiers_are_refused():
    drops = ((Drop.MALFORMED, 10), (Drop.OTHER_FORM, 2), (Drop.EMPTY, 500))
    [said] = asked(88, drops=drops)
    assert "12% of the identifiers can't be sent" in said
    assert "maxInvalid: 12%" in said


def test_stale_sources_are_refused_when_an_age_is_set():
    old = NOW - timedelta(hours=37)
    assert asked(100, newest=old) == []
    assert asked(100, newest=old, max_age=timedelta(hours=38)) == []
    [said] = asked(100, newest=old, max_age=timedelta(hours=36))
    assert "37.0 hours old, where 36.0" in said


def vanishing(total, gone):
    world = World(guards=Guards(max_growth=10))
    for number in range(total):
        world.wishes[Address("offsite", f"a{number}")] = Wish(f"A{number}")
        world.people[f"a{number}"] = frozenset({"p"})
    world.run()
    for segment_id in list(world.criteo.accounts["1001"])[:gone]:
        world.criteo.delete(segment_id)
    return world.plan()


def test_one_segment_gone_is_made_again_and_said_so():
    plan = vanishing(5, 1)
    assert plan.blocked == ()
    assert "is gone at Criteo; audiences built on it break" in plan.changes[0].reason


@pytest.mark.parametrize(("total", "gone"), [(5, 2), (1, 1), (3, 3)])
def test_many_gone_at_once_is_lost_access(total, gone):
    [blocked] = vanishing(total, gone).blocked
    assert "access may be lost" in blocked.finding.problem
    assert "maxVanished" in blocked.finding.remedy


def test_a_mixed_column_is_said_once_for_each_audience():
    world = World(wishes={ADDRESS: Wish("Buyers"), Address("other", "buyers"): Wish("Others")})
    world.people["buyers"] = frozenset({"p"})
    build = world.engine.build

    def hashed(audience, wanted, today):
        targets = build(audience, wanted, today)
        return {
            kind: replace(one, hashed=1, members=SnapshotRef(one.members.digest, 2))
            for kind, one in targets.items()
        }

    world.engine.build = hashed
    notes = world.plan().notes
    assert len(notes) == 1
    assert "buyers: some values of the Email column came already hashed" in notes[0]
    assert EMAIL[0] == "Email"
