"""A document as JSON: whole enough to be laid out again, with what an approval of it is held to.

A reader skips keys that it doesn't know: they come with a higher minor version. A key that changes its
meaning or goes raises the major one, and what has another major version is not applied.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from reconciler.core.approval.model import ApprovedChange, ApprovedList, ApprovedPlan
from reconciler.core.errors import Finding
from reconciler.core.events import Counts
from reconciler.core.model import Address, ApprovalLimits, IdentifierType, Seat
from reconciler.core.plan.change_kinds import Cause, ChangeKind
from reconciler.core.rounding import format_limit
from reconciler.render.apply_report import ApplyReport, Failure
from reconciler.render.blocked import BlockedGroup
from reconciler.render.document import Document, DocumentType, Header, RunError, Section, Totals
from reconciler.render.lists import ListRow
from reconciler.render.plan_rows import Attribute, Line, LineKind, Members, Part, Row, RowKind, Sizes
from reconciler.render.text import LONGEST_SENTENCE, sanitize

FORMAT_VERSION = "2.0"
Json = dict[str, Any]
DIGEST = "digest"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file holds, and the version that wrote it. `approved` is None for what nobody can approve."""

    digest: str
    version: str
    content: Json
    document: Document
    approved: ApprovedPlan | None


def encoded(document: Document, approved: ApprovedPlan | None, version: str) -> Json:
    """The whole file, as JSON objects. The digest that `approved` bears is not used."""
    plain: Json = {
        "format_version": FORMAT_VERSION,
        "reconciler": version,
        "document_type": document.header.document_type.value,
        "environment": document.header.environment,
        "summary": document.failure_headline or document.summary,
        "addresses": {kind.value: number for kind, number in document.totals.kinds}
        | {"unchanged": document.totals.unchanged},
        "approval": _of_approved(approved) if approved else None,
        "needs_review": [row.address for row in document.risks],
        "document": asdict(document),
    }
    return {DIGEST: digest_of(plain), **plain}


def dump(content: Json) -> bytes:
    """In plain ASCII: no letter of it acts on a terminal."""
    return json.dumps(content, indent=2).encode() + b"\n"


def digest_of(content: Mapping[str, Any]) -> str:
    """Of all but the digest itself, whatever the order of keys and the spaces between."""
    rest = {key: value for key, value in content.items() if key != DIGEST}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def decoded(content: Json) -> Saved:
    """Of JSON that follows schemas/plan.schema.json; whoever wrote it, its text acts on no reader."""
    digest = content[DIGEST]
    approval = content["approval"]
    approved = _approved(approval, digest, content["environment"]) if approval else None
    return Saved(digest, content["reconciler"], content, _document(_tame(content["document"])), approved)


