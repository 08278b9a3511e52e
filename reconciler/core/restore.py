"""What is known after going back to an earlier state: what all states since agree on, and doubt of the rest.

Criteo isn't brought back by it, only what we say of it. So a segment keeps its place and its id as they
are now; of its members those stay sure that every state since then calls surely held, and whoever any of
them names is in doubt: still known, so that nobody becomes impossible to remove.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from reconciler.core.members import EMPTY, SnapshotRef
from reconciler.core.model import Form
from reconciler.core.receipt import Holding, Receipt, waits_until

Doubt = Callable[[Form, Sequence[SnapshotRef], Sequence[SnapshotRef]], tuple[SnapshotRef, SnapshotRef]]
"""`MemberEngine.doubt`."""


def restored(
    since: Sequence[Sequence[Receipt]], now: Sequence[Receipt], doubt: Doubt, quiet: timedelta
) -> tuple[Receipt, ...]:
    """The receipts that change. `since` are the states that are kept, from the chosen one on.

    An address that only `now` knows stays as it is. One that is not there any more comes back as it was
    known last; what happened to it since then isn't known, and so nobody in it is sure.
    """
    known = _Known(tuple(_by_segment(state) for state in since), doubt, quiet)
    present = {receipt.address for receipt in now}
    last = {receipt.address: receipt for state in since for receipt in state}
    gone = [receipt for address, receipt in last.items() if address not in present]
    kept = ((receipt, _each(receipt, known.doubted)) for receipt in now)
    return (
        *(after for before, after in kept if after != before),
        *(_each(one, known.unsure) for one in gone),
    )


def _by_segment(receipts: Sequence[Receipt]) -> dict[str, Holding]:
    return {one.segment_id: one for receipt in receipts for one in receipt.holdings if one.segment_id}


def _each(receipt: Receipt, judge: Callable[[Holding], Holding]) -> Receipt:
    return replace(
        receipt,
        current=judge(receipt.current),
        successor=judge(receipt.successor) if receipt.successor else None,
        retired=tuple(replace(one, holding=judge(one.holding)) for one in receipt.retired),
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What each state says of each segment, the chosen one first."""

    states: tuple[dict[str, Holding], ...]
    doubt: Doubt
    quiet: timedelta

    def doubted(self, now: Holding) -> Holding:
        """A segment that the chosen state doesn't know has nothing to go back to."""
        told = self._told(now)
        if now.segment_id not in self.states[0] or all(_members(one) == _members(now) for one in told):
            return now
        return self._merged([*told, now], [ref for one in (*told, now) for ref in _sure(one)])

    def unsure(self, last: Holding) -> Holding:
        told = self._told(last)
        return self._merged(told, [EMPTY]) if told else last

    def _told(self, holding: Holding) -> list[Holding]:
        found = (state.get(holding.segment_id) for state in self.states)
        return [one for one in found if one and one.key == holding.key]

    def _merged(self, told: Sequence[Holding], sure: Sequence[SnapshotRef]) -> Holding:
        """The newest, with the members and the size of all of them. A call under way then may land yet."""
        first, newest = told[0], told[-1]
        base, maybe = self.doubt(newest.key.form, sure, [ref for one in told for ref in _named(one)])
        return replace(
            newest,
            base=base,
            maybe=maybe,
            transfer=None,
            rejected=min(first.rejected, base.count),
            settled=first.settled,
            settled_at=first.settled_at,
            patched_at=newest.touched_at,
            quiet_until=max((end for one in told if (end := waits_until(one, self.quiet))), default=None),
        )


def _members(holding: Holding) -> tuple[object, ...]:
    return holding.base, holding.maybe, holding.transfer


def _sure(holding: Holding) -> tuple[SnapshotRef, ...]:
    """Who is in all of them is held: a transfer removes nobody who is in its target."""
    return (holding.base, holding.transfer.target) if holding.transfer else (holding.base,)


def _named(holding: Holding) -> tuple[SnapshotRef, ...]:
    return (holding.base, holding.maybe, *([holding.transfer.target] if holding.transfer else []))
