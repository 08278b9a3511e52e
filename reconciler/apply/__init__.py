"""Carries out a plan: intent, act, receipt. It decides nothing."""

from reconciler.apply.jobs import run_concurrently
from reconciler.apply.ledger import ApplyContext
from reconciler.apply.run import Report, RunJobs, apply

__all__ = ["ApplyContext", "Report", "RunJobs", "apply", "run_concurrently"]
