"""Histories of erasures, adoptions, repairs and overrides that show what a rule is for, or failed once."""

from collections.abc import Callable
from functools import partial

from support.every_event_simulation import EveryEvent
from support.lifecycle_simulation import EXAMPLES as LIVES
from support.lifecycle_simulation import ends_well
from support.simulation import ADDRESSES

from reconciler.core.adoption import Baseline
from reconciler.core.lifecycle import MembersEnd, SegmentEnd
from reconciler.core.model import Hashing, IdentifierType, RepairMode

ONE, TWO = ADDRESSES[0], ADDRESSES[3]
KIND = (IdentifierType.EMAIL, Hashing.SHA256)
FOUR = frozenset({"p0", "p1", "p2", "p3"})
ONE_PERSON, EVERYBODY = frozenset({"p0"}), FOUR | {"p4"}


def begun() -> EveryEvent:
    """One address with four people and one that no list names, which were sent."""
    history = EveryEvent()
    history.begin([("declare", ONE, FOUR)], size=2, run=True)
    return history


def an_erased_person_does_not_come_back() -> None:
    history = begun()
    history.erase(frozenset({"p0"}))
    history.run_in_peace([])
    ends_well(history)


def a_segment_replaced_by_a_repair_loses_listed_members_in_the_next_run() -> None:
    history = EveryEvent()
    history.begin([("declare", ONE, frozenset({"p0"}))], size=1, run=True)
    history.a_day_passes_and_repairs_are_applied([("fill_by_hand", 0)])
    lists = [("deliver_suppression", frozenset({"p0", "p1", "p2"}), 0)]
    history.a_column_changes_and_is_applied(("restore_matches", 0), lists)
    history.a_column_changes_and_is_applied(("change_matches", 0, frozenset({"p0"}), ""), [])
    ends_well(history)


def a_stranger_with_our_name_stops_no_opt_out() -> None:
    """Someone else created a segment like the one that an unconfirmed create of ours asked for."""
    history = EveryEvent()
    history.begin([("declare", ONE, frozenset({"p0"}))], size=1, run=True)
    asked = [("rekey", 0, KIND, "1001", "8")]
    history.run_beside_a_stranger(asked, (0, ""), "like ours", "lost-before")
    history.something_happens(("rename_by_hand", 0, "By hand"))
    history.run_and_crash([("rekey", 0, KIND, "1001", "7")], number=1, after=False)
    history.somebody_opts_out(0, "p0", pause="")
    ends_well(history)


def many_opt_outs_in_a_replaced_segment_leave_it_or_block() -> None:
    """In the current segment they are fewer than the guard allows."""
    history = EveryEvent()
    history.begin([("declare", ONE, FOUR)], size=4, run=True)
    history.run_in_peace([("rekey", 0, KIND, "1001", "8")])
    history.run_in_peace([("change_source", 0, frozenset({"p0", "p3", "p4"}))])
    history.run_in_peace([("deliver_suppression", frozenset({"p0", "p1", "p2"}), 0)])
    ends_well(history)


def a_forgotten_address_may_keep_the_tag_of_where_it_moved_from() -> None:
    """The move was killed before it wrote the new tag. Later, another address takes the old name."""
    history, origin, to, other = EveryEvent(), *ADDRESSES[:3]
    history.begin([("declare", origin, FOUR), ("declare", other, FOUR)], size=4, run=True)
    history.run_and_crash([("move", 0, to)], number=5, after=False)
    history.run_in_peace([("remove_from_manifests", 0)])
    history.run_in_peace([("move", 0, origin)])
    assert to in history.world.store.saved_resources
    ends_well(history)


def a_copy_of_an_interrupted_move_is_no_second_segment() -> None:
    """The address that would take the name next is blocked, so that its run does not drop the copy."""
    history, old, origin, to = EveryEvent(), *ADDRESSES[:2], ADDRESSES[3]
    history.begin([("declare", old, FOUR), ("declare", origin, FOUR)], size=4, run=True)
    history.something_happens(("remove_from_manifests", 0))
    history.run_and_crash([("move", 0, to)], number=5, after=True)
    history.run_in_peace([("move", 0, old)])
    assert {origin, to} <= history.world.store.saved_resources.keys()
    ends_well(history)


