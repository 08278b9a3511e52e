"""Names at Criteo: which segment has which name, which one frees its name first, and retired names."""

import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal

from reconciler.core.errors import Finding
from reconciler.core.model import Address
from reconciler.core.ownership import by_document, by_rebuild, taken_beside, taken_name
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Change, Ending, SegmentChange, address_of
from reconciler.core.plan.model import Blocked
from reconciler.core.plan.renames import move_document
from reconciler.core.plan.steps import ConfirmCreate, CreateSegment, SetupPhase, UpdateSegment
from reconciler.core.remote import Segment, name_key
from reconciler.core.state.ownership_tag import tag
from reconciler.core.state.resource import ResourceState, Slot

LONGEST = 256
"""Characters. Criteo's limit for audience names; assumed for segments."""

_RETIRED = re.compile(r" \(retired \d{4}-\d{2}-\d{2}(?: \d+)?\)$")
_NEW = " (new)"


def replacement_name(name: str) -> str:
    """Return the name of a replacement while it is filled."""
    return _fit(name, _NEW)


def is_retired(name: str) -> bool:
    return _RETIRED.search(name) is not None


def retired_name(name: str, today: date, taken: Iterable[str]) -> str:
    """Return the new name of a replaced segment. It is none of the names `taken`."""
    stem, keys = name.removesuffix(_NEW), {name_key(one) for one in taken}
    endings = (
        f" (retired {today}{'' if number == 1 else f' {number}'})" for number in range(1, len(keys) + 2)
    )
    return next(fit for ending in endings if name_key(fit := _fit(stem, ending)) not in keys)


def _fit(stem: str, ending: str) -> str:
    return stem[: LONGEST - len(ending)].rstrip() + ending


@dataclass(frozen=True, slots=True)
class NameClaim:
    """A change needs a name in an account. `holder` is the ID of the segment to rename, "" for a new one.

    `closing`: the segment gets the name after its members are sent.
    """

    address: Address
    account_id: str
    name: str
    holder: str
    closing: bool


@dataclass(frozen=True, slots=True)
class NameRegistry:
    """The segment with each name, by account and name key. `owner` is the address of each of our segments.

    `reserved` are names that an unconfirmed create may still take, with its address and the time until which
    it may. `known` are the addresses of the state.
    """

    environment: str
    lineage: str

    held: Mapping[tuple[str, str], Segment]
    reserved: Mapping[tuple[str, str], tuple[Address, datetime]]
    owner: Mapping[str, tuple[Address, Slot | Literal["retired"]]]
    known: frozenset[Address]

    @classmethod
    def of(
        cls,
        environment: str,
        lineage: str,
        segments: Iterable[Segment],
        resources: Iterable[ResourceState],
        reserved: Mapping[tuple[str, str], tuple[Address, datetime]],
    ) -> "NameRegistry":
        held = {(one.account_id, one.name_key): one for one in segments}
        owner: dict[str, tuple[Address, Slot | Literal["retired"]]] = {}
        resources = tuple(resources)
        for resource in resources:
            if resource.current.segment_id:
                owner[resource.current.segment_id] = (resource.address, "current")
            if resource.replacement and resource.replacement.segment_id:
                owner[resource.replacement.segment_id] = (resource.address, "replacement")
            owner |= {one.segment.segment_id: (resource.address, "retired") for one in resource.retired}
        known = frozenset(one.address for one in resources)
        return cls(environment, lineage, held, reserved, owner, known)

    def adopting(self, changes: Iterable[Change]) -> "NameRegistry":
        """Return the registry with the segments of confirmed creates as ours."""
        adopted: dict[str, tuple[Address, Slot | Literal["retired"]]] = {
            step.segment_id: (change.spec.address, step.slot)
            for change in changes
            if not isinstance(change, Ending)
            for step in change.steps.setup
            if isinstance(step, ConfirmCreate)
        }
        return replace(self, owner={**self.owner, **adopted})

    def frees(self, claim: NameClaim, held: Segment) -> bool:
        """Return whether the replacement takes the name of its own predecessor, which is renamed first."""
        return claim.closing and self.owner.get(held.id) == (claim.address, "current")

    def id_of(self, address: Address, slot: Slot) -> str:
        """The segment id behind a slot; "" when there is none yet."""
        owners = (key for key, owner in self.owner.items() if owner == (address, slot))
        return next(owners, "")


