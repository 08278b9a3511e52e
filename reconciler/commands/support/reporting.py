"""Reads what a report needs: manifests, states and promotion locks. Nothing is asked of Criteo."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from reconciler.clock import StopSignal
from reconciler.commands.support.console import CommandConsole
from reconciler.commands.support.promoting import proofs_for_display
from reconciler.core.desired_state import DesiredState
from reconciler.core.endpoints import endpoint_kind
from reconciler.core.promotion.differences import compare
from reconciler.core.report import (
    EnvironmentReport,
    PromotionReport,
    Report,
    ReportedState,
    environment_report,
)
from reconciler.core.series import newest_months, runs_of
from reconciler.core.verification import kept_verifications
from reconciler.manifests import find_root, load_without_sources
from reconciler.manifests.promotion_lock import promotion_record
from reconciler.settings import Settings
from reconciler.workspace import open_workspace

MONTHS = 4
"""Months whose points are read: 90 days touch at most four."""


def make_report(
    settings: Settings, environments: Sequence[str], stop: StopSignal, shown: CommandConsole
) -> Report:
    """Return the report of environments. A state that can't be read is an error."""
    root = find_root(settings.directory)
    found = tuple(_environment(settings, name, stop, shown) for name in environments)
    promotions = (_promotions(settings, root, name, stop, shown) for name in environments)
    return Report(found, tuple(one for several in promotions for one in several))


def _environment(
    settings: Settings, environment: str, stop: StopSignal, shown: CommandConsole
) -> EnvironmentReport:
    with open_workspace(settings, environment, stop, shown.progress, read=load_without_sources) as space:
        reader, now, desired = space.store.reader(), space.clock.now(), space.desired
        state = ReportedState(
            head=reader.head(),
            resources=reader.resources(),
            verified=kept_verifications(reader.verifications(), desired.segments),
            runs=runs_of(reader.series(month) for month in newest_months(now, MONTHS)),
        )
        endpoint = endpoint_kind(desired.environment.api)
        return environment_report(environment, endpoint, desired.segments, state, now)


def _promotions(
    settings: Settings, root: Path, target: str, stop: StopSignal, shown: CommandConsole
) -> Iterator[PromotionReport]:
    """Yield how an environment differs from the one that is promoted to it, if it has a lock or gates."""
    here, record = load_without_sources(root, target), promotion_record(root, target)
    gate = here.environment.promotion
    source = record.lock.source if record.lock else gate.source if gate else ""
    if not source or not _is_environment(root, source):
        return
    there: DesiredState = load_without_sources(root, source)
    proofs = proofs_for_display(settings, source, there.segments, stop, shown)
    differences = compare(there.segments, here.segments, record.lock, gate)
    yield PromotionReport(source, target, differences, proofs, record.problem)


def _is_environment(root: Path, name: str) -> bool:
    return (root / "environments" / name).is_dir()
