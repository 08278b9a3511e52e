"""`init`: a repository that validates and plans at once."""

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import click

from reconciler.commands.codeowners import ADMINS_HELP, OWNERS_HELP, Owner
from reconciler.commands.support.options import CommonOptions, with_options
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.disk.atomic import os_errors
from reconciler.manifests import find_root
from reconciler.manifests.project import repository_of, within_repository
from reconciler.render.codeowners import NOBODY, Owners
from reconciler.scaffold import CiProvider, Sandbox
from reconciler.scaffold import existing_repository as beside
from reconciler.scaffold.github_setup import commands
from reconciler.scaffold.installation import (
    Installation,
    NoOriginError,
    from_git,
    from_index,
    from_wheel,
)

AUTOMATIONS = [one.value for one in CiProvider]
SANDBOXES = [one.value for one in Sandbox]
ENVIRONMENTS, PRODUCTION = "environments", "production"
ADMINS, OWNERS = f"@{NOBODY}/reconciler-admins", f"@{NOBODY}/marketing"


def _print_setup(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    """As --help does: it prints, and nothing else happens."""
    if wanted and not context.resilient_parsing:
        click.echo("\n".join(commands(PRODUCTION)))
        context.exit()


@dataclass(frozen=True, slots=True)
class InitOptions:
    """The directory, the environments' owners, and the CI files and hooks to write."""

    folder: Annotated[str, click.argument("folder", default=".", metavar="[DIR]")]
    ci: Annotated[
        str,
        click.option(
            "--ci",
            default="github",
            type=click.Choice(AUTOMATIONS),
            help="Write workflows for this CI service. Default github.",
        ),
    ]
    sandbox: Annotated[
        str,
        click.option(
            "--sandbox",
            default="emulator",
            type=click.Choice(SANDBOXES),
            help="Where the sandbox sends to: the emulator, or test segments at Criteo. Default emulator.",
        ),
    ]
    admins: Annotated[
        str, click.option("--admins", default=ADMINS, type=Owner(), metavar="@ORG/TEAM", help=ADMINS_HELP)
    ]
    owners: Annotated[
        str, click.option("--owners", default=OWNERS, type=Owner(), metavar="@ORG/TEAM", help=OWNERS_HELP)
    ]
    origin: Annotated[
        str | None,
        click.option(
            "--from",
            "origin",
            metavar="WHEEL|URL@COMMIT",
            help="What jobs and hooks install: a wheel, which is copied, or a commit of a Git repository.",
        ),
    ]
    common: CommonOptions


@click.command(name="init")
@with_options(InitOptions)
@click.option(
    "--github-setup",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_setup,
    help="Print the `gh` commands that set up GitHub for production. Write nothing.",
)
def command(options: InitOptions) -> None:
    """Create a repository in DIR: environments, an audience, example data, schemas, CI, CODEOWNERS.

    Its sandbox plans and applies at once, on an emulator. With --sandbox criteo, it sends a sample of each
    audience to segments at Criteo with a prefix, once you have set its account and buckets. No file is
    overwritten. Existing files such as README.md, .gitignore and CODEOWNERS stay as they are, and the
    command prints what to add to them. If any other file is in the way, the command lists it and writes
    nothing.
    """
    from reconciler.manifests.code_owners import manifests, reserved
    from reconciler.manifests.schema import folder as schemas
    from reconciler.render.codeowners import codeowners
    from reconciler.scaffold.templates import repository

    directory = options.common.settings().directory
    root, automation, sandbox = directory / options.folder, CiProvider(options.ci), Sandbox(options.sandbox)
    installed = _installation(options.origin, directory, root)
    _refuse_a_project(root)
    place = _place_of_owners(root, automation)
    written = repository(automation, schemas(), _today(), installed, sandbox)
    files = beside.placed(written, automation, place)
    guide = _guide(root, files)
    files = beside.guided(files, guide)
    kept = {name: files.pop(name).decode() for name in beside.KEPT if name in files and _is(root / name)}
    files = {name: content for name, content in files.items() if not _holds(root / name, content)}
    _refuse(root, [*files])
    around = _project_around(root)
    for name, content in files.items():
        _write(root / name, content)
    named = Owners((options.admins,), (options.owners,))
    additions = {
        name: [*beside.additions(name, ours, _content(root / name).decode(errors="replace"))]
        for name, ours in kept.items()
    }
    if owned := _is(root / place):
        additions[place] = [f"(echo; {named}) >> {place}"]
    else:
        _write(root / place, codeowners(manifests(root), reserved(root), named).encode())
    _say(options.folder, sandbox, len(files) + (not owned), guide, additions)
    _warn(root, automation, around)


def _installation(origin: str | None, directory: Path, root: Path) -> Installation:
    """UsageError for what can't be installed from."""
    try:
        if origin is None:
            return from_index()
        if "://" in origin:
            return from_git(origin)
        wheel = directory / origin
        return from_wheel(wheel.name, _content(wheel), within_repository(root))
    except NoOriginError as error:
        raise click.UsageError(f"--from: {error}") from None


def _today() -> date:
    return datetime.now(UTC).date()


def _refuse_a_project(root: Path) -> None:
    if os.path.isdir(root / ENVIRONMENTS):  # noqa: PTH112 - False too where the system refuses to look
        raise ConfigurationError(
            f"this is a project already: it has a folder {ENVIRONMENTS}/",
            remedy="continue in it (`reconciler validate`), or choose another folder",
        )


def _place_of_owners(root: Path, automation: CiProvider) -> str:
    """Return the existing CODEOWNERS file that takes effect, if any: a new one could override it."""
    places = beside.OWNED[automation]
    return next((one for one in places if _is(root / one)), places[0])


def _guide(root: Path, files: dict[str, bytes]) -> str:
    there = root / beside.GUIDE
    return beside.OUR_GUIDE if _is(there) and not _holds(there, files[beside.GUIDE]) else beside.GUIDE


def _is(path: Path) -> bool:
    return os.path.lexists(path)


def _holds(path: Path, content: bytes) -> bool:
    """Return whether the file exists with the content to write."""
    return _is(path) and _content(path) == content


def _content(path: Path) -> bytes:
    """Return the content of a regular file; nothing of a pipe, which would block."""
    with os_errors("read", path):
        return path.read_bytes() if path.is_file() else b""


def _project_around(root: Path) -> Path | None:
    try:
        return find_root(root)
    except (ConfigurationError, OSError):
        return None


def _refuse(root: Path, names: list[str]) -> None:
    with os_errors("look at", root):
        findings = [*_no_folders(root, names), *_there(root, names)]
    if findings:
        raise ConfigurationError(
            "files are in the way, and nothing was written",
            remedy="choose an empty folder, or move them away",
            findings=findings,
        )


def _no_folders(root: Path, names: list[str]) -> Iterator[Finding]:
    """Raise an error if a file exists where a folder is needed."""
    needed = {root, *root.parents} | {folder for name in names for folder in (root / name).parents}
    for folder in sorted(needed):
        if os.path.lexists(folder) and not folder.is_dir():
            where = folder.relative_to(root) if folder.is_relative_to(root) and folder != root else folder
            yield Finding(str(where), "it is no folder")


def _there(root: Path, names: list[str]) -> Iterator[Finding]:
    for name in sorted(names):
        if os.path.lexists(root / name):
            yield Finding(name, "it is there already")


def _write(path: Path, content: bytes) -> None:
    with os_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


_TRY = {
    Sandbox.EMULATOR: ("reconciler plan sandbox", "reconciler apply sandbox"),
    Sandbox.CRITEO: ("reconciler plan sandbox --emulate --data-root data",),
}


def _say(folder: str, sandbox: Sandbox, count: int, guide: str, additions: dict[str, list[str]]) -> None:
    left = [*additions, *([beside.GUIDE] if guide != beside.GUIDE else [])]
    enter = [] if folder == "." else [f"  cd {shlex.quote(folder)}"]
    lines = [
        f"{count} files are written.{_left_alone(left)} Next:",
        "",
        *enter,
        "  reconciler validate",
        *(f"  {one}" for one in _TRY[sandbox]),
        "",
        *_before_production(guide, readme=beside.README not in additions),
    ]
    for name, added in additions.items():
        lines += ["", f"Add to {name}:", *(f"  {line}" for line in added)] if added else []
    click.echo("\n".join(lines))


def _left_alone(names: list[str]) -> str:
    return f" Left as they were: {', '.join(names)}." if names else ""


def _before_production(guide: str, *, readme: bool) -> Iterator[str]:
    what = "secrets, teams, protected branch"
    if readme:
        yield f"{beside.README} says what to do before production: account, bucket, {what}."
    else:
        yield "Before production: `reconciler validate` says where account, retailer and bucket are written;"
        yield f"{guide} says the rest: {what}."


def _warn(root: Path, automation: CiProvider, around: Path | None) -> None:
    lines: list[str] = []
    if around:
        lines += [f"WARNING: it lies in another project, {around}: commands see the nearest one only."]
    if within := within_repository(root):
        lines += beside.to_move(automation, str(repository_of(root)), within)
    if lines:
        click.echo("\n".join(["", *lines]), err=True)