@dataclass(frozen=True, slots=True)
class Settled:
    """Changes with free names, and the findings that block the others.

    `givers`: the addresses whose segments must free a name for an address.
    """

    changes: tuple[Change, ...]
    blocked: tuple[Blocked, ...]
    givers: Mapping[Address, frozenset[Address]]


def resolve_names(
    changes: Iterable[Change], registry: NameRegistry, stopped: Collection[Address] = ()
) -> Settled:
    """Return the changes in which every name is free when a segment takes it.

    If another segment of this plan has the name, it is renamed first, to a temporary name. So chains and
    circles of renames need no order. If a segment has the name that is not ours, or that this plan does not
    rename, the change is blocked. Changes of `stopped` addresses and blocked changes rename nothing, so
    changes that depend on them are blocked too.
    """
    changes = tuple(changes)
    registry = registry.adopting(changes)
    undecided = frozenset(stopped).difference(map(address_of, changes))
    renaming = {claim.holder for change in changes for claim in _claims(change, registry) if claim.holder}
    renaming |= {held for held, (address, _) in registry.owner.items() if address in undecided}
    found = _conflicts(changes, registry, renaming)
    blocked = dict(found.blocked)
    standing = tuple(
        one for one in changes if address_of(one) not in stopped and address_of(one) not in blocked
    )
    while len(standing) < len(changes):
        changes = standing
        found = _conflicts(changes, registry, renaming)
        blocked |= found.blocked
        standing = tuple(one for one in changes if address_of(one) not in found.blocked)
    going = tuple(_releasing(one, found.contested, registry) for one in standing)
    return Settled(going, tuple(blocked.values()), found.givers())


@dataclass(frozen=True, slots=True)
class _Conflicts:
    """`contested`: segments that must free their names first. `taking`: the address that takes each name."""

    contested: set[str]
    taking: tuple[tuple[Address, Address], ...]
    blocked: Mapping[Address, Blocked]

    def givers(self) -> Mapping[Address, frozenset[Address]]:
        takers = {taker for taker, _ in self.taking}
        return {one: frozenset(giver for taker, giver in self.taking if taker == one) for one in takers}


def _conflicts(changes: Sequence[Change], registry: NameRegistry, renaming: Container[str]) -> _Conflicts:
    """`renaming`: the segments that would be renamed, or may be, if nothing were blocked."""
    claims = tuple(claim for change in changes for claim in _claims(change, registry))
    renamed = {claim.holder for claim in claims if claim.holder}
    contested: set[str] = set()
    taking: list[tuple[Address, Address]] = []
    blocked: dict[Address, Blocked] = {}
    wanted: dict[tuple[str, str], Address] = {}
    for claim in claims:
        if waits := _reserved(claim, registry):
            blocked.setdefault(claim.address, Blocked(claim.address, waits, Cause.NAME))
            continue
        other = wanted.setdefault((claim.account_id, name_key(claim.name)), claim.address)
        if other != claim.address:
            twice = Blocked(claim.address, _wanted_twice(claim, other), Cause.NAME)
            blocked.setdefault(claim.address, twice)
        held = registry.held.get((claim.account_id, name_key(claim.name)))
        if held is None or held.id == claim.holder or registry.frees(claim, held):
            continue
        if held.id in renamed:
            contested.add(held.id)
            taking.append((claim.address, registry.owner[held.id][0]))
        elif held.id in renaming:
            blocked.setdefault(claim.address, waits_for(claim.address, registry.owner[held.id][0]))
        else:
            taken = Blocked(claim.address, _taken(claim, held, registry), Cause.NAME)
            blocked.setdefault(claim.address, taken)
    return _Conflicts(contested, tuple(taking), blocked)


