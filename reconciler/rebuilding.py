"""Makes a lost state anew from the manifests, Criteo, and what people say."""

import glob
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

from reconciler.core.errors import ConfigurationError, Finding, StorageError
from reconciler.core.members import SnapshotRef, Target
from reconciler.core.model import Address, Desired, SegmentSpec, Source
from reconciler.core.ports import MemberEngine, SegmentReader, StateWriter
from reconciler.core.rebuild import Look, Sighting, pending, rebuilt, sightings, strays, unmade, untouched
from reconciler.core.receipt import Receipt


def look(
    desired: Desired,
    only: Container[Address],
    named: Container[Address],
    takes: Mapping[Address, str],
    readers: Mapping[str, SegmentReader],
    receipts: Collection[Receipt],
) -> Look:
    """Reads what every account of the environment lists. Errors: whatever the readers raise.

    What an earlier rebuild wrote, and nobody has acted upon, may be written otherwise for those `named`. A
    segment may be taken in place of one that was asked for and never answered.
    """
    accounts = {spec.key.account_id: spec.credential for spec in desired.segments}
    unanswered = {one.address: pending(one) for one in receipts if one.address in takes and unmade(one)}
    held = {
        one.address: one
        for one in receipts
        if one.address not in unanswered and (one.address not in named or not untouched(one))
    }
    owned = {one.segment_id: receipt.address for receipt in held.values() for one in receipt.holdings}
    listed = [
        segment
        for account, credential in sorted(accounts.items())
        for segment in readers[credential].segments(account)
        if segment.id not in owned
    ]
    selected = [spec for spec in desired.segments if spec.address in only]
    lost = [spec for spec in selected if spec.address not in held]
    name = desired.environment.name
    return Look(
        sightings=tuple(
            replace(one, pending=unanswered.get(one.spec.address, ()))
            for one in sightings(name, lost, listed, takes, owned)
        ),
        known=tuple(held[spec.address] for spec in selected if spec.address in held),
        strays=strays(name, desired.segments, listed),
    )


def check_lost(seen: Look, asked: Container[Address], again: Container[Address]) -> None:
    """StorageError where the state knows all that is selected, or one that was `asked` for by its name.

    Those that are to be made anew, `again`, may be known.
    """
    known = [one.address for one in seen.known if one.address not in again]
    nothing = not seen.sightings and len(known) == len(seen.known)
    if told := [one for one in known if nothing or one in asked]:
        raise StorageError(
            f"the state knows {', '.join(map(str, told))}: nothing is lost of it",
            remedy="`reconciler state restore` goes back to what was known before",
        )


def known_again(
    found: Sequence[Sighting], state: StateWriter, now: datetime, quiet: timedelta
) -> tuple[Receipt, ...]:
    """Nobody is surely held: the next apply sends all who are wanted."""
    return _written([rebuilt(one, now, quiet) for one in found], state)


def replaced(
    found: Sequence[Sighting], known: Sequence[Receipt], state: StateWriter, now: datetime, quiet: timedelta
) -> tuple[Receipt, ...]:
    """The next apply makes new segments. `known` are addresses that may hold people known to nobody."""
    anew = [rebuilt(one, now, quiet, renew=True) for one in found]
    return _written([*anew, *(replace(one, renew=True) for one in known)], state)


def assumed(
    one: Sighting, members: SnapshotRef, file: str, state: StateWriter, now: datetime, quiet: timedelta
) -> tuple[Receipt, ...]:
    """Whoever is in `members` may be held: sent once more, or removed."""
    if one.replaced:
        problem = f"{one.spec.address}: its segment is to be replaced, and nobody is removed from it"
        raise StorageError(problem, remedy="use --union: the next apply makes a new segment and fills it")
    state.keep(members, file)
    return _written([rebuilt(one, now, quiet, maybe=members)], state)


def _written(receipts: Sequence[Receipt], state: StateWriter) -> tuple[Receipt, ...]:
    for receipt in receipts:
        state.write(receipt)
    return tuple(receipts)


def people_of(file: Path, spec: SegmentSpec, engine: MemberEngine, today: date) -> Target:
    """The identifiers in a file, in the segment's form; the engine's sources are the folder it is in.

    ConfigurationError when nobody is in it.
    """
    kind = (spec.key.identifier_type, spec.key.form)
    audience = replace(
        spec.audience,
        source=Source((glob.escape(file.name),), place=spec.audience.source.place),
        columns=tuple(one for one in spec.audience.columns if one[0] == kind[0]),
        places=(),
        exclude=(),
    )
    try:
        target = engine.build(audience, [kind], today)[kind]
    except ConfigurationError as error:
        causes = error.findings or [Finding("", error.problem, error.remedy)]
        told = [Finding(str(file), one.problem, one.remedy) for one in causes]
        raise ConfigurationError(f"{file} can't be read as people of {spec.address}", findings=told) from None
    if not target.members:
        raise ConfigurationError(
            f"{spec.address}: there is no {kind[0]} in that file that could have been sent",
            remedy="name the file that was the source of what Criteo holds",
        )
    return target
