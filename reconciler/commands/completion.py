"""`completion`: the script that makes a shell complete what is typed."""

from dataclasses import dataclass
from typing import Annotated

import click
from click.shell_completion import get_completion_class

from reconciler.commands.support.options import CommonOptions, with_options

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_RECONCILER_COMPLETE"


@dataclass(frozen=True, slots=True)
class CompletionOptions:
    """Which shell."""

    shell: Annotated[str, click.argument("shell", type=click.Choice(SHELLS))]
    common: CommonOptions


@click.command(name="completion")
@with_options(CompletionOptions)
@click.pass_context
def command(ctx: click.Context, /, options: CompletionOptions) -> None:
    """Print the completion script for your shell. It completes names from the manifests, offline.

    \b
      bash   reconciler completion bash > ~/.local/share/bash-completion/completions/reconciler
      zsh    reconciler completion zsh > "${fpath[1]}/_reconciler"
      fish   reconciler completion fish > ~/.config/fish/completions/reconciler.fish
    """
    completion = get_completion_class(options.shell)
    if completion is None:
        raise TypeError("click completes these shells")
    click.echo(completion(ctx.find_root().command, {}, "reconciler", VARIABLE).source())
