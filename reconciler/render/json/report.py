"""`report --json`: what the states know of their audiences, by environment."""

from reconciler.core.approval.model import ApprovalRecord
from reconciler.core.report import AudienceReport, EnvironmentReport, PromotionReport, Report, RunReport
from reconciler.core.series import SeriesDay
from reconciler.render.json.diff import difference_values
from reconciler.render.json.values import Json, known_count, share, time
from reconciler.render.json.values import count as counted
from reconciler.render.numbers import NumberFormat
from reconciler.render.text import name, sentence


def report_values(report: Report, figures: NumberFormat) -> Json:
    return {
        "environments": [_environment(one, figures) for one in report.environments],
        "promotions": [_promotion(one) for one in report.promotions],
    }


def _environment(one: EnvironmentReport, figures: NumberFormat) -> Json:
    return {
        "environment": name(one.environment),
        "endpoint": one.endpoint.value,
        "made_at": time(one.made_at),
        "since": one.since.isoformat(),
        "serial": one.serial,
        "audiences": [_audience(audience, figures) for audience in one.audiences],
        "runs": [_run(run, figures) for run in one.runs],
        "approvals": [_approval(approval) for approval in one.approvals],
    }


def _audience(one: AudienceReport, figures: NumberFormat) -> Json:
    found = one.verification.verification if one.verification else None
    return {
        "address": name(str(one.address)),
        "title": name(one.title) or None,
        "usability": one.usability.value,
        "members": known_count(one.size, figures),
        "rejected": counted(one.rejected, figures),
        "computing_until": time(one.computing_until),
        "verified_at": time(found.at) if found else None,
        "definition_changed": one.definition_changed,
        "days": [_day(day, figures) for day in one.days],
    }


def _day(day: SeriesDay, figures: NumberFormat) -> Json:
    known = day.matched is not None and day.arrived
    return {
        "day": day.day.isoformat(),
        "members": known_count(day.size, figures),
        "adds": known_count(day.adds, figures),
        "removes": known_count(day.removes, figures),
        "rejected": counted(day.rejected, figures),
        "arrived": known_count(day.arrived, figures),
        "matched": known_count(day.matched, figures),
        "match_rate": share(day.matched or 0, day.arrived or 0, figures) if known else None,
    }


def _run(run: RunReport, figures: NumberFormat) -> Json:
    return {
        "at": time(run.at),
        "kind": run.kind.value,
        "addresses": run.addresses,
        "adds": counted(run.adds, figures),
        "removes": counted(run.removes, figures),
    }


def _approval(one: ApprovalRecord) -> Json:
    return {"digest": name(one.digest), "started_at": time(one.started_at)}


def _promotion(one: PromotionReport) -> Json:
    return {
        "source": name(one.source),
        "target": name(one.target),
        "problem": sentence(one.problem) or None,
        "differences": difference_values(one.differences, one.proofs),
    }
