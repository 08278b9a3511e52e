"""Execute a plan: save the intent, send the request, save the result. It makes no decisions."""

from reconciler.apply.job_groups import RunJobs
from reconciler.apply.recorder import ApplyContext
from reconciler.apply.run import Report, apply
from reconciler.apply.worker_pool import run_concurrently

__all__ = ["ApplyContext", "Report", "RunJobs", "apply", "run_concurrently"]
