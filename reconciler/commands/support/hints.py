"""Hints for options and commands that do not exist here, or belong to another command."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import click

_SELECT = "`--only` selects an address, an audience or a glob"
_YES = "`--yes` skips the confirmation"
_PLAN = "`reconciler plan ENV` shows what would change, and writes nothing"
_ENVIRONMENT = "name the environment after the command, as in `reconciler plan sandbox`"
_MANIFESTS = "manifests are read from `environments/ENV/` of the project; `-C DIR` names another project"
_NO_VARIABLES = (
    "manifests have no variables: what differs between environments is in their `environment.yaml`"
)
_SAVE = "`--out FILE` saves the result as JSON, and `--json` prints it"
_PACED = "calls are sent as fast as Criteo's rate limit allows, and there is nothing to set"
_STATE = "`state.url` in `environment.yaml` sets the backend of the state"
_LOCK = "the state is always locked; `reconciler state lock list ENV` shows its holder"
_LOG = "`--verbose` logs every call"
_FORGET = (
    "nothing is deleted at Criteo: remove the audience's manifest, and `reconciler apply ENV` forgets it;"
    " its segment stays"
)
_DRIFT = "`reconciler drift ENV` reports changes made outside reconciler"
_REPLACE = "a segment is replaced when its seat, identifier type or hashing changes in the manifests"
_SHOW = "`reconciler state show ENV` lists addresses and sizes, `reconciler status ENV` when they are live"
_CHECK = "`reconciler validate` checks manifests, `reconciler doctor ENV` the connection to Criteo"
_EXPORT = "`reconciler state export ENV FILE` and `reconciler state import ENV FILE` move a state"
_APPLY = "`reconciler apply ENV` plans, asks, and applies"

OPTIONS: Mapping[str, str] = {
    "--approve": _YES,
    "--assume-yes": _YES,
    "--auto-approve": _YES,
    "--backend-config": _STATE,
    "--chdir": "`-C DIR` runs as if started in DIR",
    "--concurrency": _PACED,
    "--config": _MANIFESTS,
    "--cwd": "`-C DIR` runs as if started in DIR",
    "--debug": _LOG,
    "--destroy": _FORGET,
    "--directory": "`-C DIR` runs as if started in DIR",
    "--dry-run": _PLAN,
    "--env": _ENVIRONMENT,
    "--environment": _ENVIRONMENT,
    "--exclude": _SELECT,
    "--file": _MANIFESTS,
    "--force": _YES,
    "--format": _SAVE,
    "--input": _YES,
    "--jobs": _PACED,
    "--lock": _LOCK,
    "--lock-timeout": _LOCK,
    "--log-level": _LOG,
    "--no-input": _YES,
    "--non-interactive": _YES,
    "--output": _SAVE,
    "--parallelism": _PACED,
    "--profile": _ENVIRONMENT,
    "--refresh-only": _DRIFT,
    "--silent": "`--quiet` prints results only",
    "--state": _STATE,
    "--target": _SELECT,
    "--var": _NO_VARIABLES,
    "--var-file": _NO_VARIABLES,
    "--workspace": _ENVIRONMENT,
    "-e": _ENVIRONMENT,
    "-f": _MANIFESTS,
    "-o": _SAVE,
    "-t": _SELECT,
}
"""By what other tools call it."""

COMMANDS: Mapping[str, str] = {
    "check": _CHECK,
    "create": "`reconciler init DIR` makes a repository",
    "delete": _FORGET,
    "deploy": _APPLY,
    "destroy": _FORGET,
    "down": _FORGET,
    "env": "environments are the folders below `environments/`: " + _ENVIRONMENT,
    "fmt": "manifests have no formatter; `reconciler validate` checks them",
    "force-unlock": "`reconciler state lock break ENV` releases the lock of a dead run",
    "format": "manifests have no formatter; `reconciler validate` checks them",
    "get": _SHOW,
    "help": "`reconciler --help` lists commands, `reconciler plan --help` explains one",
    "import": "`reconciler state import ENV FILE` takes in an exported state; for a segment that Criteo has,"
    " see `--adopt` in `reconciler state rebuild --help`",
    "lint": _CHECK,
    "list": _SHOW,
    "ls": _SHOW,
    "new": "`reconciler init DIR` makes a repository",
    "output": _SHOW,
    "preview": _PLAN,
    "push": _APPLY,
    "refresh": "`reconciler apply ENV --members-only` sends members only; " + _DRIFT,
    "remove": _FORGET,
    "rm": _FORGET,
    "rollback": "`reconciler state restore ENV --serial N` returns to a state version; for manifests,"
    " revert the merge",
    "run": _APPLY,
    "state force-unlock": "`reconciler state lock break ENV` releases the lock of a dead run",
    "state list": _SHOW,
    "state ls": _SHOW,
    "state mv": "an address is `destination/audience`, and its state stays with that name",
    "state pull": _EXPORT,
    "state push": _EXPORT,
    "state rm": _FORGET,
    "state unlock": "`reconciler state lock break ENV` releases the lock of a dead run",
    "sync": _APPLY,
    "taint": _REPLACE,
    "test": _CHECK,
    "unlock": "`reconciler state lock break ENV` releases the lock of a dead run",
    "up": _APPLY,
    "version": "`reconciler --version` prints the version",
    "workspace": "environments are the folders below `environments/`: " + _ENVIRONMENT,
}
"""By what other tools call it, from the root: `rm`, `state rm`."""

_NAMED = re.compile(r"`(--?[A-Za-z-]+)")


def hint(error: click.UsageError, typed: Sequence[str]) -> str:
    """Return what to type instead; "" if no hint fits. It contains only names of ours."""
    if isinstance(error, click.NoSuchOption) and error.ctx:
        return _of_option(error.option_name, typed, error.ctx)
    if isinstance(error, click.NoSuchCommand) and error.ctx:
        return _of_command(error.command_name, typed, error.ctx)
    return ""


def _of_option(name: str, typed: Sequence[str], context: click.Context) -> str:
    meant = _meant(name, typed)
    if meant in OPTIONS:
        return OPTIONS[meant] + _elsewhere(OPTIONS[meant], context)
    if meant in _options(context.command):
        return f"write `{meant}`, with two dashes"
    return _owners(meant, context)


def _meant(name: str, typed: Sequence[str]) -> str:
    """`-auto-approve` is read as letters, of which `-a` is none: the word it is in is meant."""
    if name.startswith("--"):
        return name
    words = (word.partition("=")[0] for word in typed if word.startswith("-") and word[1:2] != "-")
    return next((f"-{word}" for word in words if len(word) > 2 and name[1:] in word), name)


def _elsewhere(text: str, context: click.Context) -> str:
    """Where an option that is proposed belongs, unless the command has it."""
    proposed = _NAMED.findall(text)
    if not proposed or any(one in _options(context.command) for one in proposed):
        return ""
    return f"; {_owners(proposed[0], context)}"


def _owners(option: str, context: click.Context) -> str:
    """The commands that have an option; "" where none does."""
    owners = [f"`{path}`" for path, command in _every(context.find_root()) if option in _options(command)]
    before = isinstance(context.command, click.Group)
    where = ": write it after the command" if before else ""
    return f"`{option}` is an option of {_listed(owners)}{where}" if owners else ""


def _of_command(name: str, typed: Sequence[str], context: click.Context) -> str:
    group = _path(context)
    if known := COMMANDS.get(" ".join([*group, name])):
        return known
    everywhere = [path for path, _ in _every(context.find_root())]
    if found := [f"`reconciler {path}`" for path in everywhere if path.rpartition(" ")[2] == name]:
        return f"write {_listed(found)}"
    from reconciler.manifests.suggestions import nearest

    commands = context.command.list_commands(context) if isinstance(context.command, click.Group) else []
    if near := nearest(name, commands):
        return f"did you mean `{near}`?"
    later = typed[typed.index(name) + 1 :] if name in typed else []
    first = next((word for word in later if word in commands), "")
    return (
        f"the command comes first, as in `{' '.join(['reconciler', *group, first, 'ENV'])}`" if first else ""
    )


def _path(context: click.Context) -> list[str]:
    """What was typed for a command, without the program."""
    parent = context.parent
    return [*_path(parent), str(context.info_name)] if parent else []


def _options(command: click.Command) -> frozenset[str]:
    options = (one for one in command.params if isinstance(one, click.Option))
    return frozenset(name for one in options for name in (*one.opts, *one.secondary_opts))


def _every(root: click.Context) -> Iterator[tuple[str, click.Command]]:
    """All commands below the root, by what is typed for them."""
    yield from _below(root.command, root, "")


def _below(command: click.Command, context: click.Context, path: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name in command.list_commands(context):
        if one := command.get_command(context, name):
            yield from _below(one, context, f"{path} {name}".strip())


def _listed(items: Iterable[str]) -> str:
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last
