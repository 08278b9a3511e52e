"""The status of every address, by what was sent."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.members import EMPTY_SNAPSHOT, Delta, SnapshotRef
from reconciler.core.model import Address, Hashing, IdentifierType, SegmentKey
from reconciler.core.remote import Statistics
from reconciler.core.state.resource import CreateIntent, ResourceState, SegmentState, Transfer
from reconciler.render.numbers import EXACT, ROUNDED
from reconciler.render.terminal.console import console
from reconciler.render.terminal.status import StatusRow, print_status, status

pytestmark = pytest.mark.promise("read-right")

NOW = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
A, B = Address("offsite-email", "a"), Address("onsite-customer", "b")
KEY = SegmentKey("1001", "7", IdentifierType.EMAIL, Hashing.SHA256)
BASE = SnapshotRef("ab" * 16, 412_006)
SETTLED = SegmentState(
    KEY, "88121", confirmed=BASE, completed_size=412_006, completed_at=NOW - timedelta(hours=2), rejected=3
)
MOVING = replace(SETTLED, transfer=Transfer(BASE, EMPTY_SNAPSHOT, Delta(0, 1_000, 0), acknowledged=600))


def row(resource: ResourceState, found: Statistics | None = None, now: datetime = NOW) -> StatusRow:
    statistics = {resource.current.segment_id: found} if found else {}
    [only] = status("production", [A], [resource], statistics, {}, {}, now, EXACT).rows
    return only


@pytest.mark.parametrize(
    ("resource", "state"),
    [
        (ResourceState(A, SETTLED), "acknowledged by Criteo, last sent 2026-11-24 11:00 UTC"),
        (ResourceState(A, MOVING), "transfer in progress, 600 of 1,000 identifiers done"),
        (ResourceState(A, SegmentState(KEY, "88121")), "created, not filled yet"),
        (
            ResourceState(A, SegmentState(KEY, intent=CreateIntent("A", NOW))),
            "create unconfirmed since 2026-11-24 13:00 UTC",
        ),
        (
            ResourceState(A, SETTLED, replacement=MOVING),
            "being replaced: transfer in progress, 600 of 1,000 identifiers done",
        ),
        (ResourceState(A, SETTLED, forgotten_at=NOW), "forgotten on 2026-11-24; it stays at Criteo"),
    ],
)
def test_states(resource: ResourceState, state: str) -> None:
    assert row(resource).state == state


@pytest.mark.parametrize(
    ("now", "live"),
    [
        (NOW - timedelta(hours=2), "to be computed at 12:00 UTC, live about 17:00 UTC"),
        (NOW, "computed at 12:00 UTC, live about 17:00 UTC"),
        (NOW + timedelta(hours=4), "live since about 17:00 UTC"),
        (NOW + timedelta(days=2), "live since about 17:00 UTC on 2026-11-24"),
    ],
)
def test_when_it_shows(now: datetime, live: str) -> None:
    assert row(ResourceState(A, SETTLED), now=now).live == live


@pytest.mark.parametrize(
    ("found", "matches"),
    [
        (Statistics(None, None, None), "match rate not computed yet"),
        (
            Statistics(412_003, 200_000, 0.485),
            "412,003 identifiers, 200,000 matches, match rate 48.5%: usable (minimum 0.1%)",
        ),
        (Statistics(None, None, 0.0004), "match rate <0.1%: too low (minimum 0.1%)"),
    ],
)
def test_the_gate(found: Statistics, matches: str) -> None:
    assert row(ResourceState(A, SETTLED), found).matches == matches


@pytest.mark.parametrize("width", [110, 50])
def test_text(width: int) -> None:
    stream = io.StringIO()
    one = status("production", [A, B], [ResourceState(A, SETTLED)], None, {}, {}, NOW, EXACT)
    print_status(one, console(stream, color=None, width=width))
    first = {
        110: ["  offsite-email/a    412,006  acknowledged by Criteo, last sent 2026-11-24 11:00 UTC"],
        50: [
            "  offsite-email/a    412,006",
            "    acknowledged by Criteo, last sent 2026-11-24",
            "      11:00 UTC",
        ],
    }
    basis = {
        110: [
            (
                "Acknowledged requests only "
                "(`--statistics` asks Criteo, `reconciler drift production` compares)."
            )
        ],
        50: [
            "Acknowledged requests only (`--statistics` asks",
            "Criteo, `reconciler drift production` compares).",
        ],
    }
    assert stream.getvalue().splitlines() == [
        "Status of production",
        "",
        *first[width],
        "    computed at 12:00 UTC, live about 17:00 UTC",
        "    3 rejected by Criteo",
        "  onsite-customer/b        0  never applied",
        "",
        "2 addresses.",
        *basis[width],
    ]


@pytest.mark.parametrize(
    ("found", "matches"),
    [
        (
            Statistics(412_003, 200_000, 0.485),
            "412,000 identifiers, 200,000 matches, match rate 48.5%: usable (minimum 0.1%)",
        ),
        (
            Statistics(1_234, 3, 0.00243),
            "1,230 identifiers, <10 matches, match rate: usable (minimum 0.1%)",
        ),
        (Statistics(None, None, 0.4847), "match rate 48%: usable (minimum 0.1%)"),
    ],
)
def test_a_match_rate_counts_no_people_that_are_rounded(found: Statistics, matches: str) -> None:
    [one] = status(
        "production", [A], [ResourceState(A, SETTLED)], {SETTLED.segment_id: found}, {}, {}, NOW, ROUNDED
    ).rows
    assert one.matches == matches


def test_rounded_counts_are_labelled() -> None:
    stream = io.StringIO()
    print_status(status("production", [A], [], {}, {}, {}, NOW, ROUNDED), console(stream, color=None))
    assert stream.getvalue().endswith("Counts are rounded to 10; exact ones are shown at a terminal.\n")


def test_a_status_with_statistics_has_no_note() -> None:
    assert status("production", [A], [ResourceState(A, SETTLED)], {}, {}, {}, NOW, EXACT).basis == ""
    assert status("production", [A], [], None, {}, {}, NOW, EXACT).basis == ""


def test_an_empty_environment() -> None:
    stream = io.StringIO()
    print_status(status("production", [], [], {}, {}, {}, NOW, EXACT), console(stream, color=None))
    assert stream.getvalue() == "Status of production\n\n0 addresses.\n"


@pytest.mark.parametrize(
    ("rejected", "limits", "said"),
    [
        (5, {A: 0.1}, "5 rejected by Criteo"),
        (170, {}, "170 rejected by Criteo"),
        (
            170,
            {A: 0.1},
            "170 of 170 identifiers rejected by Criteo as invalid (limit 10%, maxInvalid)",
        ),
    ],
)
def test_a_share_of_rejected_identifiers_beyond_the_limit_is_reported(
    rejected: int, limits: dict[Address, float], said: str
) -> None:
    holding = replace(SETTLED, confirmed=SnapshotRef("ab", 170), rejected=rejected)
    [one] = status("production", [A], [ResourceState(A, holding)], None, limits, {}, NOW, EXACT).rows
    assert one.rejected == said


def test_a_segment_that_lost_members_names_the_plan_that_refills_it() -> None:
    holding = replace(
        SETTLED, confirmed=SnapshotRef("ab", 170), completed_at=NOW - timedelta(days=1), rejected=0
    )
    reported = {SETTLED.segment_id: Statistics(0, 0, None)}
    [one] = status("production", [A], [ResourceState(A, holding)], reported, {A: 0.1}, {}, NOW, EXACT).rows
    assert one.lost == (
        "Criteo counts 0 of the 170 identifiers that it acknowledged: "
        "`reconciler plan production --statistics --only offsite-email/a` plans to refill it"
    )
    [unmanaged] = status("production", [A], [ResourceState(A, holding)], reported, {}, {}, NOW, EXACT).rows
    assert unmanaged.lost == ""
