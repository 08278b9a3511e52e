"""The rules of state and approvals; each mutant removes one, and a test must fail.

A mutant replaces functions of the planner, of apply or of a fake edge while a test runs. The crash
property must notice every one of state, and the tests of what an approval covers those of approvals.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from math import ceil
from typing import Any
from unittest.mock import patch

from support import in_memory_environment as world
from support.fakes import members
from support.fakes.members import MemoryEngine
from support.fakes.state import MemoryStore, MemoryWriter

from reconciler.apply import creates, run, transfer, updates
from reconciler.apply.recorder import StateRecorder
from reconciler.core import list_refusals, lists
from reconciler.core.approval import approved_changes, check, completion, differences, validity
from reconciler.core.approval import members_only as refresh
from reconciler.core.approval.model import largest
from reconciler.core.errors import OutcomeUnknownError, RejectedError
from reconciler.core.plan import address_planner as standing
from reconciler.core.plan import blocked_alone, decisions, lost_access, planner, suppressed_removals
from reconciler.core.plan.changes import Forget, Removal, Update, address_of
from reconciler.core.plan.names import Settled
from reconciler.core.plan.steps import PromoteReplacement
from reconciler.core.state import resource, unconfirmed_requests
from reconciler.core.state.ownership_tag import tag_of
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.operations import observe

Make = Callable[[Any], Any]
"""From the original to what takes its place."""


@dataclass(frozen=True)
class Mutant:
    """The removed rule, and the replaced functions: module, name, replacement."""

    rule: str
    without: str
    changes: tuple[tuple[object, str, Make], ...]

    @contextmanager
    def alive(self) -> Iterator[None]:
        with ExitStack() as patches:
            for where, name, make in self.changes:
                patches.enter_context(patch.object(where, name, make(getattr(where, name))))
            yield


APPROVAL_MODULES = (approved_changes, check, completion, differences, validity)


def in_approvals(name: str, make: Make) -> tuple[tuple[object, str, Make], ...]:
    """Replace a function in every module of approvals that calls it."""
    return tuple((module, name, make) for module in APPROVAL_MODULES if hasattr(module, name))


def gives(answer: object) -> Make:
    """Return a function with a constant result."""
    return lambda _original: lambda *_given, **_named: answer


def unchanged(_original: Any) -> Any:
    """Return the segment state unchanged."""
    return lambda holding, *_given, **_named: holding


def then(change: Callable[..., Any]) -> Make:
    """Apply `change` to the result and the arguments."""
    return lambda original: lambda *given, **named: change(original(*given, **named), *given)


def asked(change: Callable[..., tuple[Any, ...]]) -> Make:
    """Apply `change` to the arguments."""
    return lambda original: lambda *given: original(*change(*given))


# ---- 1. The resource state decides


def adds_forget_doubt(
    phases: Any, engine: MemoryEngine, confirmed: Any, uncertain: Any, target: Any, *_: Any
) -> Any:
    urgent, _adds, removes = phases
    return urgent, engine.members(target) - engine.members(confirmed) - engine.members(uncertain), removes


def removes_forget_doubt(phases: Any, engine: MemoryEngine, confirmed: Any, *_: Any) -> Any:
    urgent, adds, removes = phases
    return urgent & engine.members(confirmed), adds, removes & engine.members(confirmed)


def counts_batches(_original: Any) -> Any:
    def window(moving: Any, size: int) -> Any:
        at = ceil(moving.acknowledged / size) * size
        return (at, min(at + size, moving.size.total)) if at < moving.size.total else None

    return window


def skip_the_flight(holding: SegmentState, *_: Any) -> SegmentState:
    moving = holding.transfer
    return replace(
        holding,
        transfer=replace(
            moving, acknowledged=moving.in_flight.end if moving.in_flight else moving.acknowledged
        ),
    )


def newest_flight_only(holding: SegmentState, _before: SegmentState, batch: Any, *_: Any) -> SegmentState:
    moving = holding.transfer
    flight = replace(moving.in_flight, end=batch.end) if moving.in_flight else None
    return replace(holding, transfer=replace(moving, in_flight=flight))


def no_flight_left(holding: SegmentState, *_: Any) -> SegmentState:
    return replace(holding, transfer=replace(holding.transfer, in_flight=None))


# ---- 2. Nothing is sent twice that need not be; no change, no write


def unrecorded(_done: None, _tools: Any, ledger: StateRecorder, change: Any) -> None:
    ledger.write(replace(ledger.resource(change.spec.address), definition=""))


def always_opens(original: Any) -> Any:
    def apply(plan: Any, resources: Any, tools: Any, run_jobs: Any) -> Any:
        tools.state.begin_run()
        return original(plan, resources, tools, run_jobs)

    return apply


def unsettled(holding: SegmentState, before: SegmentState, *_: Any) -> SegmentState:
    return replace(holding, transfer=before.transfer)


def keeps_a_refused_flight(original: Any) -> Any:
    def sent(
        tools: Any, ledger: StateRecorder, route: Any, step: Any, before: SegmentState, batch: Any, size: int
    ) -> Any:
        try:
            return original(tools, ledger, route, step, before, batch, size)
        except RejectedError:
            flying = resource.record_dispatch(before, batch, tools.clock.now())
            ledger.put(route.address, step.slot, flying)
            raise

    return sent


# ---- 3. What may land late is not contradicted


def last_rename_only(holding: SegmentState, *_: Any) -> SegmentState:
    return replace(holding, unconfirmed_updates=holding.unconfirmed_updates[-1:])


def as_if_certain(holding: SegmentState, batch: Any, answer: Any, *rest: Any) -> tuple[Any, ...]:
    return (holding, batch, replace(answer, earlier_unconfirmed=False), *rest)


def resolves_all(original: Any) -> Any:
    return lambda self, *, in_doubt: original(self, in_doubt=False)


# ---- 4. Creates


def intents_stay_in_memory(original: Any) -> Any:
    def write(self: MemoryWriter, written: ResourceState) -> None:
        if not any(holding.intent for holding in written.segments):
            original(self, written)

    return write


def strips_ids(resources: Any, segments: Any) -> tuple[Any, Any]:
    """Match as if no resource state had a segment ID."""

    def strip(holding: SegmentState | None) -> SegmentState | None:
        return replace(holding, segment_id="") if holding else None

    return [
        replace(one, current=strip(one.current), replacement=strip(one.replacement), retired=())
        for one in resources
    ], segments


def any_retailer(key: Any, wanted: Any, found: Any) -> tuple[Any, ...]:
    return key, wanted, replace(found, retailer_id=key.retailer_id)


def any_type(key: Any, wanted: Any, found: Any) -> tuple[Any, ...]:
    return key, wanted, replace(found, identifier_type=key.identifier_type)


def any_tag(key: Any, wanted: Any, found: Any) -> tuple[Any, ...]:
    return key, wanted, replace(found, description=str(wanted))


def any_lineage(key: Any, wanted: Any, found: Any) -> tuple[Any, ...]:
    there = tag_of(found.description)
    same = there is not None and there.owner == wanted.owner
    return key, wanted, replace(found, description=str(wanted)) if same else found


def adopts(change: Callable[..., tuple[Any, ...]]) -> tuple[tuple[object, str, Make], ...]:
    return (standing, "why_not_ours", asked(change)), (creates, "why_not_ours", asked(change))


def one_environment(address: Any, tag: Any, holdings: Any, segments: Any, former: Any) -> tuple[Any, ...]:
    """Ignore tags of other environments."""
    owned = {at: one for at, one in segments.items() if _is_owned(one, tag)}
    return address, tag, holdings, owned, former


def one_state(address: Any, tag: Any, holdings: Any, segments: Any, former: Any) -> tuple[Any, ...]:
    """Ignore tags of other states."""
    others = {at: one for at, one in segments.items() if not _is_owned(one, tag)}
    return address, tag, holdings, others, former


def _is_owned(segment: Any, tag: Any) -> bool:
    found = tag_of(segment.description)
    return found is not None and found.owner == tag.owner


# ---- 5. Segments that are gone


def gone_is_fine(change: Any, sight: Any) -> Any:
    known = sight.resource and sight.resource.current.segment_id
    return None if known and known not in sight.segments else change


def without_successors(wanted: Any, resources: Any, accounts: Any) -> tuple[Any, ...]:
    return wanted, [replace(one, replacement=None) for one in resources], accounts


# ---- 6. Order


def removals_first(phases: Any, *_: Any) -> Any:
    urgent, adds, removes = phases
    return urgent | removes, adds, frozenset()


def nobody_urgent(phases: Any, *_: Any) -> Any:
    urgent, adds, removes = phases
    return frozenset(), adds, urgent | removes


# ---- 7. Replacement


def in_place(sight: Any) -> tuple[Any]:
    if sight.resource is None:
        return (sight,)
    current = replace(sight.resource.current, key=sight.spec.key)
    return (replace(sight, resource=replace(sight.resource, current=current)),)


def named_before_filled(original: Any) -> Any:
    def complete(tools: Any, ledger: StateRecorder, change: Any) -> None:
        early = tuple(step for step in change.steps.finalize if not isinstance(step, PromoteReplacement))
        for step in early:
            updates.update_segments(tools, ledger, [(change, step)])
        original(tools, ledger, change)

    return complete


def retires_nothing(resource_after: None, tools: Any, ledger: StateRecorder, address: Any, *_: Any) -> None:
    ledger.write(replace(ledger.resource(address), retired=()))


# ---- 8. One run at a time


def no_lock(_original: Any) -> Any:
    @contextmanager
    def lock(self: MemoryStore, who: str) -> Iterator[MemoryWriter]:
        writer = self.writer = MemoryWriter(self, who)
        yield writer

    return lock


# ---- 9. Forgetting


def drops(ended: Any, *_: Any) -> Any:
    return (replace(one, drop_state=True) if isinstance(one, Forget) else one for one in ended)


def stays_forgotten(original: Any) -> Any:
    def complete(tools: Any, ledger: StateRecorder, change: Any) -> None:
        before = ledger.resource(change.spec.address).forgotten_at
        original(tools, ledger, change)
        ledger.write(replace(ledger.resource(change.spec.address), forgotten_at=before))

    return complete


# ---- 10. No personal data is reported


def tells(original: Any) -> Any:
    def sent(
        tools: Any, ledger: StateRecorder, route: Any, step: Any, before: SegmentState, batch: Any, size: int
    ) -> Any:
        try:
            return original(tools, ledger, route, step, before, batch, size)
        except OutcomeUnknownError:
            raise OutcomeUnknownError(f"no answer about {batch.identifiers.reveal()}") from None

    return sent


# ---- What an approval covers


def as_read(_original: Any) -> Any:
    """Use a rounded count instead of its possible values."""
    return lambda then, number: abs(largest(then) - number)


def what_is_left(_original: Any) -> Any:
    """Ignore what an interrupted run has sent."""
    return lambda change, _resource: (change.members.delta.adds, change.members.delta.out)


def of_today(_: object, now: Any) -> Any:
    return now.environment.approval_limits


def never_begun(original: Any) -> Any:
    return lambda change, said, resource, tolerance, **_begun: original(
        change, said, resource, tolerance, begun=False
    )


def without_its_definition(_original: Any) -> Any:
    return lambda change, _said, held: (
        isinstance(change, Update) and held and held.current.completed_at is None
    )


def later(_original: Any) -> Any:
    return lambda time, moment: time is not None and time > moment


def stands(original: Any) -> Any:
    """Ignore who approved the change and what was sent since."""
    return lambda change, _named, now: original(change, [], now)


def by_seat(limit: int) -> Make:
    """Compare only this many seats of an approval."""
    return asked(
        lambda approved, now: (replace(approved, seats=dict(list(approved.seats.items())[:limit])), now)
    )


def for_any(key: str) -> Make:
    """Accept any content of an approval."""

    def change(approved: Any, now: Any) -> tuple[Any, ...]:
        there = {
            "environment": now.environment.name,
            "endpoint": now.environment.api.endpoint,
            "lineage": now.lineage,
        }
        return replace(approved, **{key: there[key]}), now

    return asked(change)


# ---- Exclusion lists


def without(words: str) -> Make:
    """Drop findings with this text."""
    return then(lambda found, *_: (one for one in found if words not in one.problem))


def row_by_row(_original: Any) -> Any:
    return lambda rows, named: frozenset(row.person for row in rows if row.match not in named)


def by_size(_original: Any) -> Any:
    def lost(members: Any, old: Any, now: Any, _missing: Any) -> int:
        same = [one.members for one in now if one.identifier_type == old.identifier_type]
        return max(0, members.count - sum(one.count for one in same))

    return lost


def beside_nothing(_original: Any) -> Any:
    return lambda removal, _change: replace(removal, departures=())


def forgets_lists(original: Any) -> Any:
    def complete(tools: Any, ledger: StateRecorder, change: Any) -> None:
        before = ledger.resource(change.spec.address).lists
        original(tools, ledger, change)
        ledger.write(replace(ledger.resource(change.spec.address), lists=before))

    return complete


def all_or_nothing(read: Any, specs: Any, *_: Any) -> Any:
    """Let one unreadable source block every address."""
    if not read.unread:
        return read
    unread = dict.fromkeys((one.address for one in specs), next(iter(read.unread.values())))
    return replace(read, targets={}, unread=unread)


PHASES, SENT = "_phases", "_sent"
TRUTH = "the resource state decides"
TWICE = "nothing is sent or written that need not be"
LATE = "what may land late is not contradicted"
CREATES = "a create is written down, looked up, and never doubled"
OWNED = "a segment with a foreign ownership tag is not written to"
GONE = "gone is confirmed, guarded, and made again"
ORDER = "suppressed people leave first, then all join, then the others leave"
REPLACE = "another key means another segment, filled before it takes the name"
LISTED = "a list lets nobody back in"
OPTED_OUT = "opt-outs leave every segment"
FORGET = "leaving the manifests means to forget, not to lose"
LOST = "members that Criteo lost are sent again"

MUTANTS = (
    Mutant(TRUTH, "maybe held, wanted: added", ((MemoryEngine, PHASES, then(adds_forget_doubt)),)),
    Mutant(TRUTH, "maybe held, unwanted: removed", ((MemoryEngine, PHASES, then(removes_forget_doubt)),)),
    Mutant(
        TRUTH,
        "collapse keeps what was acknowledged",
        (
            (
                MemoryEngine,
                "abandon_transfer",
                then(lambda both, _self, holding: (holding.confirmed, both[1])),
            ),
        ),
    ),
    Mutant(
        TRUTH,
        "collapse keeps what was in flight",
        (
            (
                MemoryEngine,
                "abandon_transfer",
                then(lambda both, _self, holding: (both[0], holding.uncertain)),
            ),
        ),
    ),
    Mutant(
        TRUTH,
        "a member that may be gone is not counted as rejected",
        ((resource, "_removals_in_flight", then(lambda _found, _transfer: 0)),),
    ),
    Mutant(TRUTH, "progress is an offset", ((members, "next_window", counts_batches),)),
    Mutant(
        TRUTH, "what was in flight is sent again", ((resource, "resume_transfer", then(skip_the_flight)),)
    ),
    Mutant(TRUTH, "the batch is announced before it is sent", ((resource, "record_dispatch", unchanged),)),
    Mutant(
        TRUTH,
        "a larger batch in flight stays in doubt while smaller ones are sent",
        ((resource, "record_dispatch", then(newest_flight_only)),),
    ),
    Mutant(
        TRUTH,
        "a larger batch in flight stays in doubt when a smaller one is taken",
        ((resource, "acknowledge", then(no_flight_left)),),
    ),
    Mutant(TWICE, "acknowledgement", ((resource, "acknowledge", unchanged),)),
    Mutant(TWICE, "settlement", ((resource, "complete_transfer", then(unsettled)),)),
    Mutant(TWICE, "a refused batch is no doubt", ((transfer, SENT, keeps_a_refused_flight),)),
    Mutant(TWICE, "the definition is recorded", ((run, "_complete", then(unrecorded)),)),
    Mutant(TWICE, "an empty plan writes nothing", ((world, "apply", always_opens),)),
    Mutant(LATE, "a new target waits", ((standing, "_future", gives(None)),)),
    Mutant(
        LATE, "a call without an answer opens a quiet time", ((resource, "record_no_response", unchanged),)
    ),
    Mutant(LATE, "a repeated batch may land twice", ((resource, "resume_transfer", unchanged),)),
    Mutant(
        LATE, "an answer after a lost one is uncertain", ((resource, "acknowledge", asked(as_if_certain)),)
    ),
    Mutant(
        LATE,
        "a rename waits for one that could undo it",
        ((unconfirmed_requests, "may_undo", gives(None)), (standing, "may_undo", gives(None))),
    ),
    Mutant(
        LATE,
        "earlier renames are remembered",
        ((unconfirmed_requests, "record_update_sent", then(last_rename_only)),),
    ),
    Mutant(LATE, "an unanswered rename is remembered", ((updates._Announced, "resolve", resolves_all),)),
    Mutant(LATE, "a batch counts from when it leaves", ((resource, "is_late", gives(False)),)),
    Mutant(LATE, "a rename counts from when it leaves", ((updates._Announced, "leaving", gives(None)),)),
    Mutant(LATE, "a create counts from when it leaves", ((creates, "_leaving", gives(None)),)),
    Mutant(LATE, "names that may still be taken are reserved", ((decisions, "reserved_names", gives({})),)),
    Mutant(CREATES, "written down first", ((MemoryWriter, "write", intents_stay_in_memory),)),
    Mutant(
        CREATES,
        "looked up",
        (
            (decisions, "match_unconfirmed", gives({})),
            (creates, "_listed", gives(())),
        ),
    ),
    Mutant(CREATES, "adopted only in its retailer", adopts(any_retailer)),
    Mutant(CREATES, "adopted only with its type", adopts(any_type)),
    Mutant(CREATES, "adopted only with our ownership tag", adopts(any_tag)),
    Mutant(CREATES, "adopted only with the tag of our lineage", adopts(any_lineage)),
    Mutant(OWNED, "another environment's tag blocks", ((standing, "not_ours", asked(one_environment)),)),
    Mutant(OWNED, "another state's tag blocks", ((standing, "not_ours", asked(one_state)),)),
    Mutant(
        CREATES,
        "adopted only if it is nobody's",
        (
            (decisions, "match_unconfirmed", asked(strips_ids)),
            (StateRecorder, "owns", gives(False)),
        ),
    ),
    Mutant(CREATES, "a definite no leaves nothing behind", ((creates, "_forget_request", gives(None)),)),
    Mutant(
        CREATES,
        "a foreign name is refused",
        (
            (
                planner,
                "resolve_names",
                lambda _: (
                    lambda all_, _r, stopped: Settled(
                        tuple(one for one in all_ if address_of(one) not in stopped), (), {}
                    )
                ),
            ),
        ),
    ),
    Mutant(GONE, "confirmed by id", ((observe, "_confirmed", lambda _: lambda _a, _r, listed: listed),)),
    Mutant(GONE, "lost access is guarded against", ((planner, "lost_access", gives(())),)),
    Mutant(GONE, "lost access to replacements too", ((lost_access, "_managed", asked(without_successors)),)),
    Mutant(GONE, "made again", ((decisions, "plan_address", then(gone_is_fine)),)),
    Mutant(ORDER, "additions before removals", ((MemoryEngine, PHASES, then(removals_first)),)),
    Mutant(ORDER, "suppressed people first", ((MemoryEngine, PHASES, then(nobody_urgent)),)),
    Mutant(ORDER, "newly suppressed people too", ((observe, "_newly_suppressed", gives(False)),)),
    Mutant(REPLACE, "never in place", ((decisions, "plan_address", asked(in_place)),)),
    Mutant(REPLACE, "filled before it is named", ((run, "_complete", named_before_filled),)),
    Mutant(REPLACE, "the old one is remembered", ((run, "_promote", then(retires_nothing)),)),
    Mutant("two runs can't write one environment", "the lock", ((MemoryStore, "lock", no_lock),)),
    Mutant(LOST, "counts are compared", ((observe, "loss", gives(None)), (standing, "loss", gives(None)))),
    Mutant(LOST, "nobody counts as held", ((observe, "doubted", unchanged),)),
    Mutant(FORGET, "the resource state is kept", ((planner, "endings", then(drops)),)),
    Mutant(FORGET, "what returns is managed again", ((run, "_complete", stays_forgotten),)),
    Mutant("no personal data is shown", "errors tell no identifier", ((transfer, SENT, tells),)),
)

BLOCKED = "one blocked address stops one, and suppressed people leave it"

BLOCKING = (
    Mutant(BLOCKED, "suppressed people leave", ((planner, "removals", gives({})),)),
    Mutant(BLOCKED, "nobody else leaves", ((transfer, "takewhile", lambda _: lambda _fits, all_: all_),)),
    Mutant(
        BLOCKED, "not while a request is unconfirmed", ((suppressed_removals, "grace_ends_at", gives(None)),)
    ),
    Mutant(BLOCKED, "the others are planned", ((observe, "read_sources", then(all_or_nothing)),)),
)
MUTANTS += BLOCKING

PLACE = "an approval is one for this environment as it is"
BOUNDS = "counts stay within bounds, and rounding refuses nothing"
RESUMED = "what was interrupted goes on, and what is done is covered no more"
REFRESHED = "what a refresh may send stands in no approval's way, and nothing else is left to it"
EVIDENCE = "an approval is completed once resource states show it"

LISTS = (
    Mutant(LISTED, "a list that shrinks blocks", ((list_refusals, "_shrinks", gives(False)),)),
    Mutant(LISTED, "a list that can't be used blocks", ((list_refusals, "_is_unusable", gives(False)),)),
    Mutant(LISTED, "an empty list blocks", ((blocked_alone, "list_refusals", without("no usable")),)),
    Mutant(
        LISTED,
        "who is on it, or was excluded, is compared",
        ((lists, "_lost", by_size), (list_refusals, "_releases", gives(False))),
    ),
    Mutant(
        LISTED,
        "it is recorded",
        ((run, "_complete", forgets_lists), (StateRecorder, "send_under", gives(None))),
    ),
    Mutant(LISTED, "it is recorded before it is sent under", ((StateRecorder, "send_under", gives(None)),)),
    Mutant(LISTED, "whom it excluded is compared", ((list_refusals, "_releases", gives(False)),)),
    Mutant(LISTED, "a column that is emptied blocks", ((list_refusals, "_empties", gives(False)),)),
    Mutant(LISTED, "a column that can't be used blocks", ((list_refusals, "_is_unmatchable", gives(False)),)),
    Mutant(LISTED, "it is named beside a source", ((blocked_alone, "refusals_of_lists", gives(())),)),
    Mutant(LISTED, "one excluded row excludes the others", ((members, "kept", row_by_row),)),
    Mutant(OPTED_OUT, "forgotten segments too", ((planner, "forgotten_specs", gives({})),)),
    Mutant(OPTED_OUT, "retired segments too", ((Removal, "beside", beside_nothing),)),
)

APPROVALS = (
    Mutant(PLACE, "the environment", in_approvals("wrong_state", for_any("environment"))),
    Mutant(PLACE, "the endpoint", in_approvals("wrong_state", for_any("endpoint"))),
    Mutant(PLACE, "the first seat", in_approvals("wrong_state", by_seat(0))),
    Mutant(PLACE, "the other seats", in_approvals("wrong_state", by_seat(1))),
    Mutant(PLACE, "the state", in_approvals("wrong_state", for_any("lineage"))),
    Mutant("an approval holds for a while, and once", "age and use", in_approvals("why_invalid", gives(""))),
    Mutant(BOUNDS, "what was said then", in_approvals("effective_limits", lambda _: of_today)),
    Mutant(BOUNDS, "counts", in_approvals("_counts", gives(()))),
    Mutant(BOUNDS, "a tenth is for few", ((differences, "FEW", lambda _: 1_000_000),)),
    Mutant(BOUNDS, "few may move by a tenth", ((differences, "FEW", lambda _: 0),)),
    Mutant(BOUNDS, "a count is what it may have been", ((differences, "distance", as_read),)),
    Mutant("a pinned source sends the very people", "the people", in_approvals("is_pinned", gives(False))),
    Mutant(RESUMED, "the whole counts", in_approvals("members_moved", what_is_left)),
    Mutant(RESUMED, "fewer are right then", in_approvals("_counts", never_begun)),
    Mutant(RESUMED, "an update may be left of a create", in_approvals("_remains", gives(False))),
    Mutant(RESUMED, "a definition may be all that is left", in_approvals("_remains", without_its_definition)),
    Mutant(RESUMED, "nothing else is left of a create", in_approvals("_remains", gives(True))),
    Mutant(RESUMED, "what is done", in_approvals("is_done", gives(False))),
    Mutant(RESUMED, "in the very instant of the start", in_approvals("not_before", later)),
    Mutant(REFRESHED, "members that nobody was asked about", in_approvals("_is_deferred", gives(False))),
    Mutant(REFRESHED, "only where some was sent since", in_approvals("_is_deferred", stands)),
    Mutant(
        REFRESHED, "nothing depends on it", in_approvals("is_independent", lambda _: refresh.is_members_only)
    ),
    Mutant(EVIDENCE, "resource states", in_approvals("_is_carried_out", gives(True))),
    Mutant(EVIDENCE, "all of it", in_approvals("open_addresses", gives(()))),
    Mutant("what depends on a refused change is refused", "all", in_approvals("dependents", gives({}))),
)
