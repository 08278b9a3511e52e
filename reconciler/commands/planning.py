"""What `plan`, `apply` and `explain` share: observe once, decide once."""

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console

from reconciler.commands.options import selected
from reconciler.core.plan import Observed, Plan
from reconciler.core.planner import plan
from reconciler.core.ports import MemberEngine, StateReader
from reconciler.observe import observe
from reconciler.render.terminal import console
from reconciler.settings import Settings
from reconciler.wiring import Workspace


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what apply needs beside it."""

    plan: Plan
    observed: Observed
    engine: MemberEngine


def make_plan(
    space: Workspace, state: StateReader, only: tuple[str, ...], progress: Callable[[str], None]
) -> Planned:
    """Reads everything once and decides."""
    addresses = selected(only, space.addresses(state))
    engine = space.engine(state)
    observed = observe(space.desired, addresses, space.readers(), state, engine, space.clock, progress)
    return Planned(plan(space.desired, observed, addresses), observed, engine)


def consoles(settings: Settings) -> tuple[Console, Console]:
    """Results go to standard output; progress, waits and errors to standard error."""
    if settings.verbose:
        logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
        logging.getLogger("reconciler").setLevel(logging.DEBUG)
    return console(sys.stdout, settings.colour), console(sys.stderr, settings.colour)


def stop_event(context_object: object) -> threading.Event:
    """Set by the first SIGINT or SIGTERM."""
    if not isinstance(context_object, threading.Event):
        raise TypeError("the command line passes the stop event")
    return context_object
