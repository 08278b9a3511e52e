"""The sentences of a document, for all layouts."""

from collections.abc import Iterator
from datetime import timedelta

from reconciler.core.rounding import LessThan, duration
from reconciler.render.document.by_audience import total
from reconciler.render.document.model import (
    WHOLE,
    CredentialCalls,
    Document,
    DocumentType,
    Estimate,
    Header,
    Removals,
    RunError,
    Section,
)
from reconciler.render.document.row import NOT_APPLIED, RowKind
from reconciler.render.document.shared_text import SharedText
from reconciler.render.document.statement_text import statement_text
from reconciler.render.document.statements import AddressesNotListed, SuppressedRemoved
from reconciler.render.numbers import age, counted, minus, near, plus, stamp

_SEATS_SHOWN = 3
_DESTINATIONS_NAMED = 3
_HEADINGS = {
    DocumentType.PLAN: "Plan for",
    DocumentType.APPLY: "Apply to",
    DocumentType.TEARDOWN: "Teardown of",
    DocumentType.DRIFT: "Drift of",
}


def heading(header: Header) -> str:
    """Return the heading before the name of the environment."""
    return _HEADINGS[header.document_type]


def endpoint(header: Header) -> str:
    return "the Criteo emulator" if header.emulated else header.endpoint


def seats(header: Header) -> tuple[str, ...]:
    lines = [
        f"{one.name} (account {one.account_id}, retailer {one.retailer_id})"
        for one in header.seats[:_SEATS_SHOWN]
    ]
    more = len(header.seats) - _SEATS_SHOWN
    return (*lines, f"{more:,} more") if more > 0 else tuple(lines)


def origin(header: Header) -> tuple[str, ...]:
    """Return the source and the time of the document."""
    return tuple(fact for fact in (_state(header), _data(header), f"made {stamp(header.made_at)}") if fact)


def _state(header: Header) -> str:
    if header.state:
        return f"state serial {header.state.serial:,}, lineage {header.state.lineage[:8]}"
    return "no state yet" if header.endpoint else ""


def _data(header: Header) -> str:
    newest = header.newest_data
    return f"newest data {stamp(newest)} ({age(newest, header.made_at)})" if newest else ""


def notice(document: Document) -> tuple[str, ...]:
    """Return the text that must be read before the document."""
    if document.notice is None:
        return ()
    named = document.header.environment
    kept = "It is a folder, and most CI jobs keep none. " if document.notice.local_folder else ""
    wrong = (
        f"If {named} was applied before, `state.url` in its environment.yaml or the access to that place is"
        " wrong: fix it before anything is applied."
    )
    return f"{named} has no state: all of its audiences count as new.", f"{kept}{wrong}"


def failure_headline(document: Document) -> str:
    """Return the headline of a failed plan or apply; "" for others."""
    return _failure(document.header, document.error) if document.error and document.failed else ""


def _failure(header: Header, error: RunError) -> str:
    """Return the headline of a failure. Without a known endpoint, nothing was planned or compared."""
    if header.document_type in {DocumentType.APPLY, DocumentType.TEARDOWN}:
        nothing = "Nothing was sent"
    elif header.endpoint:
        nothing = "This was not finished"
    elif header.document_type == DocumentType.PLAN:
        nothing = "No plan"
    else:
        nothing = "Nothing was compared"
    return f"{nothing}: {error.problem}."


def warning() -> str:
    """Return the heading above the risks."""
    return "Needs review"


def review_summary(document: Document) -> str:
    """Return why the document needs a review; "" if it does not."""
    if not document.risks:
        return ""
    needs = "needs" if len(document.risks) == 1 else "need"
    return f"{counted(len(document.risks), 'address', 'addresses')} {needs} review"


def sharing(shared: SharedText) -> str:
    """Return the addresses of a group that the text below is about."""
    where = shared.destinations
    if shared.whole:
        return "both addresses" if len(where) == 2 else f"all {len(where):,} addresses"
    more = len(where) - _DESTINATIONS_NAMED
    return ", ".join((*where[:_DESTINATIONS_NAMED], f"{more:,} more") if more > 0 else where)


def state_only(section: Section) -> str:
    """Return the text about all state-only rows of a section; "" if rows have text of their own."""
    if not section.state_only:
        return ""
    return "definition only; no API call"


def precision(document: Document) -> str:
    """Return the note about rounded counts; "" if counts are exact."""
    if document.step == 1:
        return ""
    return f"Counts are rounded to {document.step}; exact ones are shown at a terminal."


def summary(document: Document) -> str:
    """The one line of the document."""
    if document.error and document.undecided:
        return _failure(document.header, document.error)
    if document.header.document_type == DocumentType.DRIFT:
        return _drift_summary(document)
    return _plan_summary(document)