def an_erasure_is_completed_wherever_it_was_killed() -> None:
    for number in range(1, 9):
        for after in (False, True):
            history = begun()
            history.erase(frozenset({"p0"}), number, after)
            ends_well(history)


def an_erasure_is_not_complete_while_access_is_lost() -> None:
    history = begun()
    history.access_is_lost("1001")
    history.erase(frozenset({"p0"}))
    ends_well(history)


def a_file_with_erased_members_is_not_assumed() -> None:
    history = begun()
    history.erase(frozenset({"p0"}))
    history.hand_over(TWO, Baseline.ASSUME, FOUR, "Theirs")
    history.run_in_peace([])
    ends_well(history)


def a_segment_of_another_tool_is_adopted(baseline: Baseline) -> None:
    history = begun()
    history.hand_over(TWO, baseline, frozenset({"p0", "theirs"}), "Theirs")
    history.run_in_peace([])
    ends_well(history)


def a_filled_segment_is_replaced() -> None:
    history = begun()
    history.set_repair(RepairMode.AUTO)
    history.fill_by_hand(0)
    history.a_day_passes_and_repairs_are_applied([])
    ends_well(history)


def a_filled_segment_is_replaced_that_replaced_an_adopted_one() -> None:
    history = begun()
    history.hand_over(TWO, Baseline.REPLACE, frozenset({"p0", "theirs"}), "Theirs")
    history.run_in_peace([])
    history.fill_by_hand(1)
    assert len(history.filled) == 1
    ends_well(history)


def a_filled_segment_is_replaced_that_replaced_one_adopted_in_a_moment() -> None:
    """Its adoption and its completion have the same time."""
    history = begun()
    history.hand_over(TWO, Baseline.REUSE, frozenset({"p0"}), "")
    history.run_in_peace([])
    history.run_in_peace([("rekey", 1, KIND, "1001", "8")])
    history.fill_by_hand(1)
    ends_well(history)


def a_file_in_another_form_than_was_sent_is_believed() -> None:
    history, sent = EveryEvent(), frozenset({"p0"})
    handed = [("hand_over", ONE, Baseline.ASSUME, sent, "")]
    history.begin([("declare", ONE, sent)], size=1, handed=handed, run=False)
    history.run_in_peace([("rekey", 0, (IdentifierType.EMAIL, Hashing.MD5), "1001", "7")])
    ends_well(history)


def an_audience_under_the_name_of_an_ended_one_has_lists_of_its_own() -> None:
    """The former audience was deleted, with the lists that were applied last."""
    history, (deleted, moved, ended) = EveryEvent(), ADDRESSES[:3]
    declared = [
        ("declare", moved, ONE_PERSON),
        ("declare", deleted, EVERYBODY),
        ("declare", ended, EVERYBODY),
    ]
    history.begin(declared, size=4, run=True)
    history.events_happen([("deliver", 0, "opt-outs.csv", frozenset({"p0", "p1", "p2"}), 0)])
    history.something_happens(("delete_by_hand", 0))
    history.run_in_peace([])
    history.an_address_ends(2, ("end", 2, MembersEnd.KEEP, SegmentEnd.DELETE), killed=0, after=False)
    history.something_happens(("move", 1, ended))
    history.a_column_changes_and_is_applied(("change_matches", 0, ONE_PERSON, ""), [])
    ends_well(history)


def an_adoption_of_a_segment_that_moved_on_is_to_be_removed() -> None:
    """The run that moved it was killed, and left a copy under the old address."""
    history, new, adopted = EveryEvent(), ADDRESSES[0], ADDRESSES[3]
    handed = [("hand_over", adopted, Baseline.REUSE, ONE_PERSON, "")]
    history.begin([("declare", new, ONE_PERSON)], size=1, handed=handed, run=False)
    history.documents_are_applied([("move", 0, ADDRESSES[1])], number=1, after=False)
    history.run_beside_a_stranger([], (0, ""), "like ours", "lost-before")
    history.documents_are_applied([("move", 1, new)], number=4, after=False)
    history.something_happens(("move", 0, adopted))
    history.events_are_applied([("move", 0, adopted), ("move", 0, new)], statistics=False)
    ends_well(history)


