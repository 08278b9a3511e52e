"""The words of a report: one per enum member, for every layout."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from reconciler.core.report import AudienceReport, EnvironmentReport, RunReport, Usability
from reconciler.core.series import PointKind, SeriesDay
from reconciler.render.numbers import NumberFormat, minus, near, plus, stamp

USABILITIES = {
    Usability.BELOW_MINIMUM: "below the minimum",
    Usability.TOO_FEW: "too few arrived",
    Usability.MISSING: "missing at Criteo",
    Usability.NOT_APPLIED: "not applied",
    Usability.NOT_VERIFIED: "not verified",
    Usability.COMPUTING: "computing",
    Usability.USABLE: "usable",
    Usability.FORGOTTEN: "forgotten",
}
MEANINGS = {
    Usability.BELOW_MINIMUM: "All members arrived, and too few match (minimum 0.1%): Criteo cannot use it.",
    Usability.TOO_FEW: "Criteo counted fewer members than it acknowledged.",
    Usability.MISSING: "Criteo had no such segment when it was verified.",
    Usability.NOT_APPLIED: "No apply has filled a segment.",
    Usability.NOT_VERIFIED: "The members are live by now, and no verification has counted them.",
    Usability.COMPUTING: "Criteo has not computed the members yet.",
    Usability.USABLE: "The last verification found all members, and enough of them match.",
    Usability.FORGOTTEN: "Removed from the manifests. The segment stays at Criteo.",
}
HEADINGS = {one: f"{word[:1].upper()}{word[1:]}" for one, word in USABILITIES.items()}
KINDS = {PointKind.APPLY: "apply", PointKind.VERIFY: "verify"}


def usability_counts(audiences: Iterable[AudienceReport]) -> dict[Usability, int]:
    """Return how many audiences there are of each usability, in the order of the enum, without zeros."""
    many = Counter(one.usability for one in audiences)
    return {one: many[one] for one in Usability if many[one]}


def remedy(environment: str, usability: Usability, addresses: int) -> str:
    """Return the command that follows; "" if there is nothing to do."""
    match usability:
        case Usability.BELOW_MINIMUM:
            return "check the columns and `hashing`"
        case Usability.TOO_FEW:
            return f"`reconciler plan {environment} --statistics` plans to refill lost members"
        case Usability.MISSING:
            them = "it" if addresses == 1 else "them"
            return f"`reconciler plan {environment}` shows how to create {them} again"
        case Usability.NOT_APPLIED:
            return f"`reconciler apply {environment}`"
        case Usability.NOT_VERIFIED:
            return f"`reconciler verify {environment}`"
        case _:
            return ""


def computing_text(one: AudienceReport, now: datetime) -> str:
    """Return when the newest members are live; "" if they are."""
    return f"newest members live about {near(one.computing_until, now)}" if one.computing_until else ""


def verified_text(one: AudienceReport) -> str:
    """Return when the audience was verified last; "" if it never was."""
    if one.verification is None:
        return ""
    changed = ", ".join(one.verification.changed)
    text = f"verified {stamp(one.verification.verification.at)}"
    return f"{text}; the definition changed since: {changed}" if changed else text


def run_text(run: RunReport, figures: NumberFormat) -> str:
    """Return the members that a run sent, such as "+1,200 −30"; "" for a verification."""
    moved = (plus(figures.number(run.adds)), minus(figures.number(run.removes)))
    return " ".join(one for one in moved if one)


def churn(days: Iterable[SeriesDay]) -> tuple[int, int]:
    """Return all members that were added and removed."""
    known = [*days]
    return sum(day.adds or 0 for day in known), sum(day.removes or 0 for day in known)


def rate_text(day: SeriesDay, figures: NumberFormat) -> str:
    """Return the match rate of a day, no more exact than the rounded counts; "" if these show none."""
    if day.matched is None or not day.arrived:
        return ""
    return figures.share(day.matched, day.arrived)


def newest_rate(one: AudienceReport, figures: NumberFormat) -> str:
    rates = [rate_text(day, figures) for day in one.days]
    return next((rate for rate in reversed(rates) if rate), "")


def drift_note(one: EnvironmentReport) -> str:
    return f"As the last verification found it. `reconciler drift {one.environment}` asks Criteo."
