"""Flaws of an audit log as sentences."""

from typing import assert_never

from reconciler.core.audit.check import Flaw, FlawKind


def flaw_text(flaw: Flaw, length: int) -> str:
    """Return what is wrong. `length`: the number of the last entry."""
    match flaw.kind:
        case FlawKind.DAMAGED:
            return f"it is not as reconciler wrote it: {flaw.detail}"
        case FlawKind.MISSING:
            return "it is missing"
        case FlawKind.MOVED:
            return "it was written under another number"
        case FlawKind.UNCHAINED:
            return "it does not continue the entry before it"
        case FlawKind.UNRECORDED if flaw.number > length:
            return "it is missing: the state was written or replaced after the last entry"
        case FlawKind.UNRECORDED:
            return "the state before it was written or replaced by a run without an entry"
        case FlawKind.CUT_OFF:
            return "it is missing: entries were removed at the end of the log"
        case FlawKind.REWRITTEN:
            return "its digest is not that of --head: the log was rewritten"
        case _:
            assert_never(flaw.kind)