def waits_for(taker: Address, giver: Address) -> Blocked:
    """A change that takes a name which a blocked address was to let go of."""
    finding = Finding(
        str(taker),
        f"its name becomes free only once {giver} is renamed, which is blocked or paused",
        f"see what stops {giver}, or change the title of {taker}",
    )
    return Blocked(taker, finding, Cause.DEPENDENCY)


def _claims(change: Change, registry: NameRegistry) -> Iterator[NameClaim]:
    if isinstance(change, Ending):
        return
    address = change.spec.address
    for step in (*change.steps.setup, *change.steps.finalize):
        closing = step in change.steps.finalize
        if isinstance(step, CreateSegment):
            yield NameClaim(address, step.key.account_id, step.name, "", closing)
        elif isinstance(step, UpdateSegment) and step.name is not None:
            holder = _holder(change, step, registry)
            yield NameClaim(address, step.account_id, step.name, holder, closing)


def _holder(change: SegmentChange, step: UpdateSegment, registry: NameRegistry) -> str:
    """The segment that a step renames; "" for one that this plan creates before the step."""
    created = any(isinstance(one, CreateSegment) and one.slot == step.slot for one in change.steps.setup)
    if created and (step in change.steps.finalize or step.turn == SetupPhase.RENAME_CREATED):
        return ""
    return registry.id_of(change.spec.address, step.slot)


def _wanted_twice(claim: NameClaim, other: Address) -> Finding:
    return Finding(
        str(claim.address),
        f"the name “{claim.name}” is also what this plan calls a segment of {other}",
        "change the title of one of the two",
    )


def _reserved(claim: NameClaim, registry: NameRegistry) -> Finding | None:
    waiting = registry.reserved.get((claim.account_id, name_key(claim.name)))
    if waiting is None or waiting[0] == claim.address:
        return None
    problem = f"the name “{claim.name}” may still be taken by an unconfirmed request for {waiting[0]}"
    return Finding(str(claim.address), problem, f"plan again after {waiting[1]:%H:%M:%S} UTC")


def _taken(claim: NameClaim, held: Segment, registry: NameRegistry) -> Finding:
    has_segment = any(address == claim.address for address, _ in registry.owner.values())
    if held.id in registry.owner:
        owner = registry.owner[held.id][0]
        problem = (
            f"the name “{claim.name}” belongs to segment {held.id}, which reconciler created for "
            f"{owner} and which this plan doesn't rename"
        )
        return Finding(str(claim.address), problem, _other_name(claim, owner, registry, has_segment))
    whose = tag(registry.environment, claim.address, registry.lineage)
    if has_segment:
        return taken_beside(claim.address, claim.name, held, whose)
    how = by_rebuild if claim.address in registry.known else by_document
    return taken_name(registry.environment, claim.address, claim.name, held, whose, how)


def _other_name(claim: NameClaim, owner: Address, registry: NameRegistry, has_segment: bool) -> str:
    """Return what to do about a name that a segment of ours has. A segment of its own prevents a move."""
    if waiting := registry.reserved.get((claim.account_id, name_key(claim.name))):
        return (
            f"give it another title, and plan again after {waiting[1]:%H:%M:%S} UTC: until then, an "
            "unconfirmed request may still take this name"
        )
    other = "give it another title, or rename that segment in Criteo"
    if has_segment:
        return other
    move = move_document(owner, claim.address)
    return f"if this is the same audience under another name, add `{move}`; else {other}"


def _releasing(change: Change, contested: set[str], registry: NameRegistry) -> Change:
    if isinstance(change, Ending):
        return change
    releases = tuple(
        UpdateSegment(
            step.slot,
            step.account_id,
            name=_fit(step.name, f" (renaming {holder})"),
            turn=SetupPhase.FREE_NAMES,
        )
        for step in (*change.steps.setup, *change.steps.finalize)
        if isinstance(step, UpdateSegment)
        and step.name is not None
        and (holder := _holder(change, step, registry)) in contested
    )
    if not releases:
        return change
    return replace(change, steps=replace(change.steps, setup=(*releases, *change.steps.setup)))
