"""What kills a command's process at the nth call that changes a disk, or at the nth batch."""

import contextlib
import itertools
import os
import signal
from unittest import mock

from support.fakes.disk import watched

from reconciler.criteo.client import CriteoWriter

_for_good = contextlib.ExitStack()


def kill_at(number: int) -> None:
    """Kill this process right before that call."""
    calls = itertools.count(1)
    _for_good.enter_context(
        watched(lambda _: os.kill(os.getpid(), signal.SIGKILL) if next(calls) == number else None)
    )


def kill_at_batch(number: int) -> None:
    """Kill this process right before it sends that batch: the transfer is recorded, and not complete."""
    calls, send = itertools.count(1), CriteoWriter.change_members

    def sent(*arguments: object) -> object:
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return send(*arguments)

    _for_good.enter_context(mock.patch.object(CriteoWriter, "change_members", sent))