def a_name_that_an_unconfirmed_create_may_take_is_waited_for() -> None:
    """Meanwhile, a segment with this name was adopted for another address."""
    history = EveryEvent()
    history.begin([("declare", ONE, ONE_PERSON)], size=1, run=False)
    history.events_and_trouble([("retitle", 0, "Lapsed", "")], [("create", 0, "lost-before")], [])
    history.run_in_peace([("hand_over", ADDRESSES[1], Baseline.REUSE, ONE_PERSON, "")])
    ends_well(history)


def lists_of_an_audience_that_took_another_name_may_have_lost_somebody() -> None:
    """Without its source, it is not known whom; so no member is removed."""
    history = EveryEvent()
    history.begin([("declare", one, ONE_PERSON) for one in ADDRESSES[1:3]], size=1, run=True)
    history.a_column_changes_and_is_applied(("rename_the_column", 1), [("add_some", 0, "p1")])
    history.events_are_applied([("build_on", 0), ("describe_by_hand", 0, "")], statistics=False)
    history.a_column_changes_and_is_applied(("restore_matches", 0), [("add_some", 1, "p0")])
    history.a_day_passes_and_repairs_are_applied([("move", 0, ADDRESSES[0])])
    ends_well(history)


def a_state_without_its_last_address_looks_lost_beside_a_copied_tag() -> None:
    history, first, other = EveryEvent(), ADDRESSES[0], ADDRESSES[2]
    history.begin([("declare", one, ONE_PERSON) for one in (first, other)], size=1, run=False)
    history.run_beside_a_stranger([], (0, ""), "another state's")
    history.run_in_peace([("end", 1, MembersEnd.KEEP, SegmentEnd.DELETE)])
    assert not history.world.store.saved_resources
    ends_well(history)


def a_segment_is_adopted_under_the_name_that_another_one_had() -> None:
    """The other one moved, in a run that was killed before it wrote the new tag, and is forgotten."""
    history, (to, _, _, origin) = EveryEvent(), ADDRESSES
    history.begin([("declare", one, ONE_PERSON) for one in ADDRESSES[2:]], size=2, run=True)
    history.run_and_crash([("move", 1, to)], number=5, after=False)
    history.run_in_peace([("remove_from_manifests", 0)])
    adopted = ("hand_over", origin, Baseline.REUSE, FOUR, "Theirs")
    history.run_in_peace([adopted, ("retitle", 1, "Silver", "")])
    assert origin in history.world.store.saved_resources
    ends_well(history)


def an_emptied_segment_that_can_not_be_seen_is_not_given_up() -> None:
    history, (kept, ended) = EveryEvent(), ADDRESSES[:2]
    history.begin([("declare", one, ONE_PERSON) for one in (kept, ended)], size=1, run=False)
    history.run_in_peace([("rekey", 1, KIND, "1002", "7")])
    history.run_in_peace([("end", 1, MembersEnd.REMOVE, SegmentEnd.KEEP)])
    history.something_happens(("access_is_lost", "1002"))
    history.run_in_peace([])
    assert ended in history.world.store.saved_resources
    ends_well(history)


def an_expired_override_lets_nothing_pass() -> None:
    history = begun()
    history.override(0, "address", "maxShrink", 0)
    history.time_passes(90_000)
    history.run_in_peace([("change_source", 0, frozenset({"p4"}))])
    ends_well(history)


def what_an_override_lets_pass_is_blocked_without_it() -> None:
    history = begun()
    history.run_in_peace([("change_source", 0, frozenset({"p4"}))])
    assert ONE in history.blocked
    history.run_in_peace([("override", 0, "audience", "maxShrink", 0)])
    assert ONE not in history.blocked
    ends_well(history)


def an_interrupted_move_that_is_moved_on_leaves_one_address() -> None:
    for number in range(1, 6):
        history = begun()
        history.run_and_crash([("move", 0, TWO)], number, after=True)
        history.run_in_peace([("move", 0, ADDRESSES[1])])
        history.segments_have_one_address()
        ends_well(history)


def uncertain_members_beyond_the_size_of_a_segment_can_be_let_pass() -> None:
    """Three were sent to a segment of two without a response; none of the five is wanted any more."""
    history = EveryEvent()
    history.begin([("declare", ONE, frozenset({"p0"}))], size=3, run=True)
    history.run_in_trouble([("change_source", 0, FOUR)], [("add", 0, "lost-before")], [])
    history.time_passes(700)
    history.change_source(0, frozenset({"p4"}))
    history.world.people[ONE.audience] = frozenset({"p4"})
    ends_well(history)


