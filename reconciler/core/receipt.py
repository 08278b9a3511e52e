"""What we know Criteo holds for an address, and how each event changes that knowledge.

Criteo accepts members and never lists them, so this is the only truth there is. Every function
here is pure: the caller makes the result durable before it goes on.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.core.marks import Tag, ends_with
from reconciler.core.members import EMPTY, NO_DELTA, AppliedList, Batch, Delta, SnapshotRef
from reconciler.core.model import Address, SegmentKey
from reconciler.core.remote import Acknowledgement, Segment, name_key

CLOCK_SKEW = timedelta(minutes=2)
PROMPT = timedelta(seconds=1)
"""A call that leaves so soon after it was written down bears the right time already."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A create written down before it is sent, so that a lost answer can be looked up by name.

    `sent_at`: when it left, as far as is known.
    """

    name: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Flight:
    """A batch that was dispatched and whose answer is not written down: positions up to `end`."""

    end: int
    dispatched_at: datetime


@dataclass(frozen=True, slots=True)
class Transfer:
    """A change of members on its way: towards `target`, acknowledged up to `acked`.

    Positions count in the deterministic order (suppressed out, additions, others out); `size` says
    how long each phase is. They are positions, never batch numbers: batch size may change between runs.
    """

    target: SnapshotRef
    urgent: SnapshotRef
    size: Delta
    acked: int = 0
    flight: Flight | None = None


@dataclass(frozen=True, slots=True)
class Rename:
    """A call on the name or the description that has no answer yet: it may still land. None: not touched."""

    name: str | None
    description: str | None
    sent_at: datetime

    def contradicts(self, name: str | None, description: str | None) -> bool:
        """Landing after a call that sets these values, it would undo it."""
        pairs = ((self.name, name), (self.description, description))
        return any(mine is not None and other is not None and mine != other for mine, other in pairs)


@dataclass(frozen=True, slots=True)
class Holding:
    """One segment: `base` is surely held, `maybe` may be held; they never overlap.

    `segment_id` is "" while the create is only an intent. `settled` is the size at the last
    completed transfer, None before the first. `rejected` counts identifiers in `base` that Criteo
    called invalid: at least so many, as those removed from `maybe` are taken off it too. A member call
    without an answer may land until `quiet_until`; `renames` are the calls on the name or the description
    that may. `unknown_before`: the state was lost then, and
    whoever was sent before may be held as well, known to nobody. `patched_at`: the last call on the name
    or the description that was answered left then. `former_lineage`: of the ownership tag that a rebuild
    found on the segment.
    """

    key: SegmentKey
    segment_id: str = ""
    intent: Intent | None = None
    base: SnapshotRef = EMPTY
    maybe: SnapshotRef = EMPTY
    transfer: Transfer | None = None
    rejected: int = 0
    settled: int | None = None
    settled_at: datetime | None = None
    quiet_until: datetime | None = None
    renames: tuple[Rename, ...] = ()
    unknown_before: datetime | None = None
    patched_at: datetime | None = None
    former_lineage: str = ""

    @property
    def size(self) -> int | None:
        """How many are surely held; None where the state was lost and nothing was completed since."""
        known = self.unknown_before is None or self.settled is not None
        return self.base.count if known else None

    @property
    def touched_at(self) -> datetime | None:
        """When we changed it last, as far as an answer tells."""
        return max((time for time in (self.settled_at, self.patched_at) if time), default=None)


@dataclass(frozen=True, slots=True)
class Retired:
    """A segment that was replaced and left at Criteo under another name, with what it holds."""

    holding: Holding
    retired_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """The truth of one address. `successor` is filled beside `current` while a Replace runs.

    `definition` is the digest last applied in full, `parts` say what it stated (`core/definition.py`).
    `forgotten_at` is set when the audience left the manifests: its members stay known, so that nobody
    becomes impossible to remove. `renew`: a segment that may hold people known to nobody is to be
    replaced by one that can't. `lists` are the exclusion lists that members were last sent under.
    """

    address: Address
    current: Holding
    successor: Holding | None = None
    retired: tuple[Retired, ...] = ()
    definition: str = ""
    parts: tuple[tuple[str, str], ...] = ()
    forgotten_at: datetime | None = None
    renew: bool = False
    lists: tuple[AppliedList, ...] = ()

    def suits(self, holding: Holding, key: SegmentKey) -> bool:
        """That segment may go on as the one of this address; otherwise it is replaced."""
        return holding.key == key and not (self.renew and holding.unknown_before)

    @property
    def unknown_before(self) -> datetime | None:
        """People sent before this may be held, and nobody has asked yet to be rid of them."""
        return None if self.renew else self.current.unknown_before

    @property
    def holdings(self) -> tuple[Holding, ...]:
        """All segments this receipt answers for, the current one first."""
        successor = (self.successor,) if self.successor else ()
        return (self.current, *successor, *(one.holding for one in self.retired))

    @property
    def references(self) -> frozenset[SnapshotRef]:
        """Snapshots that must be kept."""
        held = (ref for holding in self.holdings for ref in _snapshots(holding))
        return frozenset(ref for ref in (*held, *(one.members for one in self.lists)) if ref)

    @property
    def snapshots(self) -> frozenset[str]:
        """Their digests."""
        return frozenset(ref.digest for ref in self.references)


def _snapshots(holding: Holding) -> tuple[SnapshotRef, ...]:
    moving = holding.transfer
    return (holding.base, holding.maybe, *((moving.target, moving.urgent) if moving else ()))


def intend(key: SegmentKey, name: str, before: Holding | None, now: datetime) -> Holding:
    """Before a create is sent.

    An earlier request for the same address that could still land is remembered: only the name it
    asked for stops it from happening twice, so that name must not be given up too early.
    """
    earlier = before.intent if before else None
    renames = (Rename(earlier.name, None, earlier.sent_at),) if earlier else ()
    return Holding(
        key=key,
        intent=Intent(name=name, sent_at=now),
        renames=(*(before.renames if before and earlier else ()), *renames),
        settled=before.settled if before else None,
    )


def asked(holding: Holding, now: datetime) -> Holding:
    """The create leaves now, or left by now: from now on counts how late it may be carried out."""
    return replace(holding, intent=replace(_asking(holding), sent_at=now))


def created(holding: Holding, segment_id: str, *, again: bool = False) -> Holding:
    """The create is answered. `again`: it may be carried out once more."""
    intent = _asking(holding)
    late = (Rename(intent.name, None, intent.sent_at),) if again else ()
    return replace(holding, segment_id=segment_id, intent=None, renames=(*holding.renames, *late))


def recovered(holding: Holding, segment_id: str, *, again: bool = False) -> Holding:
    """Its segment was found. Any of several requests for one name may have made it: the last may be late."""
    name = name_key(_asking(holding).name)
    earlier = any(one.name is not None and name_key(one.name) == name for one in holding.renames)
    return created(holding, segment_id, again=again or earlier)


def renaming(holding: Holding, rename: Rename, quiet: timedelta) -> Holding:
    """Before a call on the name or the description is sent; those that can't land any more are forgotten."""
    live = tuple(one for one in holding.renames if one.sent_at + quiet > rename.sent_at)
    return replace(holding, renames=(*live, rename))


