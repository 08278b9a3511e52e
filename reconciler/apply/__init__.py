"""Carries out a plan: intent, act, receipt. It decides nothing."""

from reconciler.apply.recorder import ApplyContext
from reconciler.apply.run import Report, RunJobs, apply
from reconciler.apply.worker_pool import run_concurrently

__all__ = ["ApplyContext", "Report", "RunJobs", "apply", "run_concurrently"]
