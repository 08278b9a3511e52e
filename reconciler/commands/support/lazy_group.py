"""A group that loads a command only when it runs, so that its help loads none."""

from collections.abc import Mapping
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click


class LazyGroup(click.Group):
    """Finds a command as the `command` of a module in `package`; `descriptions` are in the order of help.

    A name that Python reserves has its module with an underscore behind it.
    """

    def __init__(self, *, package: str, descriptions: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._package = package
        self._descriptions = descriptions

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self._descriptions)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 - the same
        if name not in self._descriptions:
            return None
        module = f"{self._package}.{_module(name)}"
        command = import_module(module).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module} has no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(self._descriptions.items()))


def _module(name: str) -> str:
    return f"{name}_" if iskeyword(name) else name
