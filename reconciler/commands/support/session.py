"""An opened environment, for commands that read no source: there may be none yet."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reconciler.commands.support.console import CommandConsole, screen
from reconciler.commands.support.options import CommonOptions, stop_event
from reconciler.manifests import load_without_sources
from reconciler.settings import Settings
from reconciler.workspace import Workspace, open_workspace


@dataclass(frozen=True, slots=True)
class Session:
    """The inputs of such a command."""

    space: Workspace
    settings: Settings
    shown: CommandConsole


@contextmanager
def open_session(stop: object, environment: str, common: CommonOptions) -> Iterator[Session]:
    settings = common.settings()
    shown = screen(settings)
    asked = stop_event(stop)
    with open_workspace(settings, environment, asked, shown.progress, read=load_without_sources) as space:
        yield Session(space, settings, shown)