def renamed(holding: Holding, rename: Rename) -> Holding:
    """That call was answered, and can't land again. One like it, sent in the same instant, still may."""
    return replace(_without(holding, rename), patched_at=rename.sent_at)


def _without(holding: Holding, rename: Rename) -> Holding:
    renames = list(holding.renames)
    renames.remove(rename)
    return replace(holding, renames=tuple(renames))


def sent_again(holding: Holding, rename: Rename, now: datetime) -> Holding:
    """An attempt of that call leaves now, or left by now."""
    others = _without(holding, rename)
    return replace(others, renames=(*others.renames, replace(rename, sent_at=now)))


def is_late(noted: datetime, now: datetime) -> bool:
    """A call that leaves now was written down too long ago to count from then how late it may land."""
    return now - noted >= PROMPT


def may_undo(
    holding: Holding, name: str | None, description: str | None, now: datetime, quiet: timedelta
) -> datetime | None:
    """Until when an unanswered call may still undo a call that sets these values; None when none can."""
    ends = (one.sent_at + quiet for one in holding.renames if one.contradicts(name, description))
    return max((end for end in ends if end > now), default=None)


def lost(holding: Holding, now: datetime, quiet: timedelta) -> Holding:
    """A call on this segment got no answer: it may still land until the quiet time has passed."""
    until = max(now + quiet, holding.quiet_until or now)
    return replace(holding, quiet_until=until)


