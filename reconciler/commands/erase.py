"""`erase`: removes persons from segments, the state and its saved versions, and keeps them away."""

import secrets
from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.audited import AuditedRun, Caller, locked
from reconciler.commands.support.console import CommandConsole, screen
from reconciler.commands.support.erasing import carry_out_erasure
from reconciler.commands.support.identifier_input import read_lines
from reconciler.commands.support.json_output import JsonOutput, json_output
from reconciler.commands.support.options import (
    ActorName,
    AsJson,
    CommonOptions,
    Environment,
    Yes,
    stop_event,
    with_options,
)
from reconciler.core.audit.model import RunCommand
from reconciler.core.erasure import KEY_LENGTH, ErasureList, rotated
from reconciler.core.errors import ConfigurationError, PartialApplyError
from reconciler.core.ports import StateReader, StateWriter
from reconciler.core.role_choice import WRITING
from reconciler.manifests import load_without_sources
from reconciler.operations.erase_people import ErasurePlan, plan_erasure
from reconciler.operations.find_people import countries_of
from reconciler.render.json.erasure import erasure_values
from reconciler.render.json.values import DocumentKind
from reconciler.render.numbers import NumberFormat
from reconciler.render.terminal.erasure import print_erasure
from reconciler.workspace import Workspace, open_workspace


@dataclass(frozen=True, slots=True)
class EraseOptions:
    """The environment, and whether to write."""

    environment: Environment
    plan_only: Annotated[
        bool,
        click.option("--plan", "plan_only", is_flag=True, help="Show what would be erased; write nothing."),
    ]
    rotate_key: Annotated[
        bool,
        click.option(
            "--rotate-key",
            is_flag=True,
            help="Put a new key on the erasure list; read no input, and erase nothing.",
        ),
    ]
    yes: Yes
    actor: ActorName
    as_json: AsJson
    common: CommonOptions


@click.command(name="erase")
@with_options(EraseOptions)
@click.pass_obj
def command(stop: object, /, options: EraseOptions) -> None:
    """Erase identifiers: from segments at Criteo, from the state and from its saved versions.

    Reads identifiers from standard input, one on each line, as `find` does. Their digests, and those of other
    identifiers in the same rows of the sources, stay on a list: no plan sends them again. No guard stops an
    erasure. An interrupted erasure resumes on the next run, also without input, or
    with the next apply.

    \b
    Example:
      reconciler erase production --plan < request.txt
      reconciler erase production --yes --json < request.txt > certificate.json
    """
    if not (options.yes or options.plan_only):
        raise click.UsageError("Standard input holds the identifiers: pass --plan to look, then --yes.")
    settings = options.common.settings()
    shown, asked = screen(settings, taken=options.as_json), stop_event(stop)
    caller = Caller.of(RunCommand.ERASE, settings, options.actor)
    name = options.environment
    with (
        json_output(DocumentKind.ERASE, wanted=options.as_json) as page,
        open_workspace(settings, name, asked, shown.progress, WRITING, load_without_sources) as space,
    ):
        lines = [] if options.rotate_key else read_lines()  # before the lock: input may come slowly
        if options.plan_only:
            planned = _planned(space, space.store.reader(), lines)
            _show(space, planned, shown, page, options)
            shown.out.print("Nothing was written. Pass --yes instead of --plan to erase.")
            return
        if not options.rotate_key:
            _require_work(space.store.reader(), lines)
        with locked(space, caller) as (state, entry):
            if options.rotate_key:
                _rotate(name, state)
                return
            _erase(space, state, entry, lines, shown, page, options)


def _require_work(state: StateReader, lines: list[str]) -> None:
    """Refuse blank input before the lock, unless an erasure is to be resumed."""
    if not any(line.strip() for line in lines) and not state.erasures().is_pending:
        raise _no_identifier()


def _no_identifier() -> ConfigurationError:
    return ConfigurationError(
        "standard input has no usable identifier", remedy="write one identifier on each line"
    )


def _rotate(environment: str, state: StateWriter) -> None:
    before = state.erasures()
    if not before:
        raise ConfigurationError(f"{environment} has no erasure list", remedy="`reconciler erase` begins it")
    state.write_erasures(rotated(before, secrets.token_bytes(KEY_LENGTH)))
    click.echo(
        f"{environment}: the erasure list has a new key; back up erasure.json and erasure.key", err=True
    )


def _planned(space: Workspace, state: StateReader, lines: list[str]) -> ErasurePlan:
    before = state.erasures()
    if not any(line.strip() for line in lines) and before.is_pending:
        return ErasurePlan(before, space.erasing_engine(state, before), 0)
    keyed = before if before.keys else ErasureList(keys=(secrets.token_bytes(KEY_LENGTH),))
    audiences = space.desired.audiences
    planned = plan_erasure(
        lines,
        countries_of(audiences),
        keyed,
        audiences,
        state,
        lambda erasures: space.erasing_engine(state, erasures),
        space.clock.now(),
    )
    if not planned.erasures.content.requests[-1].lines:
        raise _no_identifier()
    return planned


def _erase(
    space: Workspace,
    state: StateWriter,
    entry: AuditedRun,
    lines: list[str],
    shown: CommandConsole,
    page: JsonOutput,
    options: EraseOptions,
) -> None:
    """The list is stored first: whatever happens then, no plan sends the members again."""
    name = space.desired.environment.name
    with shown.progress:
        planned = _planned(space, state, lines)
    _show(space, planned, shown, page, options)
    space.clock.check()
    with shown.progress:
        result = carry_out_erasure(space, state, entry, planned, shown.progress.emit)
    _show_values(space, planned, result.erasures, page, shown.figures)
    if result.problems:
        raise PartialApplyError(
            f"{name}: the erasure is not complete: the state keeps what is left to remove",
            remedy=f"correct the cause, then run `reconciler erase {name} --yes` again",
            findings=result.problems,
        )
    click.echo(f"{name}: erased; back up erasure.json and erasure.key", err=True)


def _show(
    space: Workspace, planned: ErasurePlan, shown: CommandConsole, page: JsonOutput, options: EraseOptions
) -> None:
    """Pending requests of earlier runs are shown too."""
    pending = [one for one in planned.erasures.content.requests if one.completed_at is None]
    places = [place for one in pending for place in one.places]
    _show_values(space, planned, planned.erasures, page, shown.figures)
    name = options.environment
    print_erasure(name, planned.lines, places, planned.unusable, planned.unread, shown.figures, shown.out)


def _show_values(
    space: Workspace, planned: ErasurePlan, now: ErasureList, page: JsonOutput, figures: NumberFormat
) -> None:
    earlier = [one.requested_at for one in planned.erasures.content.requests if one.completed_at]
    requests = [one for one in now.content.requests if one.requested_at not in earlier]
    page.content = erasure_values(
        space.desired.environment.name,
        requests,
        planned.lines,
        planned.unusable,
        planned.unread,
        space.trace_ids(),
        figures,
    )
