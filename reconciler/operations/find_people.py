"""Find identifiers in segments, lists and saved versions. Reads only the state."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.core.errors import CorruptSnapshotError
from reconciler.core.find import FindResult, Occurrence, StoredPlace, StoredSet, stored_sets, written_forms
from reconciler.core.members import Identifiers, Kind, SnapshotRef
from reconciler.core.model import Audience
from reconciler.core.ports import MemberEngine, StateReader

CURRENT = None
Serial = int | None
"""A saved version, or CURRENT."""


@dataclass(slots=True)
class _Search:
    """The forms of each line, and the answers of the engine by set and hashing."""

    engine: MemberEngine
    forms: Mapping[Kind, Mapping[int, str]]
    answers: dict[tuple[SnapshotRef, Kind], frozenset[int]] = field(default_factory=dict)

    def lines(self, stored: StoredSet) -> frozenset[int]:
        """Return the lines that a set holds. Raises CorruptSnapshotError."""
        kinds = [(stored.identifier_type, hashing) for hashing in stored.hashings]
        return frozenset[int]().union(*(self._of_kind(stored.snapshot, kind) for kind in kinds))

    def _of_kind(self, snapshot: SnapshotRef, kind: Kind) -> frozenset[int]:
        if (snapshot, kind) not in self.answers:
            wanted = self.forms.get(kind, {})
            at = self.engine.found(snapshot, kind[1], Identifiers(list(wanted.values()))) if wanted else ()
            numbers = list(wanted)
            self.answers[snapshot, kind] = frozenset(numbers[index] for index in at)
        return self.answers[snapshot, kind]


def countries_of(audiences: Iterable[Audience]) -> frozenset[str]:
    """Return the countries of phone numbers without a country code, in sources and lists."""
    return frozenset(
        country
        for audience in audiences
        for country in (audience.country, *(one.country for one in audience.lists))
        if country
    )


def find_people(
    lines: Sequence[str], countries: Collection[str], state: StateReader, engine: MemberEngine
) -> FindResult:
    """Search the state and all its saved versions. Blank lines are skipped, and keep their number."""
    forms: dict[Kind, dict[int, str]] = defaultdict(dict)
    unusable = []
    read = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    for number, line in read:
        written = written_forms(line, countries)
        if not written:
            unusable.append(number)
        for kind, member in written:
            forms[kind][number] = member
    search, versions = _Search(engine, forms), state.versions()
    found: dict[int, dict[StoredPlace, set[Serial]]] = defaultdict(lambda: defaultdict(set))
    unreadable: dict[StoredPlace, set[Serial]] = defaultdict(set)
    for serial, stored in _everywhere(state, [one.serial for one in versions]):
        try:
            holding = search.lines(stored)
        except CorruptSnapshotError:
            unreadable[stored.place].add(serial)
            continue
        for number in holding:
            found[number][stored.place].add(serial)
    return FindResult(
        lines=len(read),
        found={number: _occurrences(places) for number, places in sorted(found.items())},
        unusable=tuple(unusable),
        unreadable=_occurrences(unreadable),
        versions=len(versions),
    )


def _everywhere(state: StateReader, serials: Sequence[int]) -> Iterator[tuple[Serial, StoredSet]]:
    for resource in state.resources():
        yield from ((CURRENT, stored) for stored in stored_sets(resource))
    for serial in serials:
        for resource in state.version(serial).resources:
            yield from ((serial, stored) for stored in stored_sets(resource))


def _occurrences(places: Mapping[StoredPlace, set[Serial]]) -> tuple[Occurrence, ...]:
    return tuple(
        Occurrence(place, CURRENT in serials, tuple(sorted(one for one in serials if one is not None)))
        for place, serials in sorted(places.items())
    )
