"""Write the generated regions of docs/reference, from click, the error tree and the schemas.

python -m tools.reference            write them
python -m tools.reference --check    exit 1 if a page is out of date
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from reconciler import cli
from reconciler.core import errors
from tools.schema_tables import Key, keys, load, outputs, resolved

PAGES = Path(__file__).parent.parent / "docs" / "reference"
REGION = re.compile(r"(<!-- generated: ([\w: -]+) -->\n).*?(<!-- end of generated -->)", re.DOTALL)

OTHER_CODES = {
    0: ("done", "The command succeeded."),
    2: ("changes", "`plan --detailed-exitcode` found changes, or `drift` found drift."),
    64: ("usage", "The command line is wrong."),
}
"""Exit codes that are no error of the tree."""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def commands() -> str:
    return "\n".join(_command(path, command) for path, command in every_command())


def every_command() -> Iterator[tuple[str, click.Command]]:
    """Yield every command that is not a group, by its full name."""
    context = click.Context(cli.group)
    for name in cli.COMMANDS:
        if command := cli.group.get_command(context, name):
            yield from _leaves(name, command)


def _leaves(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        if sub := command.get_command(context, name):
            yield from _leaves(f"{path} {name}", sub)


def _command(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"reconciler {path}")
    usage = " ".join(command.get_usage(context).removeprefix("Usage: ").split())
    own = [one for one in command.params if isinstance(one, click.Option) and _flags(one) not in _shared()]
    options = f"\n{table(('option', 'meaning'), map(_option, own))}" if own else ""
    return f"### `reconciler {path}`\n\n```text\n{usage}\n```\n\n{_prose(command.help or '')}\n{options}"


def _prose(text: str) -> str:
    """Return a help text as Markdown: `\\b` marks a paragraph whose lines are kept."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(
        f"```text\n{inspect.cleandoc(one.removeprefix(chr(8)))}\n```"
        if one.startswith("\b")
        else " ".join(one.split())
        for one in paragraphs
    )


def _option(option: click.Option) -> tuple[str, str]:
    context = click.Context(click.Command("none"))
    value = "" if option.is_flag else f" {option.make_metavar(context)}"
    name = ", ".join(f"`{flag}{value}`" for flag in (*option.opts, *option.secondary_opts))
    default = f" Default `{option.default}`." if option.show_default else ""
    return name, f"{option.help}{' Required.' if option.required else ''}{default}"


def _flags(option: click.Option) -> tuple[str, ...]:
    return tuple(option.opts)


def _shared() -> set[tuple[str, ...]]:
    return {_flags(one) for one in cli.group.params if isinstance(one, click.Option)}


def shared_options() -> str:
    found = [one for one in cli.group.params if isinstance(one, click.Option)]
    return table(("option", "meaning"), map(_option, found))


def exit_codes() -> str:
    tree = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.ReconcilerError)
    ]
    rows = [(one.exit_code, _words(one), _first_paragraph(one)) for one in tree]
    rows += [(code, *rest) for code, rest in OTHER_CODES.items()]
    return table(
        ("code", "error", "meaning"),
        ((str(code), *rest) for code, *rest in sorted(rows, key=lambda row: row[0])),
    )


def _words(error: type[errors.ReconcilerError]) -> str:
    """Return the words of a name: `PartialApplyError` is "partial apply"."""
    if error is errors.ReconcilerError:
        return "bug"
    return re.sub(r"(?<!^)(?=[A-Z])", " ", error.__name__.removesuffix("Error")).lower()


def _first_paragraph(error: type[Exception]) -> str:
    return " ".join((inspect.getdoc(error) or "").partition("\n\n")[0].split())


def manifest(kind: str) -> Callable[[], str]:
    file = f"{kind.lower()}.schema.json"
    return lambda: _keys(keys(load(file), file))


def _keys(found: Iterable[Key]) -> str:
    return table(
        ("key", "", "type", "meaning"),
        ((f"`{one.path}`", "required" * one.required, one.type, one.description) for one in found),
    )


def envelope() -> str:
    return _keys(keys(load("event.schema.json"), "event.schema.json"))


def events() -> str:
    file = "event.schema.json"
    schema = load(file)
    types = [resolved(one, file)[0] for one in schema["oneOf"]]
    return "\n".join(
        f"### `{one['properties']['type']['const']}`\n\n{one['description']}\n\n{_keys(keys(one, file))}"
        for one in types
    )


def plan() -> str:
    return _keys(keys(load("plan.schema.json"), "plan.schema.json"))


def json_output() -> str:
    """Return a table of keys for each command with its own JSON; the keys of errors follow once."""
    parts = [(load(file)["title"], load(file)["description"], keys(load(file), file)) for file in outputs()]
    shared = "output/common.schema.json"
    error = load(shared)["$defs"]["error"]
    parts.append(("Error", "Keys of `error` in each document.", keys(error["oneOf"][1], shared)))
    return "\n".join(
        f"### {title}\n\n{about}\n\n{_keys(one for one in found if not one.path.startswith('error.'))}"
        for title, about, found in parts
    )


REGIONS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "options of every command": shared_options,
    "exit codes": exit_codes,
    "keys of every event": envelope,
    "events": events,
    "plan": plan,
    "json output": json_output,
    **{
        f"keys of {kind}": manifest(kind)
        for kind in (
            "Environment",
            "Credential",
            "Connection",
            "Destination",
            "Audience",
            "Moved",
            "Removed",
            "Adopt",
            "Override",
        )
    },
}


def written(page: str) -> str:
    """Return a page with each of its regions generated."""
    return REGION.sub(lambda found: f"{found[1]}\n{REGIONS[found[2]]()}\n{found[3]}", page)


def main() -> int:
    outdated = []
    for path in sorted(PAGES.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if (new := written(text)) != text:
            outdated.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(new, encoding="utf-8")
    if outdated and "--check" in sys.argv:
        print(f"out of date, run `make docs`: {', '.join(outdated)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