def _tame(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {one: _tame(held, one) for one, held in value.items()}
    if isinstance(value, list):
        return [_tame(one, key) for one in value]
    if isinstance(value, str):
        lines = value.splitlines() if key == "remedy" else [value]
        return "\n".join(sanitize(line, LONGEST_SENTENCE) for line in lines)
    return value


def _of_approved(approved: ApprovedPlan) -> Json:
    return {
        "endpoint": approved.endpoint,
        "seats": {label: asdict(seat) for label, seat in approved.seats.items()},
        "lineage": approved.lineage,
        "made_at": approved.made_at.astimezone(UTC).isoformat(),
        "tolerance": format_limit(approved.limits.tolerance),
        "max_age": round(approved.limits.max_age.total_seconds()),
        "changes": [asdict(one) | {"address": str(one.address)} for one in approved.changes],
    }


def _approved(data: Json, digest: str, environment: str) -> ApprovedPlan:
    return ApprovedPlan(
        digest=digest,
        environment=environment,
        endpoint=data["endpoint"],
        seats={label: Seat(seat["account_id"], seat["retailer_id"]) for label, seat in data["seats"].items()},
        lineage=data["lineage"],
        made_at=datetime.fromisoformat(data["made_at"]).astimezone(UTC),
        limits=ApprovalLimits(
            tolerance=float(data["tolerance"].removesuffix("%")) / 100,
            max_age=timedelta(seconds=data["max_age"]),
        ),
        changes=tuple(
            ApprovedChange(
                address=Address.parse(one["address"]),
                kind=ChangeKind(one["kind"]),
                definition=one["definition"],
                adds=one["adds"],
                removes=one["removes"],
                size=one["size"],
                members_digest=one["members_digest"],
                lists=tuple(map(_approved_list, one["lists"])),
            )
            for one in data["changes"]
        ),
    )


def _approved_list(data: Json) -> ApprovedList:
    return ApprovedList(IdentifierType(data["identifier_type"]), data["size"], data["found"])


def _document(data: Json) -> Document:
    return Document(
        header=_header(data["header"]),
        sections=tuple(
            Section(RowKind(one["kind"]), tuple(map(_row, one["rows"]))) for one in data["sections"]
        ),
        totals=_totals(data["totals"]),
        summary=data["summary"],
        estimate=tuple(data["estimate"]),
        notes=tuple(data["notes"]),
        precision=data["precision"],
        problems=tuple(map(_finding, data["problems"])),
        outcome=_maybe(_outcome, data["outcome"]),
        error=_maybe(_trouble, data["error"]),
        approvals=tuple(data["approvals"]),
        lists=tuple(map(_list, data["lists"])),
        notice=tuple(data["notice"]),
        blocked=tuple(map(_blocked, data["blocked"])),
    )


def _list(data: Json) -> ListRow:
    return ListRow(
        files=data["files"],
        type=data["type"],
        before=data["before"],
        after=data["after"],
        missing=data["missing"],
        addresses=data["addresses"],
        found_least=data["found_least"],
        found_most=data["found_most"],
    )


def _header(data: Json) -> Header:
    return Header(
        document_type=DocumentType(data["document_type"]),
        environment=data["environment"],
        endpoint=data["endpoint"],
        emulated=data["emulated"],
        seats=tuple(data["seats"]),
        state=data["state"],
        data=data["data"],
        made_at=data["made_at"],
    )


def _totals(data: Json) -> Totals:
    kinds = tuple((RowKind(kind), number) for kind, number in data["kinds"])
    return Totals(kinds, data["unchanged"], data["adds"], data["removes"])


def _row(data: Json) -> Row:
    return Row(
        kind=RowKind(data["kind"]),
        address=data["address"],
        title=data["title"],
        type=data["type"],
        seat=data["seat"],
        members=_members(data["members"]),
        attributes=tuple(
            Attribute(one["name"], one["before"], one["after"], one["note"]) for one in data["attributes"]
        ),
        lines=tuple(Line(LineKind(one["type"]), one["text"]) for one in data["lines"]),
        location=data["location"],
        definition=tuple(Part(one["path"], one["before"], one["after"]) for one in data["definition"]),
    )


def _members(data: Json) -> Members:
    return Members(data["adds"], data["removes"], data["size"], _maybe(_sizes, data["sizes"]))


def _sizes(data: Json) -> Sizes:
    return Sizes(data["before"], data["after"], data["adds"], data["removes"])


def _outcome(data: Json) -> ApplyReport:
    counts = data["counts"]
    return ApplyReport(
        counts=Counts(
            applied=counts["applied"],
            unchanged=counts["unchanged"],
            failed=counts["failed"],
            interrupted=counts["interrupted"],
            skipped=counts["skipped"],
            blocked=counts["blocked"],
        ),
        headline=data["headline"],
        members=data["members"],
        live=data["live"],
        failures=tuple(Failure(one["address"], one["problem"], one["remedy"]) for one in data["failures"]),
        interrupted=tuple(data["interrupted"]),
        skipped=tuple(data["skipped"]),
        next_step=data["next_step"],
        blocked=tuple(map(_blocked, data["blocked"])),
    )


def _blocked(data: Json) -> BlockedGroup:
    return BlockedGroup(
        Cause(data["cause"]), tuple(data["addresses"]), data["problem"], data["remedy"], data["others"]
    )


def _trouble(data: Json) -> RunError:
    return RunError(data["problem"], data["remedy"], tuple(map(_finding, data["findings"])))


def _finding(data: Json) -> Finding:
    return Finding(data["where"], data["problem"], data["remedy"])


def _maybe(decode: Callable[[Json], T], data: Json | None) -> T | None:
    return None if data is None else decode(data)