def waits_until(holding: Holding, quiet: timedelta) -> datetime | None:
    """Until when nothing may be sent that contradicts a call that could still land."""
    flight = holding.transfer.flight if holding.transfer else None
    times = [holding.quiet_until, flight.dispatched_at + quiet if flight else None]
    return max((time for time in times if time), default=None)


def adoptable(key: SegmentKey, wanted: Tag, found: Segment) -> str:
    """Why a segment found under an intent's name is not the one we created; "" when it is.

    Neither age nor size says whose it is: our request is known by the ownership tag that it sent.
    """
    if not ends_with(found.description, wanted):
        return "it does not have the ownership tag of this address and state"
    if found.retailer_id != key.retailer_id or found.account_id != key.account_id:
        return "it belongs to another retailer"
    if found.identifier_type != key.identifier_type:
        return "it holds another identifier type"
    return ""


def start(holding: Holding, target: SnapshotRef, urgent: SnapshotRef, size: Delta) -> Holding:
    """Before the first batch towards a new target; the old one must be settled or collapsed."""
    return replace(holding, transfer=Transfer(target=target, urgent=urgent, size=size))


def resume(holding: Holding, quiet: timedelta) -> Holding:
    """Before an unfinished transfer goes on: its batch in flight is sent again, and may still land twice."""
    return replace(holding, quiet_until=waits_until(holding, quiet))


def dispatch(holding: Holding, batch: Batch, now: datetime) -> Holding:
    """Before each attempt of a batch. What an earlier, larger batch may have done stays in doubt."""
    moving = _moving(holding)
    doubt = max(batch.end, moving.flight.end if moving.flight else 0)
    return replace(holding, transfer=replace(moving, flight=Flight(end=doubt, dispatched_at=now)))


def acknowledge(
    holding: Holding, batch: Batch, answer: Acknowledgement, now: datetime, quiet: timedelta
) -> Holding:
    """A batch was taken; written down together with the next dispatch, or alone at a stop."""
    moving = _moving(holding)
    doubt = moving.flight if moving.flight and moving.flight.end > batch.end else None
    # Of a segment of which nobody is sure, only people in doubt are removed: they were never counted.
    change = answer.invalid if batch.operation == "add" else -answer.invalid if holding.base else 0
    done = replace(
        holding,
        transfer=replace(moving, acked=batch.end, flight=doubt),
        rejected=max(0, holding.rejected + change),
    )
    return lost(done, now, quiet) if answer.uncertain else done


def settle(holding: Holding, now: datetime) -> Holding:
    """All of the transfer is acknowledged: the target is what Criteo surely holds."""
    target = _moving(holding).target
    return replace(
        holding,
        base=target,
        maybe=EMPTY,
        transfer=None,
        settled=target.count,
        settled_at=now,
        rejected=min(holding.rejected, target.count),
    )


def collapse(holding: Holding, base: SnapshotRef, maybe: SnapshotRef) -> Holding:
    """Give up a target in mid-way, once nothing of it can land any more.

    `base` and `maybe` come from the engine's `collapse`.
    """
    rejected = min(holding.rejected, base.count)
    return replace(holding, base=base, maybe=maybe, transfer=None, quiet_until=None, rejected=rejected)


def remaining(transfer: Transfer | None) -> Delta:
    """What is left of a transfer after its offset, phase by phase."""
    if transfer is None:
        return NO_DELTA
    left, counts = transfer.acked, []
    for phase in (transfer.size.urgent, transfer.size.adds, transfer.size.removes):
        done = min(left, phase)
        counts.append(phase - done)
        left -= done
    return Delta(*counts)


def window(transfer: Transfer, size: int) -> tuple[int, int] | None:
    """Next positions to send, of one operation only and at most `size`; None when all are acknowledged."""
    start_at, phase_end = transfer.acked, 0
    for phase in (transfer.size.urgent, transfer.size.adds, transfer.size.removes):
        phase_end += phase
        if start_at < phase_end:
            return start_at, min(start_at + size, phase_end)
    return None


def _asking(holding: Holding) -> Intent:
    if holding.intent is None:
        raise AssertionError("no create was written down")
    return holding.intent


def _moving(holding: Holding) -> Transfer:
    if holding.transfer is None:
        raise AssertionError("no transfer has been started")
    return holding.transfer
