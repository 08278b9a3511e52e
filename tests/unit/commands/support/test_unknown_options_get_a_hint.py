"""An option or a command of another tool, or in a wrong place, gets a hint."""

import re

import click
import pytest
from click.testing import CliRunner

from reconciler.cli import group
from reconciler.clock import StopSignal
from reconciler.commands.support.hints import COMMANDS, OPTIONS, hint

ROOT = click.Context(group, info_name="reconciler")


def hinted(*typed: str) -> str:
    """What is proposed for a command line that click refuses."""
    with pytest.raises(click.UsageError) as refused:
        group.main([*typed], standalone_mode=False, obj=StopSignal(), prog_name="reconciler")
    return hint(refused.value, typed)


def every(command: click.Command = group, path: str = "") -> dict[str, click.Command]:
    if not isinstance(command, click.Group):
        return {path: command}
    found: dict[str, click.Command] = {}
    for name in command.list_commands(ROOT):
        one = command.get_command(ROOT, name)
        assert one
        found |= every(one, f"{path} {name}".strip())
    return found


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [
        ("plan sandbox --target=email/buyers", "`--only`"),
        ("plan sandbox -target=email/buyers", "`--only`"),
        ("plan sandbox -t email/buyers", "`--only`"),
        ("apply sandbox --auto-approve", "`--yes`"),
        ("apply sandbox -auto-approve", "`--yes`"),
        ("apply sandbox -input=false", "`--yes`"),
        ("apply sandbox --dry-run", "`reconciler plan ENV`"),
        ("plan sandbox --refresh-only", "`reconciler drift ENV`"),
        ("plan sandbox -refresh-only", "`reconciler drift ENV`"),
        ("plan sandbox -var region=eu", "manifests have no variables"),
        ("plan sandbox -var-file=prod.tfvars", "manifests have no variables"),
        ("plan sandbox -chdir=x", "`-C DIR`"),
        ("-chdir=x plan sandbox", "`-C DIR`"),
        ("plan --env sandbox", "`reconciler plan sandbox`"),
        ("plan -e sandbox", "`reconciler plan sandbox`"),
        ("apply sandbox -parallelism=4", "rate limit"),
        ("plan sandbox -out plan.json", "write `--out`, with two dashes"),
        ("plan sandbox -only email/buyers", "write `--only`, with two dashes"),
        ("plan sandbox -quiet", "write `--quiet`, with two dashes"),
        ("plan sandbox --yes", "`--yes` is an option of `apply`"),
        ("validate --target x", "`--only` is an option of `plan`, `apply`"),
        ("validate --auto-approve", "; `--yes` is an option of `apply`"),
        ("--json plan sandbox", "`--json` is an option of `validate`, `doctor`, `plan`"),
        ("--json plan sandbox", ": write it after the command"),
        ("state --serial 3 restore sandbox", "`--serial` is an option of `state restore`"),
    ],
)
def test_an_option(typed: str, proposed: str):
    assert proposed in hinted(*typed.split())


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [
        ("destroy sandbox", "nothing is deleted at Criteo"),
        ("import sandbox x", "`--adopt`"),
        ("fmt", "`reconciler validate`"),
        ("refresh sandbox", "`reconciler apply ENV --members-only`"),
        ("restore sandbox", "write `reconciler state restore`"),
        ("login sandbox", "write `reconciler auth login`"),
        ("advance sandbox 1d", "write `reconciler emulator advance`"),
        ("list", "`reconciler state show ENV`"),
        ("state rm email/buyers", "nothing is deleted at Criteo"),
        ("state pull", "`reconciler state export ENV FILE`"),
        ("state lock release sandbox", ""),
        ("plam sandbox", "did you mean `plan`?"),
        ("state shwo sandbox", "did you mean `show`?"),
        ("sandbox plan", "the command comes first, as in `reconciler plan ENV`"),
        ("state sandbox history", "the command comes first, as in `reconciler state history ENV`"),
        ("frobnicate", ""),
    ],
)
def test_a_command(typed: str, proposed: str):
    said = hinted(*typed.split())
    assert proposed in said
    assert bool(proposed) is bool(said)


def test_what_is_proposed_exists():
    commands = every()
    options = {name for one in (*commands.values(), group) for opt in one.params for name in opt.opts}
    for text in (*OPTIONS.values(), *COMMANDS.values()):
        for quoted in re.findall(r"`([^`]+)`", text):
            for option in re.findall(r"(?<!\S)--?[A-Za-z-]+", quoted):
                assert option in options or option in {"--help", "--version"}, text
            if quoted.startswith("reconciler ") and not quoted.startswith("reconciler --"):
                words = [word for word in quoted.split()[1:] if word.islower() and not word.startswith("-")]
                assert any(" ".join(words[:length]) in commands for length in (1, 2, 3)), text


def test_own_names_have_no_hint():
    commands = every()
    ours = {name for one in commands.values() for opt in one.params for name in opt.opts}
    assert not ours & OPTIONS.keys()
    assert not (commands.keys() | set(group.list_commands(ROOT))) & COMMANDS.keys()


@pytest.mark.promise("private")
@pytest.mark.parametrize(
    "typed", ["s3cr3tT0ken plan", "plan --s3cr3tT0ken=x", "plan -s3cr3tT0ken", "-s3cr3t plan"]
)
def test_no_hint_repeats_what_was_typed(typed: str):
    assert "s3cr3t" not in hinted(*typed.split())


def test_other_usage_errors_have_no_hint():
    assert hint(click.UsageError("this is not a terminal"), ["apply"]) == ""
    assert hint(click.NoSuchOption("--target"), ["--target"]) == ""
    assert hint(click.NoSuchCommand("destroy"), ["destroy"]) == ""


def test_help_names_the_options_that_may_stand_before_a_command():
    said = CliRunner().invoke(group, ["--help"]).output
    assert all(option in said for option in ("-C DIR", "--no-color", "--quiet", "--verbose"))
