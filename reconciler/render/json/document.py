"""A document as JSON: values to compute with, whole enough to be laid out again, and what an approval allows.

The dataclasses of the document are the declaration. Counts are integers, or `{"less_than": 10}`; durations
are seconds; times are in ISO 8601, in UTC; each statement has a `code` and its parameters.
A reader skips unknown keys: they come with a higher minor version. A key that changes its meaning or goes,
and a new code, raise the major version. A plan of another major version is not applied.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cattrs import BaseValidationError, Converter
from cattrs.strategies import configure_tagged_union

from reconciler.core.approval.model import ApprovedChange, ApprovedPlan
from reconciler.core.canonical_json import canonical_digest
from reconciler.core.model import Address, ApprovalLimits, Seat
from reconciler.core.rounding import LessThan, RoundedCount, format_limit
from reconciler.render.document.document_text import failure_headline, summary
from reconciler.render.document.model import Document
from reconciler.render.document.statements import Note, Statement
from reconciler.render.text import LONGEST_SENTENCE, sanitize

FORMAT_VERSION = "2.0"
Json = dict[str, Any]
DIGEST = "digest"
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Saved:
    """The content of a saved document and the version that wrote it.

    `approved` is None if it is not a plan.
    """

    digest: str
    version: str
    content: Json
    document: Document
    approved: ApprovedPlan | None


def encoded(document: Document, approved: ApprovedPlan | None, version: str) -> Json:
    """The whole file, as JSON objects. The digest in `approved` is not used."""
    plain: Json = {
        "format_version": FORMAT_VERSION,
        "reconciler": version,
        "document_type": document.header.document_type.value,
        "environment": document.header.environment,
        "summary": failure_headline(document) or summary(document),
        "addresses": {kind.value: number for kind, number in document.totals.kinds}
        | {"unchanged": document.totals.unchanged},
        "approval": _of_approved(approved) if approved else None,
        "needs_review": [row.address for row in document.risks],
        "document": _CONVERTER.unstructure(document),
    }
    return {DIGEST: digest_of(plain), **plain}


def dump(content: Json) -> bytes:
    """Return the JSON in ASCII, so that no character changes a terminal."""
    return json.dumps(content, indent=2).encode() + b"\n"


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the digest of all but the digest itself, independent of key order and white space."""
    return canonical_digest({key: value for key, value in content.items() if key != DIGEST})


def approval_digest(approved: ApprovedPlan) -> str:
    """Return the digest of what an apply must match, whatever document it is saved in."""
    return canonical_digest(_of_approved(approved))


def decoded(content: Json) -> Saved:
    """Return the plan in JSON that follows schemas/plan.schema.json, with its text made inert.

    ValueError if reconciler can't have saved it.
    """
    digest = content[DIGEST]
    approval = content["approval"]
    try:
        approved = _approved(approval, digest, content["environment"]) if approval else None
        document = _CONVERTER.structure(_tame(content["document"]), Document)
    except BaseValidationError:
        raise ValueError("not a document") from None
    return Saved(digest, content["reconciler"], content, document, approved)


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
        "made_at": _time(approved.made_at),
        "tolerance": format_limit(approved.limits.tolerance),
        "max_age": round(approved.limits.max_age.total_seconds()),
        "changes": [_CONVERTER.unstructure(one) for one in approved.changes],
        "overrides": list(approved.overrides),
    }


def _approved(data: Json, digest: str, environment: str) -> ApprovedPlan:
    return ApprovedPlan(
        digest=digest,
        environment=environment,
        endpoint=data["endpoint"],
        seats={label: Seat(seat["account_id"], seat["retailer_id"]) for label, seat in data["seats"].items()},
        lineage=data["lineage"],
        made_at=_read_time(data["made_at"]),
        limits=ApprovalLimits(
            tolerance=float(data["tolerance"].removesuffix("%")) / 100,
            max_age=timedelta(seconds=data["max_age"]),
        ),
        changes=tuple(_CONVERTER.structure(one, ApprovedChange) for one in data["changes"]),
        overrides=tuple(data["overrides"]),
    )


def _time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _read_count(count: int | Json) -> RoundedCount:
    return count if isinstance(count, int) else LessThan(count["less_than"])


def code_of(statement: type) -> str:
    """Return the code of a class of statements: `WaitsUntil` is "waits_until"."""
    return _CAPITAL.sub("_", statement.__name__).lower()


def _converter() -> Converter:
    converter = Converter(unstruct_collection_overrides={tuple: list})
    converter.register_unstructure_hook(datetime, _time)
    converter.register_unstructure_hook(Address, str)
    converter.register_structure_hook(Address, lambda text, _: Address.parse(text))
    converter.register_structure_hook(datetime, lambda text, _: _read_time(text))
    counts = (RoundedCount, RoundedCount | None)
    converter.register_structure_hook_func(
        lambda kind: kind in counts, lambda count, _: None if count is None else _read_count(count)
    )
    for union in (Statement, Note):
        configure_tagged_union(union, converter, tag_name="code", tag_generator=code_of)
    return converter


_CONVERTER = _converter()
