"""A restricted plan has no change that depends on a removed change."""

from dataclasses import replace

from golden import plan_cases as cases

from reconciler.core.errors import Finding
from reconciler.core.model import Api
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import address_of
from reconciler.core.plan.model import Plan
from reconciler.core.plan.parts import dependents, without

ONE, TWO, THREE = (cases.LAPSED.address, cases.HIGH.address, cases.GOLD.address)
WHY = (Finding(str(ONE), "not approved"),)


def chain() -> Plan:
    """Three takes a name from two, and two from one."""
    made = cases.plan(*(cases.create(spec, 10) for spec in (cases.LAPSED, cases.HIGH, cases.GOLD)))
    return replace(made, givers={THREE: frozenset({TWO}), TWO: frozenset({ONE})})


def test_changes_depend_on_one_another_along_the_whole_chain() -> None:
    assert dependents(chain(), {ONE}) == {TWO: ONE, THREE: TWO}
    assert dependents(chain(), {TWO}) == {THREE: TWO}
    assert dependents(chain(), {THREE}) == {}


def test_a_cycle_of_renames_is_applied_or_blocked_together() -> None:
    circle = replace(chain(), givers={ONE: frozenset({TWO}), TWO: frozenset({ONE})})
    assert dependents(circle, {ONE}) == {TWO: ONE}
    assert dependents(circle, {THREE}) == {}


def test_what_needs_an_approval_is_blocked_with_all_that_depend_on_it() -> None:
    left = without(chain(), {TWO: WHY}, Api("emulator"))
    assert [address_of(one) for one in left.changes] == [ONE]
    assert [(one.address, one.cause) for one in left.blocked] == [
        (TWO, Cause.APPROVAL),
        (THREE, Cause.DEPENDENCY),
    ]
    assert [address_of(one) for one in left.blocked_outcomes] == [TWO, THREE]
    assert sum(left.cost.calls.values()) < sum(chain().cost.calls.values())
    assert not left.all_blocked


def test_nothing_is_left_where_all_need_an_approval() -> None:
    assert without(chain(), {ONE: WHY}, Api("emulator")).all_blocked
