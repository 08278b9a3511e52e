"""Every history that once failed, or that shows the purpose of a rule, as plain calls."""

import re
from collections.abc import Callable

from support.in_memory_environment import EMAIL
from support.simulation import NATURES, Simulation

from reconciler.core.model import Address

History = Callable[[type[Simulation]], None]
ONE, TWO = Address("offsite", "lapsed"), Address("offsite", "loyal")
RETIRED = "Silver (retired 2026-11-24)"
OTHER_RETAILER = ("rekey", 0, EMAIL, "1001", "8")


def source(*people: str) -> tuple[object, ...]:
    return ("change_source", 0, frozenset(people))


def begun(kind: type[Simulation], *, run: bool) -> Simulation:
    """One address with one person, sent or not yet."""
    history = kind()
    history.begin([("declare", ONE, frozenset({"p0"}))], size=1, merges=False, invalid="nobody", run=run)
    return history


def ends_well(history: Simulation) -> None:
    history.we_know_what_is_held()
    history.nothing_foreign_was_touched()
    history.teardown()


def a_title_may_look_like_the_name_of_a_retired_segment(kind: type[Simulation]) -> None:
    history = begun(kind, run=False)
    history.edit([("retitle", 0, RETIRED, "")])
    history.run_in_peace([])
    history.edit([OTHER_RETAILER])
    ends_well(history)


