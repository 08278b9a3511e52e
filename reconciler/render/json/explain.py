"""`explain --json`: rows of one address by reason, in counts, and what the plan does with it."""

from collections.abc import Sequence

from reconciler.core.lists import ListChange
from reconciler.core.members import DropReason, TargetMembers
from reconciler.core.model import SegmentSpec
from reconciler.core.pii import redacted_path
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.plan.changes import Ending, address_of, kind_of
from reconciler.core.plan.model import Plan
from reconciler.render.json.values import Json, code, count, finding_values, known_count, time
from reconciler.render.numbers import NumberFormat
from reconciler.render.text import name, sentence


def explanation_values(
    environment: str,
    spec: SegmentSpec,
    target: TargetMembers,
    plan: Plan,
    lists: Sequence[ListChange],
    figures: NumberFormat,
) -> Json:
    """`change` is null for a blocked or paused address, `blocked` for any that is not blocked."""
    source = spec.audience.source
    return {
        "environment": name(environment),
        "address": name(str(spec.address)),
        "segment_name": name(spec.name),
        "source": {
            "files": _files(source.files),
            "delta": name(redacted_path(source.delta)) if source.delta else None,
            "iceberg": name(redacted_path(source.iceberg)) if source.iceberg else None,
            "connection": name(source.query.connection) if source.query else None,
            "where": sentence(source.where) if source.where else None,
            "newest_at": time(target.newest),
            "files_read": target.files.read,
            "files_left_out": target.files.left_out,
        },
        "rows": count(target.rows, figures),
        "dropped": [
            {"reason": code(reason), "count": count(dropped, figures)}
            for reason in DropReason
            if (dropped := target.dropped(reason))
        ],
        "malformed": [
            {"problem": sentence(problem), "count": count(part, figures)}
            for problem, part in target.malformed
        ],
        "members": count(target.members.count, figures),
        "already_hashed": count(target.hashed, figures),
        "listed_identifiers": count(target.suppressed.count, figures),
        "lists": [_list(one, figures) for one in lists],
        "change": _change(spec, plan, figures),
        "blocked": _blocked(spec, plan),
        "paused": spec.audience.paused,
        "protected": spec.audience.protected,
    }


def _files(files: Sequence[str]) -> list[str]:
    return [name(redacted_path(one)) for one in files]


def _list(one: ListChange, figures: NumberFormat) -> Json:
    return {
        "kind": code(one.list.kind),
        "name": name(one.list.name) if one.list.name else None,
        "files": _files(one.list.files),
        "identifier_type": one.list.identifier_type.value,
        "members_before": known_count(one.before.members.count if one.before else None, figures),
        "members_after": known_count(one.now.members.count if one.now else None, figures),
        "missing": count(one.missing, figures),
        "unusable": known_count(one.now.invalid if one.now else None, figures),
    }


def _change(spec: SegmentSpec, plan: Plan, figures: NumberFormat) -> Json | None:
    change = next((one for one in plan.changes if address_of(one) == spec.address), None)
    if spec.address in plan.paused or any(one.address == spec.address for one in plan.blocked):
        return None
    if change is None or isinstance(change, Ending):
        return {"kind": ChangeKind.UNCHANGED.value, "adds": 0, "removes": 0}
    delta = change.members.delta
    return {
        "kind": kind_of(change).value,
        "adds": count(delta.adds, figures),
        "removes": count(delta.out, figures),
    }


def _blocked(spec: SegmentSpec, plan: Plan) -> list[Json] | None:
    found = [one for one in plan.blocked if one.address == spec.address]
    return [{"cause": one.cause.value, **finding_values(one.finding)} for one in found] or None