def _plan_summary(document: Document) -> str:
    totals = document.totals
    left = f" {counted(totals.deferred, 'address is', 'addresses are')} left out." if totals.deferred else ""
    if not totals.kinds and left:
        return f"Nothing to apply now.{left}"
    if not totals.kinds and document.header.document_type == DocumentType.TEARDOWN:
        return f"Nothing to tear down in {document.header.environment}."
    if not totals.kinds:
        unchanged = f" {counted(totals.unchanged, 'address', 'addresses')} unchanged."
        return f"No changes. {document.header.environment} matches its manifests.{unchanged}"
    parts = [f"{count:,} {'' if kind in NOT_APPLIED else 'to '}{kind}" for kind, count in totals.kinds]
    parts += [f"{totals.unchanged:,} unchanged"] if totals.unchanged else []
    moved = " ".join(part for part in (plus(totals.adds), minus(totals.removes)) if part)
    moved = f"about {moved}" if moved and _sum_differs(document) else moved
    return f"Plan: {', '.join(parts)}." + (f" Members: {moved}." if moved else "") + left


def _sum_differs(document: Document) -> bool:
    """Return whether the members of the rows, as they are shown, have another sum than the totals."""
    moved = [row.members for one in document.sections if one.kind not in NOT_APPLIED for row in one.rows]
    adds, removes = (total(getattr(one, side) for one in moved if one) for side in ("adds", "removes"))
    pairs = ((adds, document.totals.adds), (removes, document.totals.removes))
    return any(shown != whole and not isinstance(whole, LessThan) for shown, whole in pairs)


def _drift_summary(document: Document) -> str:
    drifted = len({row.address for row in document.rows})
    compared = drifted + document.totals.unchanged
    if not compared:
        unlisted = any(isinstance(note, AddressesNotListed) for note in document.notes)
        reason = "No address could be checked" if unlisted else "Nothing was applied yet"
        return f"{reason}: there is nothing to compare."
    all_of = counted(compared, "address", "addresses")
    if not drifted:
        return f"No drift in {all_of}."
    return f"{drifted:,} of {all_of} drifted."


def estimate(document: Document) -> tuple[str, ...]:
    """Calls, time and when it is live; or why nothing is applied."""
    if document.failed or document.header.document_type == DocumentType.DRIFT:
        return ()
    removed = (_removed(document.removals),) if document.removals else ()
    if not document.totals.kinds:
        return removed
    if document.estimate:
        return (*removed, *_estimate(document.estimate, document.header))
    return (*removed, _why_nothing(document))


def _removed(removals: Removals) -> str:
    which = "blocked or paused" if removals.blocked == removals.addresses else "other"
    where = counted(removals.addresses, f"{which} address", f"{which} addresses")
    return f"At {where} {statement_text(SuppressedRemoved(removals.members))}."


def _why_nothing(document: Document) -> str:
    totals = document.totals
    blocked, paused = totals.count(RowKind.BLOCKED), totals.count(RowKind.PAUSED)
    if document.problems:
        also = f", and {counted(blocked, 'address is', 'addresses are')} blocked" if blocked else ""
        return f"Nothing can be applied: the plan as a whole is refused{also}."
    if blocked and not (totals.unchanged or totals.deferred):
        return f"Apply blocked: {counted(blocked, 'address', 'addresses')}."
    others = "; all others match the manifests" if totals.unchanged and not totals.deferred else ""
    stopped = ((blocked, "blocked"), (paused, "paused"))
    parts = [f"{counted(many, 'address is', 'addresses are')} {what}" for many, what in stopped if many]
    return f"Nothing to apply: {' and '.join(parts)}{others}."


def _estimate(one: Estimate, header: Header) -> Iterator[str]:
    yield f"Cost: {_calls(one)}"
    if one.waits_until:
        ends = near(one.waits_until, header.made_at)
        yield f"That includes a wait until {ends}: an unconfirmed request may still take effect."
    if one.computed_at and one.live_at:
        computed = one.computed_at
        day = "" if computed.date() == header.made_at.date() else f" on {computed:%Y-%m-%d}"
        live = near(one.live_at, computed)
        yield f"Criteo processes this at {computed:%H:%M} UTC{day}; live about {live}."


def _calls(one: Estimate) -> str:
    if not one.calls:
        return "no calls to Criteo."
    minutes = timedelta(minutes=round(one.seconds / 60))
    took = f"about {duration(minutes)}" if one.seconds >= 60 else "less than a minute"
    paces = [f"at {each.calls_per_minute:,} a minute{_rate_note(one, each)}" for each in one.credentials]
    if len(paces) == 1:
        return f"{counted(one.calls, 'API call')}, {took} {paces[0]}."
    parts = [
        f"{counted(each.calls, 'API call')} with {each.credential} {pace}"
        for each, pace in zip(one.credentials, paces, strict=True)
    ]
    return f"{', '.join(parts)}; {took}."


def _rate_note(one: Estimate, each: CredentialCalls) -> str:
    """Return where the rate comes from; "" if it is the limit that Criteo states."""
    assumed = "assumed" if each.assumed else ""
    shared = f"share {one.share}" if one.share != WHOLE else ""
    known = ", ".join(filter(None, (shared, assumed)))
    return f" ({known})" if known else ""
