"""What kills a command's process at the nth call that changes a disk."""

import contextlib
import itertools
import os
import signal

from support.fakes.disk import watched

_for_good = contextlib.ExitStack()


def kill_at(number: int) -> None:
    """Kill this process right before that call."""
    calls = itertools.count(1)
    _for_good.enter_context(
        watched(lambda _: os.kill(os.getpid(), signal.SIGKILL) if next(calls) == number else None)
    )
