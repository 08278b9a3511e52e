"""Carries out a plan: intent, act, receipt. It decides nothing."""

from reconciler.apply.jobs import side_by_side
from reconciler.apply.ledger import Tools
from reconciler.apply.run import Report, RunJobs, apply

__all__ = ["Report", "RunJobs", "Tools", "apply", "side_by_side"]