def an_erased_person_on_a_list_leaves_an_adopted_segment_and_the_state() -> None:
    """Another tool sent them, and their removal gets no answer."""
    history = EveryEvent()
    history.begin([("declare", ONE, ONE_PERSON)], size=1, run=True)
    history.erase(ONE_PERSON)
    history.run_in_trouble(
        [
            ("hand_over", TWO, Baseline.REUSE, ONE_PERSON, ""),
            ("deliver", 1, "legal.csv", frozenset({"p0", "p1", "p2"}), 0),
        ],
        [("remove", 0, "lost-before")],
        [],
    )
    assert history.world.store.saved_erasures.is_pending
    ends_well(history)


def a_lost_removal_from_a_forgotten_segment_is_no_success() -> None:
    """Its audience is declared under another name, without a document."""
    history = EveryEvent()
    history.begin([("declare", ONE, ONE_PERSON)], size=1, run=True)
    history.events_happen([("move", 0, ADDRESSES[1])])
    history.run_in_trouble([("remove_documents",), ("opt_out", "p0")], [("remove", 0, "lost-before")], [])
    ends_well(history)


def listed_members_of_a_segment_that_was_replaced_last_may_need_an_override() -> None:
    """Their rows have nothing that the list can be matched with, so they are sent to the new segment."""
    history = EveryEvent()
    history.begin([("declare", ONE, ONE_PERSON)], size=1, run=True)
    history.events_are_applied([("change_source", 0, frozenset({"p0", "p1", "p2"}))], statistics=False)
    history.events_are_applied([("fill_by_hand", 0)], statistics=False)
    history.a_column_changes_and_is_applied(("change_matches", 0, ONE_PERSON, ""), [])
    lists = [("deliver_suppression", frozenset({"p0", "p1", "p2"}), 0)]
    history.a_column_changes_and_is_applied(("change_matches", 0, ONE_PERSON, ""), lists)
    history.a_column_changes_and_is_applied(("change_matches", 0, frozenset({"p0", "p1"}), ""), [])
    ends_well(history)


EXAMPLES: tuple[Callable[[], None], ...] = (
    an_erased_person_does_not_come_back,
    an_erased_person_on_a_list_leaves_an_adopted_segment_and_the_state,
    a_lost_removal_from_a_forgotten_segment_is_no_success,
    listed_members_of_a_segment_that_was_replaced_last_may_need_an_override,
    an_erasure_is_not_complete_while_access_is_lost,
    a_file_with_erased_members_is_not_assumed,
    *(partial(a_segment_of_another_tool_is_adopted, baseline) for baseline in Baseline),
    a_forgotten_address_may_keep_the_tag_of_where_it_moved_from,
    a_copy_of_an_interrupted_move_is_no_second_segment,
    a_filled_segment_is_replaced,
    a_filled_segment_is_replaced_that_replaced_an_adopted_one,
    a_filled_segment_is_replaced_that_replaced_one_adopted_in_a_moment,
    a_file_in_another_form_than_was_sent_is_believed,
    an_audience_under_the_name_of_an_ended_one_has_lists_of_its_own,
    an_adoption_of_a_segment_that_moved_on_is_to_be_removed,
    a_name_that_an_unconfirmed_create_may_take_is_waited_for,
    lists_of_an_audience_that_took_another_name_may_have_lost_somebody,
    a_state_without_its_last_address_looks_lost_beside_a_copied_tag,
    a_segment_is_adopted_under_the_name_that_another_one_had,
    an_emptied_segment_that_can_not_be_seen_is_not_given_up,
    an_expired_override_lets_nothing_pass,
    a_stranger_with_our_name_stops_no_opt_out,
    many_opt_outs_in_a_replaced_segment_leave_it_or_block,
    an_interrupted_move_that_is_moved_on_leaves_one_address,
    uncertain_members_beyond_the_size_of_a_segment_can_be_let_pass,
    what_an_override_lets_pass_is_blocked_without_it,
    *LIVES,
    a_segment_replaced_by_a_repair_loses_listed_members_in_the_next_run,
    an_erasure_is_completed_wherever_it_was_killed,
)
"""The cheapest first."""


def name_of(example: Callable[[], None]) -> str:
    given = [str(one) for one in getattr(example, "args", ())]
    return "-".join([getattr(example, "func", example).__name__, *given])
