"""The only reader of options and environment variables; all other code receives values."""

import getpass
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.core.audit.model import Actor, ActorSource, is_actor_name
from reconciler.core.errors import ConfigurationError
from reconciler.core.telemetry import SILENT, Telemetry

MEMORY_LIMIT = "RECONCILER_MEMORY_LIMIT"
SIZE = re.compile(r"(6[4-9]|[7-9]\d|[1-9]\d{2,6})MB|[1-9]\d{0,3}GB")
RUN_ADDRESSES = ("CI_JOB_URL", "BUILD_URL")
ACTORS = (
    ("GITHUB_ACTIONS", ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"), ActorSource.GITHUB),
    ("GITLAB_CI", ("GITLAB_USER_LOGIN",), ActorSource.GITLAB),
)
"""The variable that a CI system sets in each job, those that name who started the job, and the system."""
UNNAMED = "unknown"


@dataclass(frozen=True, slots=True)
class Settings:
    """What was said on the command line and around it. `environ` is for secret references only.

    `ci`: output is kept and read by many (the variable CI is set, as all CI systems do). `dumb`: whatever
    shows it knows of no cursor that could be moved. `actor`: who CI says started the job, or the user here.
    """

    directory: Path
    data_root: str | None
    emulate: bool
    quiet: bool
    verbose: bool
    colour: bool | None
    ci: bool
    dumb: bool
    memory_limit: str
    who: str
    actor: Actor
    environ: Mapping[str, str]
    telemetry: Telemetry = SILENT


def read_settings(
    *,
    directory: str | None,
    data_root: str | None,
    emulate: bool,
    quiet: bool,
    verbose: bool,
    no_color: bool,
    telemetry: Telemetry = SILENT,
) -> Settings:
    """Flags win over variables. NO_COLOR counts when it is set and not empty (no-color.org)."""
    environ = os.environ
    return Settings(
        directory=Path(directory) if directory else Path.cwd(),
        data_root=data_root,
        emulate=emulate,
        quiet=quiet,
        verbose=verbose,
        colour=colour_wish(no_color),
        ci=environ.get("CI", "").lower() not in {"", "0", "false"},
        dumb=_is_dumb(),
        memory_limit=_memory_limit(environ.get(MEMORY_LIMIT, "1GB")),
        who=_who(environ),
        actor=_actor(environ),
        environ=environ,
        telemetry=telemetry,
    )


def telemetry_variables() -> Mapping[str, str]:
    """Return the variables from which OpenTelemetry takes its settings, and the context of a trace."""
    return os.environ


def colour_wish(no_color: bool) -> bool | None:
    """Return False for no color, None if the stream decides."""
    return False if no_color or os.environ.get("NO_COLOR") or _is_dumb() else None


def _is_dumb() -> bool:
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}


def repository_on_github() -> Path | None:
    """Where a job of GitHub Actions has checked the repository out; None anywhere else."""
    on_github = os.environ.get("GITHUB_ACTIONS") == "true"
    return Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()) if on_github else None


def _memory_limit(size: str) -> str:
    """Return a size for DuckDB, whose own error names neither the variable nor the fix."""
    if not SIZE.fullmatch(size):
        raise ConfigurationError(
            f"{MEMORY_LIMIT} is not a size that members can be compared in",
            remedy="write a number of MB or GB, at least 64MB, such as 512MB or 2GB",
        )
    return size


def _who(environ: Mapping[str, str]) -> str:
    """Return the holder's signature of a lock: the URL of the CI run, or a user."""
    if run := environ.get("GITHUB_RUN_ID"):
        server, repository = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
        return _without_login(f"{server}/{repository}/actions/runs/{run}")
    for name in RUN_ADDRESSES:
        if environ.get(name):
            return _without_login(environ[name])
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return socket.gethostname()


def _actor(environ: Mapping[str, str]) -> Actor:
    """Return who started the job, as CI says; elsewhere the user of the operating system."""
    for running, names, source in ACTORS:
        if environ.get(running, "").lower() == "true":
            found = next((environ[name] for name in names if environ.get(name)), "")
            return Actor(found if is_actor_name(found) else UNNAMED, source)
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = ""
    return Actor(user if is_actor_name(user) else UNNAMED, ActorSource.MACHINE)


def _without_login(address: str) -> str:
    """Remove user, password, query and fragment: CI systems put tokens there, and others read this."""
    return re.sub(r"//[^/]*@", "//", re.split(r"[?#]", address)[0])
