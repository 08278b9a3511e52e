"""What `doctor` says of the keys that seal snapshots."""

from reconciler.core.doctor.checks import CheckResult
from reconciler.core.doctor.results import failed, ok, warning
from reconciler.core.errors import ReconcilerError
from reconciler.core.state.model import SnapshotSeals


def seals(found: SnapshotSeals | ReconcilerError, environment: str) -> tuple[CheckResult, ...]:
    """Return a result for each key that seals snapshots, and one for plain snapshots if a key is named."""
    if isinstance(found, ReconcilerError):
        return (failed(found),)
    again = f"`reconciler state reseal {environment}`"
    current = found.counts.get(found.current, 0)
    others = sorted((key, count) for key, count in found.counts.items() if key != found.current)
    if not found.current:
        remedy = f"name `snapshotKey` again, or {again} makes them plain"
        return tuple(
            warning(f"sealed, though no `snapshotKey` is named: {_by(*one)}", remedy) for one in others
        )
    plain = (
        warning(f"plain snapshots: {count:,}", f"{again} seals them") for key, count in others if not key
    )
    old = (
        warning(f"sealed with an earlier key: {_by(key, count)}", f"{again} makes that key unnecessary")
        for key, count in others
        if key
    )
    return (ok(f"sealed: {_by(found.current, current)}"), *plain, *old)


def _by(key: str, count: int) -> str:
    return f"{count:,} with key {key}"
