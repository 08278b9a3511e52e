"""The parts of a definition, as last applied: they show a reviewer which parts changed.

The digest of `SegmentSpec` decides whether a definition changed. A part that looks like personal data is
redacted.
"""

from collections.abc import Iterable, Iterator

from reconciler.core.model import Exclusion, PersonalData, SegmentSpec, Source
from reconciler.core.pii import REDACTED, pii_kind, redacted_path
from reconciler.core.plan.changes import AttributeChange, PartChange
from reconciler.core.promotion.gate import PortablePart, gate_values
from reconciler.core.rounding import duration, format_limit
from reconciler.core.state.ownership_tag import Tag, with_tag
from reconciler.core.state.resource import ResourceState

Parts = tuple[tuple[str, str], ...]
ADMIN_ONLY = ("access.adminOnly", "true")
"""The part of a definition whose changes only an admin may approve."""


def parts_of(spec: SegmentSpec) -> Parts:
    """Path and value of each part that is set, in order of the paths."""
    return tuple(sorted((path, value) for path, value in _parts(spec) if value))


def portable_values(spec: SegmentSpec) -> dict[tuple[PortablePart, str], str]:
    """Return the values of each portable part that are set, by the part and the path of the value."""
    return {(part, path): value for part, path, value in _portable(spec) if value}


def redefined(spec: SegmentSpec, resource: ResourceState | None) -> tuple[PartChange, ...]:
    """Return the parts that differ from the last applied definition, as far as they are known."""
    if resource is None or not resource.parts or resource.definition == spec.definition:
        return ()
    from deepdiff import DeepDiff  # its import takes long: see core/plan/changes.py

    before, after = dict(resource.parts), dict(parts_of(spec))
    # With a threshold, dictionaries that share few keys are one change without a path.
    found = DeepDiff(before, after, view="tree", threshold_to_diff_deeper=0)
    kinds = ("values_changed", "dictionary_item_added", "dictionary_item_removed")
    paths = {str(level.path(output_format="list")[0]) for kind in kinds for level in found.get(kind, ())}
    return tuple(PartChange(path, before.get(path, ""), after.get(path, "")) for path in sorted(paths))


def is_drift(change: AttributeChange, resource: ResourceState, tag: Tag, former: Iterable[Tag] = ()) -> bool:
    """Return whether the value at Criteo is neither the one last applied nor one requested since.

    `former` are the tags of the addresses that it was moved from.
    """
    applied = dict(resource.parts)
    if not applied:
        return False
    asked = {value for one in resource.current.unconfirmed_updates for value in (one.name, one.description)}
    left = applied.get(change.name, "")
    ours = {with_tag(left, one) for one in (tag, *former)} if change.name == "description" else {left}
    return change.before not in ours and change.before not in asked


def _portable(spec: SegmentSpec) -> Iterator[tuple[PortablePart, str, str]]:
    audience, part = spec.audience, PortablePart
    yield part.TITLE, "title", _shown(spec.title)
    yield part.DESCRIPTION, "description", _shown(spec.description)
    for path, value in _of_source(audience.source):
        yield part.SOURCE, path, value
    yield part.COLUMNS, "defaultCountry", audience.country
    for kind, column in audience.columns:
        yield part.COLUMNS, f"columns.{kind.value}", _shown(column)
    for number, one in enumerate(audience.exclusion_lists):
        for path, value in _list_content(f"exclude[{number}]", one):
            yield part.EXCLUSIONS, path, value
    yield part.TYPE, "identifier type", spec.key.identifier_type.value
    yield part.HASHING, "hashing", spec.key.hashing.value
    yield part.ACCESS, ADMIN_ONLY[0], ADMIN_ONLY[1] if spec.access.admin_only else ""
    yield part.ACCESS, "access.pii", "" if spec.access.pii is PersonalData.HASHED else spec.access.pii.value


def _of_source(source: Source) -> Iterator[tuple[str, str]]:
    yield "source.files", ", ".join(map(redacted_path, source.files))
    yield "source.delta", redacted_path(source.delta)
    yield "source.iceberg", redacted_path(source.iceberg)
    if query := source.query:
        key = "source" if query.table else "source.query"
        yield "source.table", _shown(query.table)
        yield f"{key}.connection", query.connection
        yield "source.query.sql", "" if query.table else _shown(_one_line(query.sql))
        yield f"{key}.freshness", _shown(_one_line(query.freshness))
    for one in source.partitions:
        yield f"source.partitions.{_shown(one.column)}", one.type.value
    yield "source.where", _shown(source.where)
    yield "source.maxAge", duration(source.max_age) if source.max_age else ""
    yield "source.pinned", "true" if source.pinned else ""


def _parts(spec: SegmentSpec) -> Iterator[tuple[str, str]]:
    audience, source = spec.audience, spec.audience.source
    yield "name", spec.name
    yield "description", spec.description
    yield "account", spec.key.account_id
    yield "retailer", spec.key.retailer_id
    yield "identifier type", spec.key.identifier_type.value
    yield "hashing", spec.key.hashing.value
    yield "credential", spec.credential
    yield "api.endpoint", _shown(spec.endpoint[0])
    yield "api.tokenUrl", _shown(spec.endpoint[1])
    yield "data.root", redacted_path(source.root)
    yield from _of_source(source)
    yield "connection", redacted_path(source.query.leads_to) if source.query else ""
    yield "sample.rows", f"{source.sample_rows:,}" if source.sample_rows is not None else ""
    yield "defaultCountry", audience.country
    for kind, column in audience.columns:
        yield f"columns.{kind.value}", _shown(column)
    for number, one in enumerate(audience.exclusion_lists):
        yield from _of_list(f"exclude[{number}]", one)
    yield "protect", "true" if audience.protected else ""
    for one in audience.suppression_lists:
        yield from _list_content(f"suppress.{one.name}", one)
    yield "suppress.exempt", "true" if spec.exempt else ""
    yield ADMIN_ONLY[0], ADMIN_ONLY[1] if spec.access.admin_only else ""
    guards = audience.guards
    yield "guards.maxShrink", format_limit(guards.max_shrink)
    yield "guards.maxGrowth", format_limit(guards.max_growth)
    yield "guards.minMembers", f"{guards.min_members:,}"
    yield "guards.maxInvalid", format_limit(guards.max_invalid)
    yield "guards.maxMissing", format_limit(guards.max_missing)
    yield "guards.maxSuppressionShrink", format_limit(guards.max_suppression_shrink)
    yield from gate_values(spec.gate, spec.address).items()


def _of_list(path: str, one: Exclusion) -> Iterator[tuple[str, str]]:
    yield from _list_content(path, one)
    yield f"{path}.maxShrink", format_limit(one.max_shrink)


def _list_content(path: str, one: Exclusion) -> Iterator[tuple[str, str]]:
    yield f"{path}.files", ", ".join(map(redacted_path, one.files))
    yield f"{path}.defaultCountry", one.country
    for kind, column in one.columns:
        yield f"{path}.columns.{kind.value}", _shown(column)


def _one_line(sql: str) -> str:
    return " ".join(sql.split())


def _shown(text: str) -> str:
    return REDACTED if pii_kind(text) else text