def a_retired_segment_never_gets_the_name_that_its_successor_wants(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.rename_by_hand(0, "Silver (new)")
    history.edit([("retitle", 0, RETIRED, ""), OTHER_RETAILER])
    ends_well(history)


def a_delayed_create_leaves_no_unknown_segment(kind: type[Simulation]) -> None:
    history = begun(kind, run=False)
    history.run_and_stop([], patience=2)
    history.run_in_trouble([OTHER_RETAILER], [("create", 0, "late")], [], delay=650)
    ends_well(history)


def a_replacement_that_can_not_be_seen_any_more_is_not_made_again(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.world.criteo.hidden = {"1002"}
    history.edit([("rekey", 0, EMAIL, "1002", "7")])
    history.run_and_stop([], patience=2)
    history.edit([("retitle", 0, "Gold", "")])
    history.run_in_peace([])
    ends_well(history)


def somebody_suppressed_while_a_transfer_is_interrupted_leaves_first(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.run_in_trouble([source("p1")], [("add", 0, "lost-before")], [])
    history.edit([("suppress", 0, frozenset({"p0"}))])
    ends_well(history)


def a_larger_batch_in_flight_stays_uncertain_while_smaller_ones_are_sent(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.edit([("change_batch_size", 3), source("p1", "p2", "p3")])
    history.run_in_trouble([], [("add", 0, "crash-after")], [("change_batch_size", 1)])
    history.run_in_trouble([], [("add", 1, "crash-before")], [])
    history.we_know_what_is_held()
    history.edit([source("p0")])
    ends_well(history)


def a_larger_batch_in_flight_stays_uncertain_when_a_smaller_one_is_accepted(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.edit([("change_batch_size", 3), source("p1", "p2", "p3")])
    history.run_in_trouble([], [("add", 0, "crash-after")], [("change_batch_size", 1)])
    history.run_in_trouble([], [("add", 1, "rejected")], [])
    ends_well(history)


def a_repeated_batch_may_land_once_more(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.run_in_trouble([source("p0", "p1")], [("add", 0, "crash-late")], [])
    history.run_in_peace([])
    history.edit([source("p0")])
    ends_well(history)


def an_answer_after_a_lost_one_is_uncertain(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.run_in_trouble([source("p0", "p1")], [("add", 0, "uncertain")], [source("p0")])
    ends_well(history)


def a_refused_batch_leaves_nothing_uncertain(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.run_in_trouble([source("p0", "p1")], [("add", 0, "rejected")], [source("p0")])
    ends_well(history)


def a_refused_create_leaves_nothing_uncertain(kind: type[Simulation]) -> None:
    history = begun(kind, run=False)
    history.run_in_trouble([], [("create", 0, "rejected")], [])
    ends_well(history)


def a_late_rename_undoes_nothing(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    gold, silver = ("retitle", 0, "Gold", ""), ("retitle", 0, "Silver", "")
    history.run_in_trouble([gold], [("update", 0, "crash-late")], [silver])
    ends_well(history)


def an_unanswered_rename_undoes_nothing(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    gold, silver = ("retitle", 0, "Gold", ""), ("retitle", 0, "Silver", "")
    history.run_in_trouble([gold], [("update", 0, "late")], [silver])
    ends_well(history)


def of_several_renames_none_undoes_the_last(kind: type[Simulation]) -> None:
    """The second agrees with the first, so it does not wait; the third must wait for the first."""
    history = begun(kind, run=True)
    history.run_in_trouble([("retitle", 0, "Gold", "")], [("update", 0, "late")], [])
    history.run_in_peace([("retitle", 0, "Gold", "new")])
    history.edit([("retitle", 0, "Silver", "new")])
    ends_well(history)


def a_name_that_may_land_late_is_not_given_to_another_segment(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.run_in_trouble([OTHER_RETAILER], [("update", 0, "late")], [("rekey", 0, EMAIL, "1001", "7")])
    ends_well(history)


def a_delayed_call_takes_effect_after_its_recorded_time(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.run_in_trouble([source("p0", "p1")], [("add", 0, "crash-late")], [source("p0")], delay=650)
    ends_well(history)


def a_delayed_rename_takes_effect_after_its_recorded_time(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    gold, silver = ("retitle", 0, "Gold", ""), ("retitle", 0, "Silver", "")
    history.run_in_trouble([gold], [("update", 0, "crash-late")], [silver], delay=650)
    ends_well(history)


def a_delayed_create_takes_effect_after_its_recorded_time(kind: type[Simulation]) -> None:
    history = begun(kind, run=False)
    history.run_in_trouble([], [("create", 0, "crash-late")], [("retitle", 0, "Gold", "")], delay=650)
    ends_well(history)


def a_repeated_refused_create_leaves_no_unknown_segment(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    changes = [("retitle", 0, "Gold", ""), ("declare", TWO, frozenset({"p0"}))]
    troubles = [("create", 0, "uncertain"), ("update", 0, "late")]
    history.run_in_trouble(changes, troubles, [("delete_by_hand", 0)])
    ends_well(history)


def another_list_of_suppressed_people_is_another_order(kind: type[Simulation]) -> None:
    """As many people as before, but not the same ones."""
    history = kind()
    people = frozenset({"p0", "p1"})
    history.begin([("declare", ONE, people)], size=1, merges=False, invalid="nobody", run=True)
    changes = [source("p2", "p3"), ("suppress", 0, frozenset({"p0"}))]
    history.run_in_trouble(changes, [("remove", 0, "rejected")], [("suppress", 0, frozenset({"p1"}))])
    ends_well(history)


def a_name_that_may_still_be_taken_is_reserved(kind: type[Simulation]) -> None:
    history = begun(kind, run=False)
    history.run_in_trouble([], [("create", 0, "late")], [])
    wanted = history.world.wishes[ONE].title
    history.edit([("retitle", 0, "Gold", ""), ("declare", TWO, frozenset({"p1"}))])
    history._wish(TWO, title=wanted)
    ends_well(history)


def _taken_by(nature: str) -> History:
    def history(kind: type[Simulation]) -> None:
        lived = begun(kind, run=False)
        lost = [("create", 0, "lost-before")]
        lived.run_in_trouble([], lost, [("make_a_segment", (0, ""), nature)])
        lived.run_in_peace([])
        ends_well(lived)

    history.__name__ = f"a_stranger_{nature.replace(' ', '_')}_under_our_name_is_not_adopted"
    return history


def _takes_the_name(nature: str, answer: str | None) -> History:
    def history(kind: type[Simulation]) -> None:
        lived = begun(kind, run=True)
        lived.run_beside_a_stranger([("declare", TWO, frozenset({"p1"}))], (1, ""), nature, answer)
        lived.run_in_peace([])
        ends_well(lived)

    answered = "refused" if answer is None else "unanswered"
    history.__name__ = f"a_stranger_{re.sub(r'[^a-z]+', '_', nature)}_at_a_{answered}_create_is_not_adopted"
    return history


def a_foreign_tag_on_our_segment_blocks_it(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.describe_by_hand(0, "another environment's")
    history.run_in_peace([source("p3")])
    ends_well(history)


def the_tag_of_another_state_on_our_segment_blocks_it(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.describe_by_hand(0, "another state's")
    history.run_in_peace([source("p3")])
    ends_well(history)


def an_older_segment_under_our_name_is_not_adopted(kind: type[Simulation]) -> None:
    history = begun(kind, run=False)
    history._stranger("Theirs", "1001", "like ours")
    theirs = max(history.foreign)
    history.run_in_trouble([], [("create", 0, "lost-before")], [])
    history.rename_theirs(sorted(history.foreign).index(theirs), (0, ""))
    history.run_in_peace([])
    ends_well(history)


def a_segment_of_another_address_is_not_adopted(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.run_in_trouble(
        [("declare", TWO, frozenset({"p1"}))], [("create", 0, "lost-before")], [("clear_by_hand", 0)]
    )
    assert history.world.wishes[TWO].title == "Gold"
    history.world.criteo.rename(history._ours()[0], "Gold")
    history.run_in_peace([])
    ends_well(history)


def a_retired_segment_of_the_same_address_is_not_adopted(kind: type[Simulation]) -> None:
    """It has our tag and our key, and was renamed to the name of its replacement."""
    history = begun(kind, run=True)
    history.run_in_peace([OTHER_RETAILER, source("p1")])
    [retired] = history._resources()[0].retired
    back = ("rekey", 0, EMAIL, "1001", "7")
    history.run_in_trouble([back], [("create", 0, "lost-before")], [])
    title = history.world.wishes[ONE].title
    history.world.criteo.rename(retired.segment.segment_id, f"{title.strip()} (new)")
    history.time_passes(700)
    history.run_in_peace([])
    ends_well(history)


def a_segment_may_be_the_work_of_an_earlier_request(kind: type[Simulation]) -> None:
    """The earlier create takes effect while the last waits; the last takes effect once the name is free."""
    history = begun(kind, run=False)
    history.run_in_trouble([], [("create", 0, "late")], [])
    history.run_in_trouble([], [("create", 0, "crash-late")], [("retitle", 0, "Gold", "")], delay=650)
    ends_well(history)


def a_segment_may_be_older_than_the_last_request_for_it(kind: type[Simulation]) -> None:
    """It takes effect while renames before the repeated create wait."""
    history = begun(kind, run=False)
    history.edit([("declare", TWO, frozenset({"p0"}))])
    history.run_and_stop([], patience=2)
    history.edit([OTHER_RETAILER])
    history.run_in_trouble([], [("create", 0, "late")], [])
    history.run_in_trouble([("swap_titles", 0, 1)], [("create", 0, "lost-before")], [], delay=650)
    ends_well(history)


def a_forgotten_segment_that_can_not_be_seen_is_not_given_up(kind: type[Simulation]) -> None:
    """It is wanted again, under another account, while access to its own is lost."""
    history = begun(kind, run=False)
    history.edit([("rekey", 0, EMAIL, "1002", "7"), ("declare", TWO, frozenset({"p0"}))])
    history.run_in_peace([])
    history.run_in_peace([("remove_from_manifests", 0)])
    history.run_in_trouble([("access_is_lost", "1002"), ("declare", ONE, frozenset({"p0"}))], [], [])
    ends_well(history)


def suppressed_people_leave_a_broken_audience(kind: type[Simulation]) -> None:
    history = begun(kind, run=False)
    history.edit([source("p0", "p1")])
    history.run_in_peace([])
    history.run_in_peace([("break_source", 0), ("suppress", 0, frozenset({"p0"}))])
    history.we_know_what_is_held()
    ends_well(history)


def only_suppressed_members_leave_a_broken_audience(kind: type[Simulation]) -> None:
    """One of two uncertain members is suppressed."""
    history = begun(kind, run=True)
    history.edit([("change_batch_size", 3)])
    history.run_in_trouble([source("p0", "p1", "p2")], [("add", 0, "lost-after")], [])
    history.run_in_peace([])
    history.run_in_trouble([source("p0", "p3", "p4")], [("add", 0, "lost-after")], [])
    history.time_passes(700)
    history.run_in_peace([("break_source", 0), ("suppress", 0, frozenset({"p3"}))])
    history.we_know_what_is_held()
    ends_well(history)


def nothing_contradicts_what_may_land_at_a_broken_audience(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.run_in_trouble([source("p0", "p1")], [("add", 0, "late")], [])
    history.run_in_peace([("break_source", 0), ("suppress", 0, frozenset({"p1"}))])
    history.time_passes(700)
    history.we_know_what_is_held()
    ends_well(history)


def a_name_is_not_taken_from_a_broken_audience(kind: type[Simulation]) -> None:
    history = begun(kind, run=False)
    history.edit([("declare", TWO, frozenset({"p0"}))])
    history.run_in_peace([])
    history.run_in_peace([("swap_titles", 0, 1), ("break_source", 0)])
    ends_well(history)


def a_title_that_a_replacement_uses_for_a_while_is_free_after_the_run(kind: type[Simulation]) -> None:
    history = kind()
    first = [("declare", ONE, frozenset({"p0"})), ("declare", TWO, frozenset({"p0"}))]
    history.begin(first, size=1, merges=False, invalid="nobody", run=False)
    history.edit([("retitle", 1, "Silver (new)", "")])
    history.run_in_peace([], only=0)
    history.run_in_peace([OTHER_RETAILER])
    ends_well(history)


def a_rejected_member_whose_removal_is_unconfirmed_is_not_counted_twice(kind: type[Simulation]) -> None:
    history = kind()
    first = [("declare", ONE, frozenset({"p0", "p1"}))]
    history.begin(first, size=2, merges=False, invalid="p0", run=True)
    history.run_in_trouble([source("p1")], [("remove", 0, "lost-before")], [])
    history.run_in_trouble([source("p0", "p1")], [], [("clear_by_hand", 0)])
    ends_well(history)


def a_segment_that_listings_lack_is_confirmed_by_its_id(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.lose_from_listings(0)
    history.run_in_peace([source("p0", "p1")])
    ends_well(history)


def a_run_beside_another_is_refused(kind: type[Simulation]) -> None:
    history = begun(kind, run=True)
    history.run_beside_another([source("p0", "p1")], 1)
    ends_well(history)


EXAMPLES: tuple[History, ...] = (
    a_segment_that_listings_lack_is_confirmed_by_its_id,
    a_run_beside_another_is_refused,
    a_rejected_member_whose_removal_is_unconfirmed_is_not_counted_twice,
    a_title_that_a_replacement_uses_for_a_while_is_free_after_the_run,
    suppressed_people_leave_a_broken_audience,
    only_suppressed_members_leave_a_broken_audience,
    nothing_contradicts_what_may_land_at_a_broken_audience,
    a_name_is_not_taken_from_a_broken_audience,
    a_title_may_look_like_the_name_of_a_retired_segment,
    a_retired_segment_never_gets_the_name_that_its_successor_wants,
    a_delayed_create_leaves_no_unknown_segment,
    a_replacement_that_can_not_be_seen_any_more_is_not_made_again,
    somebody_suppressed_while_a_transfer_is_interrupted_leaves_first,
    a_larger_batch_in_flight_stays_uncertain_while_smaller_ones_are_sent,
    a_larger_batch_in_flight_stays_uncertain_when_a_smaller_one_is_accepted,
    a_repeated_batch_may_land_once_more,
    an_answer_after_a_lost_one_is_uncertain,
    a_refused_batch_leaves_nothing_uncertain,
    a_refused_create_leaves_nothing_uncertain,
    a_late_rename_undoes_nothing,
    an_unanswered_rename_undoes_nothing,
    of_several_renames_none_undoes_the_last,
    a_name_that_may_land_late_is_not_given_to_another_segment,
    a_delayed_call_takes_effect_after_its_recorded_time,
    a_delayed_rename_takes_effect_after_its_recorded_time,
    a_delayed_create_takes_effect_after_its_recorded_time,
    a_repeated_refused_create_leaves_no_unknown_segment,
    a_segment_may_be_the_work_of_an_earlier_request,
    a_segment_may_be_older_than_the_last_request_for_it,
    a_forgotten_segment_that_can_not_be_seen_is_not_given_up,
    another_list_of_suppressed_people_is_another_order,
    a_name_that_may_still_be_taken_is_reserved,
    _taken_by("foreign retailer"),
    _taken_by("foreign type"),
    _taken_by("with members"),
    _taken_by("like ours"),
    _taken_by("another environment's"),
    *(_takes_the_name(nature, answer) for nature in NATURES for answer in (None, "lost-before")),
    a_foreign_tag_on_our_segment_blocks_it,
    the_tag_of_another_state_on_our_segment_blocks_it,
    an_older_segment_under_our_name_is_not_adopted,
    a_segment_of_another_address_is_not_adopted,
    a_retired_segment_of_the_same_address_is_not_adopted,
)
