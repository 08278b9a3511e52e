"""Append the points of a run to the series beside the state."""

from contextlib import suppress

from reconciler.core.errors import StorageError
from reconciler.core.ports import StateWriter
from reconciler.core.series import SeriesRun, appended, month_of


def store_points(state: StateWriter, run: SeriesRun) -> None:
    """Append a run with points to its month.

    Does nothing if the state can't take it: lost points change nothing else.
    """
    if run.points:
        with suppress(StorageError):
            state.write_series(appended(state.series(month_of(run.at)), run))
