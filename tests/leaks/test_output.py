"""No output of a command contains an identifier, token or secret, except the state.

Every person, secret and token here is a marker: all output and every file of a command is searched for
each marker in every form. Crashes are in `test_crashes.py`, a Criteo that repeats requests in
`test_api_errors.py`, and consent in `test_consent.py`.
"""

import shutil
from pathlib import Path

import click
import pytest
from leaks.cases import CODES, CONSENTED, FIRST, GIVEN, LOST, LOUDNESS, ODD, OFFLINE
from leaks.injections import LEAKS, chatty, interrupted_soon, known_tokens
from leaks.invalid_inputs import REFUSALS
from leaks.markers import MARKERS
from leaks.project import applied, applied_copy, leak_project, with_issued
from leaks.runner import PERSONAL, LeakRunner

from reconciler import cli

pytestmark = pytest.mark.promise("private")

ROWS = {**OFFLINE, **CONSENTED}


def every_command():
    """Names and commands, as click knows them."""
    for name in cli.COMMANDS:
        command = cli.group.get_command(click.Context(cli.group), name)
        yield from named(name, command)


def named(name, command):
    if isinstance(command, click.Group):
        context = click.Context(command)
        for sub in command.list_commands(context):
            yield from named(f"{name} {sub}", command.get_command(context, sub))
    else:
        yield name, command


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    return applied(tmp_path_factory.getbasetemp())


@pytest.fixture
def runner(tmp_path, template) -> LeakRunner:
    return applied_copy(tmp_path, template)


def silent(runner):
    assert runner.leaks() == set()
    assert runner.open_to_others() == []


def test_every_command_and_every_option_has_a_row():
    commands = dict(every_command())
    assert set(commands) == set(ROWS)
    for name, command in commands.items():
        said = {word for row in (*ROWS[name], *LOUDNESS) for word in row}
        for option in (one for one in command.params if isinstance(one, click.Option)):
            assert said & set(option.opts), (name, option.name)


def test_places_of_members_are_documented():
    documented = Path("docs/reference/state-layout.md").read_text(encoding="utf-8")
    assert all(f"`{home}" in documented or f"\n{home}" in documented for home in PERSONAL if home[0] == ".")


@pytest.mark.parametrize("name", OFFLINE)
def test_in_success(runner, name):
    injections = (known_tokens, chatty, *((interrupted_soon,) if name == "emulator serve" else ()))
    first, *others = OFFLINE[name]
    runs = [*((*first, *one) for one in LOUDNESS), *((*one, "-v") for one in others)]
    if name in FIRST:
        runner.run(*FIRST[name], injections=injections)
    for arguments in runs:
        if name in LOST:
            shutil.rmtree(runner.folder / ".reconciler" / "state", ignore_errors=True)
        ended = runner.run(*arguments, injections=injections, given=GIVEN.get(name, ""))
        odd = [code for option, code in ODD.items() if option in arguments]
        assert ended.code == (*odd, CODES.get(name, 0))[0], ended.text
    runner.run(*first, "-v", injections=injections, terminal=True)
    silent(runner)
    assert runner.kept_in_state() == set()


@pytest.mark.parametrize("case", REFUSALS)
def test_in_a_refusal(runner, case):
    row = REFUSALS[case]
    row.corrupt(runner)
    codes = set()
    for command in row.commands:
        terminal = command is row.commands[-1]
        ended = runner.run(*command, injections=(known_tokens, chatty), terminal=terminal, **row.environ)
        codes.add(ended.code)
        assert ended.code != 1, ended.text
        assert "This is a bug" not in ended.text
    assert row.code in codes
    silent(runner)


def test_a_state_that_is_not_sealed_is_found(tmp_path):
    """The project of these tests names a `snapshotKey`."""
    runner = leak_project(tmp_path)
    manifest = runner.folder / "environments" / "sandbox" / "environment.yaml"
    manifest.write_text(manifest.read_text().replace(', snapshotKey: "env:RECONCILER_SNAPSHOT_KEY"', ""))
    runner.run("apply", "sandbox", "--yes")
    assert any(
        "a person in project/.reconciler/state/sandbox/snapshots/" in one for one in runner.kept_in_state()
    )


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_found(tmp_path, leak):
    """A search that finds nothing proves nothing, unless it finds what is there."""
    injection, found = LEAKS[leak]
    runner = leak_project(tmp_path)
    runner.run("apply", "sandbox", "--yes", "-v", injections=(known_tokens, injection))
    runner.markers = with_issued(MARKERS, tmp_path)
    assert any(one.startswith(found) for one in runner.leaks()), runner.leaks()
