"""`codeowners`: who must approve a change of which file, from `access` in the manifests."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import click

from reconciler.commands.support.annotations import annotate
from reconciler.commands.support.options import CommonOptions, with_options
from reconciler.core.errors import ConfigurationError, Finding, RefusedError
from reconciler.manifests import find_root
from reconciler.manifests.code_owners import manifests, reserved
from reconciler.render.annotations import Level
from reconciler.render.codeowners import NOBODY, OWNER, Owners, block, codeowners

UNOWNED = f"the rules have no owners yet: they name @{NOBODY}, which `init` wrote for you to replace"
TO_OWN = (
    "replace the lines from `# reconciler codeowners …` to the end by the output of `reconciler codeowners"
    " --admins @ORG/TEAM --owners @ORG/TEAM`, with your teams; until then the check only prints this note"
)


class Owner(click.ParamType[str]):
    """`@person` or `@organisation/team`."""

    name = "owner"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not OWNER.fullmatch(str(value)):
            self.fail("write a person or a team, like @acme or @acme/admins", param, ctx)
        return str(value)


Teams = tuple[str, ...]
ADMINS_HELP, OWNERS_HELP = "Owners of admin-only files.", "Owners of all other manifests."


@dataclass(frozen=True, slots=True)
class CodeownersOptions:
    """The owners, or the file to compare."""

    admins: Annotated[
        Teams, click.option("--admins", multiple=True, type=Owner(), metavar="@ORG/TEAM", help=ADMINS_HELP)
    ]
    owners: Annotated[
        Teams, click.option("--owners", multiple=True, type=Owner(), metavar="@ORG/TEAM", help=OWNERS_HELP)
    ]
    check: Annotated[
        str | None, click.option("--check", metavar="FILE", help="Exit 5 unless FILE ends with these rules.")
    ]
    common: CommonOptions


@click.command(name="codeowners")
@with_options(CodeownersOptions)
def command(options: CodeownersOptions) -> None:
    """Print CODEOWNERS rules from the `access` settings of all destinations.

    Admins own environments, credentials, CI, destinations with `access: {adminOnly: true}`, and the
    audiences that are sent there. End CODEOWNERS with the printed rules.

    CI and pre-commit run --check. It compares FILE with the manifests, for the owners in the first line of
    the rules. While these owners are the placeholders of `init`, --check only prints a note.
    """
    directory = options.common.settings().directory
    root = find_root(directory)
    if options.check:
        _check(root, directory, options.check)
    elif options.admins:
        owners = Owners(options.admins, options.owners)
        click.echo(codeowners(manifests(root), reserved(root), owners), nl=False)
    else:
        raise click.UsageError("name the owners with --admins, or a file with --check")


def _note(finding: Finding, directory: Path) -> None:
    click.echo(f"Note: {finding.problem}\n→ {finding.remedy}", err=True)
    annotate([finding], directory, Level.WARNING)


def _content(path: Path) -> str:
    """ConfigurationError for what can't be read, or is not a regular file: a pipe may never answer."""
    unreadable = ConfigurationError("the file named by --check can't be read", remedy="name a text file")
    if not path.is_file():
        raise unreadable
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise unreadable from None


def _check(root: Path, directory: Path, file: str) -> None:
    found = block(_content(directory / file))
    if not found or not found.owners.admins:
        raise RefusedError(
            "this file has no rules of reconciler",
            remedy="end it with what `reconciler codeowners --admins @ORG/TEAM` prints",
        )
    if found.owners.unwritten:
        _note(Finding(f"{file}:{found.line}:1", UNOWNED, TO_OWN), directory)
        return
    if not found.last:
        raise RefusedError(
            "rules come after those of reconciler, and the last rule that matches counts",
            remedy="move them before the line `# reconciler codeowners …`",
        )
    if found.text != codeowners(manifests(root), reserved(root), found.owners):
        raise RefusedError(
            "CODEOWNERS is not what the manifests ask for",
            remedy=f"end it with what `{found.owners}` prints",
        )
