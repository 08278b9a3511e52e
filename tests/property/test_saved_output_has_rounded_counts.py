"""Output that leaves the machine has rounded counts only, also in shares and bars."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import timedelta

import pytest
from golden import plan_cases as cases
from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.core.approval.approved_changes import approved_changes
from reconciler.core.endpoints import EndpointKind
from reconciler.core.members import EMPTY_SNAPSHOT, Delta, DropReason, SnapshotRef, TargetMembers
from reconciler.core.model import Guards, SegmentSpec
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import MemberChange
from reconciler.core.plan.guards import GuardInput, relaxed_guards, violations
from reconciler.core.plan.model import Blocked, Plan
from reconciler.core.remote import Statistics
from reconciler.core.rounding import rounded_count
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.core.verification import KeptVerification, Verification, VerificationOutcome
from reconciler.render.document.plan import plan_document
from reconciler.render.html.document import html
from reconciler.render.json.document import dump, encoded
from reconciler.render.markdown.document import markdown
from reconciler.render.numbers import ROUNDED
from reconciler.render.terminal.console import console
from reconciler.render.terminal.explain import explanation, print_explanation
from reconciler.render.terminal.plan import print_plan
from reconciler.render.terminal.status import print_status, status

pytestmark = pytest.mark.promise("read-right")


@dataclass(frozen=True)
class People:
    """Exact counts of one address."""

    before: int
    adds: int
    priority_removes: int
    removes: int
    filtered: int
    malformed: int
    duplicate: int
    done: int
    matches: int

    @property
    def after(self) -> int:
        return max(0, self.before + self.adds - self.priority_removes - self.removes)

    @property
    def target(self) -> TargetMembers:
        drops = (
            (DropReason.FILTERED, self.filtered),
            (DropReason.MALFORMED, self.malformed),
            (DropReason.DUPLICATE, self.duplicate),
        )
        rows = self.after + sum(count for _, count in drops)
        held = SnapshotRef("ab" * 16, self.after) if self.after else EMPTY_SNAPSHOT
        return TargetMembers(held, EMPTY_SNAPSHOT, rows, drops, (("no @", self.malformed),), newest=cases.NOW)

    @property
    def change(self) -> MemberChange:
        return MemberChange(
            self.before, self.target, Delta(self.priority_removes, self.adds, self.removes), self.done
        )

    @property
    def counts(self) -> list[int]:
        """All that is counted somewhere."""
        delta, target = self.change.delta, self.target
        derived = [self.after, delta.out, target.rows, target.invalid, target.present]
        question = _question(self, cases.LAPSED)
        return [
            *(getattr(self, one.name) for one in fields(self)),
            *derived,
            *(delta.total, self.done + delta.total, question.leaving, question.joining, question.size),
        ]


SMALL = st.integers(0, 60)
PEOPLE = st.builds(
    People,
    before=st.integers(0, 300),
    adds=SMALL,
    priority_removes=st.integers(0, 12),
    removes=SMALL,
    filtered=SMALL,
    malformed=st.integers(0, 30),
    duplicate=st.integers(0, 12),
    done=SMALL,
    matches=st.integers(0, 100),
)
GUARDS = st.builds(
    Guards,
    max_shrink=st.sampled_from([0.0, 0.02, 0.2, 0.5]),
    max_growth=st.sampled_from([0.0, 0.02, 0.2, 1.0]),
    min_members=st.sampled_from([1, 40]),
    max_invalid=st.sampled_from([0.0, 0.05, 0.1]),
)


def _question(people: People, spec: SegmentSpec) -> GuardInput:
    return GuardInput(spec, people.change, people.before or None, False, cases.NOW)


def _plan(people: People, guards: Guards) -> Plan:
    spec = replace(cases.LAPSED, audience=replace(cases.LAPSED.audience, guards=guards))
    question = _question(people, spec)
    change = cases.update(spec, people.change)
    against = tuple(Blocked(spec.address, finding, Cause.GUARD) for finding in violations(question))
    made = cases.plan(*(() if against else (change,)), blocked=against)
    allowed = (*relaxed_guards(question, Guards()), *relaxed_guards(question, guards))
    return replace(
        made,
        blocked_outcomes=(change,) if against else (),
        relaxed_guards={spec.address: allowed} if allowed else {},
    )


def _verification(people: People) -> Verification:
    return Verification(
        address=cases.LAPSED.address,
        outcome=VerificationOutcome.VERIFIED,
        at=cases.NOW,
        computed_at=cases.NOW,
        parts=(),
        endpoint=EndpointKind.CRITEO,
        seat=cases.SEAT,
        sample_rows=None,
        segment_id="1",
        sent=people.before + 1,
        rejected=0,
        arrived=people.before + 1,
        matched=people.matches,
    )


def _forms(people: People, guards: Guards) -> Iterator[str]:
    planned = _plan(people, guards)
    document = plan_document(planned, cases.ENVIRONMENT, ROUNDED)
    yield markdown(document)
    yield html(document)
    yield dump(encoded(document, None, "0.1.0")).decode()
    yield repr(approved_changes(planned, {}))
    text = io.StringIO()
    out = console(text, color=None)
    print_plan(document, out)
    print_explanation(explanation(cases.LAPSED, people.target, document, cases.NOW, ROUNDED), out)
    holding = SegmentState(
        cases.EMAIL, "1", completed_size=people.after, completed_at=cases.NOW - timedelta(days=1)
    )
    found = Statistics(people.before + 1, people.matches, people.matches / (people.before + 1))
    print_status(
        status(
            "production",
            [],
            [ResourceState(cases.LAPSED.address, holding)],
            {"1": found},
            {},
            {cases.LAPSED.address: KeptVerification(_verification(people), ())},
            cases.NOW,
            ROUNDED,
        ),
        out,
    )
    yield text.getvalue()


def _reads_alike(people: People, guards: Guards) -> tuple[object, ...]:
    """Return what may be reported: rounded counts, and which limits are met."""
    planned = _plan(people, guards)
    question = _question(people, cases.LAPSED)
    stops = tuple(one.finding.problem.rpartition("(")[2] for one in planned.blocked)
    lets = tuple(
        excess.partition(" guard ")[2] for excess in planned.relaxed_guards.get(cases.LAPSED.address, ())
    )
    usable = people.matches / (people.before + 1) >= 0.001
    counts = [*people.counts, people.before + 1]
    return (*map(rounded_count, counts), stops, lets, usable, bool(question.size))


STEPS = st.lists(
    st.tuples(st.sampled_from([one.name for one in fields(People)]), st.integers(-6, 6)),
    min_size=6,
    max_size=24,
)


def _neighbour(people: People, steps: list[tuple[str, int]], guards: Guards) -> People:
    """Goes as far as it reads alike: where a step would round to another count, it isn't taken."""
    found = _reads_alike(people, guards)
    for field, by in steps:
        moved = replace(people, **{field: max(0, getattr(people, field) + by)})
        people = moved if _reads_alike(moved, guards) == found else people
    return people


@given(PEOPLE, GUARDS, STEPS)
def test_what_rounds_to_the_same_counts_reads_the_same(
    people: People, guards: Guards, steps: list[tuple[str, int]]
) -> None:
    other = _neighbour(people, steps, guards)
    assume(other != people)
    assert tuple(_forms(other, guards)) == tuple(_forms(people, guards))
