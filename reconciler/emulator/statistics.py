"""Criteo's statistics of a contact list: those of the last computation."""

from reconciler.emulator.database import Session
from reconciler.emulator.segments import Segment


def compute(session: Session, instant: int) -> None:
    """The computation of 00:00 or 12:00 UTC, run late but before any later write."""
    if instant <= int(str(session.get("computed"))):
        return
    session.db.execute(
        "UPDATE segments SET computed_size = size, computed_matches = CAST(size * ? + 0.5 AS INT)",
        (session.switches.match_rate,),
    )
    session.put("computed", instant)


def attributes(session: Session, segment: Segment) -> dict[str, object]:
    """Before its first computation a list has 0 identifiers and no matches."""
    if segment.computed_size is None or segment.computed_matches is None:
        return {"numberOfIdentifiers": 0, "numberOfMatches": None, "matchRate": None}
    rate = segment.computed_matches / segment.computed_size if segment.computed_size else 0.0
    scale = 100 if session.switches.match_rate_scale == "0-100" else 1
    return {
        "numberOfIdentifiers": segment.computed_size,
        "numberOfMatches": segment.computed_matches,
        "matchRate": round(rate * scale, 4),
    }
