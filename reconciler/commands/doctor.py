"""`doctor`: tests the connection check by check, and names the fix. It has no way to change a segment."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache, partial
from typing import Annotated

import click

from reconciler.commands.support.audited import Caller, locked
from reconciler.commands.support.console import CommandConsole, screen
from reconciler.commands.support.json_output import json_output
from reconciler.commands.support.options import (
    AsJson,
    CommonOptions,
    DataRoot,
    Emulate,
    Environment,
    stop_event,
    with_options,
)
from reconciler.core.audit.model import RunCommand
from reconciler.core.credential import Credential, CredentialRole
from reconciler.core.database import DatabaseConnection, DatabaseRole
from reconciler.core.doctor.checks import Check, DatabaseLink, exit_code
from reconciler.core.doctor.results import invalid
from reconciler.core.errors import ConfigurationError
from reconciler.core.members import SnapshotRef
from reconciler.core.ports import StateReader
from reconciler.disk.scratch_dir import ScratchDir
from reconciler.manifests import load_without_sources
from reconciler.members.queries.links import DatabaseLinks
from reconciler.members.source_check import Checker, checking_databases
from reconciler.operations.run_checks import DoctorContext, run_checks
from reconciler.render.json.doctor import checkup_values
from reconciler.render.json.values import DocumentKind
from reconciler.render.terminal.doctor import print_checkup
from reconciler.settings import Settings
from reconciler.workspace import Workspace, open_workspace


class Purpose(Enum):
    """Which command the checks are for."""

    PLAN = "plan"
    APPLY = "apply"


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """The checks, and the command that they are for."""

    environment: Environment
    plan: Annotated[bool, click.option("--plan", is_flag=True, help="Check only what `plan` needs.")]
    apply: Annotated[bool, click.option("--apply", is_flag=True, help="Check only what `apply` needs.")]
    as_json: AsJson
    data_root: DataRoot
    emulate: Emulate
    common: CommonOptions

    @property
    def purpose(self) -> Purpose | None:
        """None for both."""
        if self.plan == self.apply:
            return None
        return Purpose.PLAN if self.plan else Purpose.APPLY


@click.command(name="doctor")
@with_options(DoctorOptions)
@click.pass_obj
def command(stop: object, /, options: DoctorOptions) -> int:
    """Check the connection to Criteo step by step, and name the fix for each failed check.

    The command continues after a failure and changes no segment. Warnings exit 0. Otherwise the exit code
    is that of the first failed check: 3 configuration, 4 authentication or consent, 9 Criteo, 10 storage.
    """
    environment = options.environment
    settings = options.common.settings(data_root=options.data_root, emulate=options.emulate)
    shown = screen(settings)
    with (
        json_output(DocumentKind.DOCTOR, wanted=options.as_json) as page,
        ExitStack() as stack,
    ):
        try:
            space = stack.enter_context(
                open_workspace(
                    settings, environment, stop_event(stop), shown.progress, read=load_without_sources
                )
            )
        except ConfigurationError as error:
            checks = invalid(error)
        else:
            with shown.progress:
                checks = _examined(space, stack, settings, shown, options.purpose)
        page.content = checkup_values(environment, checks)
    if not options.as_json:
        print_checkup(environment, checks, shown.out)
    return exit_code(checks)


def _roles(credential: Credential, purpose: Purpose | None) -> tuple[CredentialRole, ...]:
    """A job that plans holds the secrets of one application, one that applies those of the other."""
    match purpose:
        case Purpose.PLAN:
            return (credential.reading,)
        case Purpose.APPLY:
            return (credential.writing,)
        case None:
            return credential.roles()


def _examined(
    space: Workspace, stack: ExitStack, settings: Settings, shown: CommandConsole, purpose: Purpose | None
) -> tuple[Check, ...]:
    def doing(what: str) -> None:
        space.clock.check()
        shown.progress.doing(what)

    access, today = space.access(), space.clock.now().date()

    @cache
    def checker() -> Checker:
        return stack.enter_context(
            checking_databases(space.data(), ScratchDir(space.cache()), space.clock.check, space.databases())
        )

    tools = DoctorContext(
        fetch=access.places.fetch,
        consents=access.consents,
        inspector=space.inspector,
        store=space.store,
        verifier=lambda state: _verifier(space, state),
        databases=lambda: _links(space, purpose),
        sources=lambda audience: checker().wrong([audience], today),
        clock=space.clock,
        hold=partial(locked, space, Caller.of(RunCommand.DOCTOR, settings, None)),
        emulated=space.emulated,
        writes=purpose is not Purpose.PLAN,
    )
    roles = [role for credential in space.used_credentials() for role in _roles(credential, purpose)]
    checks = run_checks(space.desired, roles, tools, doing)
    shown.progress.doing("")
    return checks


def _links(space: Workspace, purpose: Purpose | None) -> Iterator[DatabaseLink]:
    """Look at each link to each database, with the logins that the purpose uses."""
    if not space.desired.connections:
        return
    queries = [one.source.query for one in space.desired.audiences if one.source.query]
    scratch = ScratchDir(space.cache())
    try:
        links = DatabaseLinks(
            space.databases(), queries, space.data().folder, scratch.folder, space.clock.check
        )
        yield from links.of(role for one in space.desired.connections for role in _logins(one, purpose))
    finally:
        scratch.remove()


def _logins(one: DatabaseConnection, purpose: Purpose | None) -> tuple[DatabaseRole, ...]:
    match purpose:
        case Purpose.PLAN:
            return (one.reading,)
        case Purpose.APPLY:
            return (one.writing,)
        case None:
            return one.roles()


@contextmanager
def _verifier(space: Workspace, state: StateReader) -> Iterator[Callable[[SnapshotRef], object]]:
    with space.verifier(state.snapshot_file, state.key()) as verifier:
        yield verifier.file
