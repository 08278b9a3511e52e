"""Values of these documents: counts as integers, times in ISO 8601, shares from 0 to 1, reasons as codes."""

import json
from datetime import UTC, datetime
from enum import Enum

from reconciler.core.errors import Finding, ReconcilerError
from reconciler.core.rounding import rounded, share_of
from reconciler.render.numbers import NumberFormat
from reconciler.render.text import sentence

FORMAT_VERSION = 2
Json = dict[str, object]
Count = int | dict[str, int]
"""A number, or `{"less_than": 10}`: a small count is not shown where counts are rounded."""


class DocumentKind(Enum):
    """Which command printed a document: the value of its `document_type`."""

    STATUS = "status"
    VERIFICATION = "verification"
    EXPLAIN = "explain"
    VALIDATE = "validate"
    DOCTOR = "doctor"
    STATE = "state"
    STATE_HISTORY = "state_history"
    STATE_LOCK = "state_lock"
    AUTH_STATUS = "auth_status"
    DIFF = "diff"
    REPORT = "report"
    FIND = "find"
    ERASE = "erase"
    AUDIT = "audit"


def document(kind: DocumentKind, content: Json, error: ReconcilerError | None = None) -> Json:
    """The whole document. With an error, it has what is known all the same."""
    return {
        "format_version": FORMAT_VERSION,
        "document_type": kind.value,
        **content,
        "error": error_values(error) if error else None,
    }


def dump(content: Json) -> str:
    """Return the JSON in ASCII, so that no character changes a terminal."""
    return json.dumps(content, indent=2)


def error_values(error: ReconcilerError) -> Json:
    return {
        "exit_code": error.exit_code,
        "problem": sentence(error.problem),
        "remedy": lines(error.remedy),
        "findings": [finding_values(one) for one in error.findings],
    }


def finding_values(finding: Finding) -> Json:
    return {
        "where": sentence(finding.where),
        "problem": sentence(finding.problem),
        "remedy": lines(finding.remedy),
    }


def lines(text: str) -> str:
    """A remedy keeps its lines: it may hold a snippet to paste."""
    return "\n".join(map(sentence, text.splitlines()))


def count(number: int, figures: NumberFormat) -> Count:
    """Return the count, rounded as in text."""
    if 0 < number < figures.step:
        return {"less_than": figures.step}
    return rounded(number, figures.step)


def known_count(number: int | None, figures: NumberFormat) -> Count | None:
    """Return None if the value is unknown."""
    return None if number is None else count(number, figures)


def share(part: int, whole: int, figures: NumberFormat) -> float | None:
    """Return the share from 0 to 1, no more exact than the rounded counts."""
    found = share_of(part, whole, figures.step)
    return None if found is None else round(min(1.0, found), 4)


def time(moment: datetime | None) -> str | None:
    """Return the time in UTC, to the second."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


def code(member: Enum) -> str:
    """The name of an enum's member, as programs compare it."""
    return member.name.lower()
