"""The error that ended a command, for saved and printed documents."""

import click

from reconciler.core.errors import CancelledError, ReconcilerError
from reconciler.system_errors import known_error


def as_known(error: BaseException) -> ReconcilerError:
    """Return the error as one of ours, without the text of a foreign exception."""
    if isinstance(error, click.exceptions.Abort):
        return CancelledError("cancelled")
    return known_error(error) or ReconcilerError(
        "a bug in reconciler", remedy="the log says where; nothing is lost: run again, and please report it"
    )
