"""`init`: a repository that validates and plans at once."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from reconciler.commands.codeowners import Owner
from reconciler.commands.options import OUTPUT, settings_of, with_options
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.disk.atomic import explained
from reconciler.render.codeowners import NOBODY
from reconciler.scaffold import Automation

AUTOMATIONS = [one.value for one in Automation]
README, IGNORED = "README.md", ".gitignore"
"""What a new repository often has already, and the tool works the same without ours."""
ADMINS, OWNERS = f"@{NOBODY}/reconciler-admins", f"@{NOBODY}/marketing"


@click.command(name="init")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option("--ci", default="github", type=click.Choice(AUTOMATIONS), help="Whose workflows to write.")
@click.option("--admins", default=ADMINS, type=Owner(), metavar="@ORG/TEAM", help="Own what is reserved.")
@click.option("--owners", default=OWNERS, type=Owner(), metavar="@ORG/TEAM", help="Own all other manifests.")
@with_options(OUTPUT)
def command(folder: str, ci: str, admins: str, owners: str, **flags: Any) -> None:
    """Make a repository in DIR: environments, an audience, example data, schemas, CI, CODEOWNERS.

    Its sandbox plans and applies at once, on an emulator. Nothing is overwritten: a README.md and a
    .gitignore that are there are left alone; whatever else is in the way is listed, and nothing is written.
    """
    from reconciler.manifests.ownership import manifests, reserved
    from reconciler.manifests.schema import folder as schemas
    from reconciler.render.codeowners import Owners, codeowners
    from reconciler.scaffold.files import CODEOWNERS, repository

    root = settings_of(flags).directory / folder
    automation = Automation(ci)
    files = repository(automation, schemas(), datetime.now(UTC).date())
    kept = {name: files.pop(name) for name in (README, IGNORED) if os.path.lexists(root / name)}
    _refuse(root, ["environments", *files, CODEOWNERS[automation]])
    for name, content in files.items():
        _write(root / name, content)
    rules = codeowners(manifests(root), reserved(root), Owners((admins,), (owners,)))
    _write(root / CODEOWNERS[automation], rules.encode())
    _say(folder, len(files) + 1, kept)


def _refuse(root: Path, names: list[str]) -> None:
    with explained("look at", root):
        findings = [*_no_folders(root, names), *_there(root, names)]
    if findings:
        raise ConfigurationError(
            "files are in the way, and nothing was written",
            remedy="choose an empty folder, or move them away",
            findings=findings,
        )


def _no_folders(root: Path, names: list[str]) -> Iterator[Finding]:
    """What stands where a folder has to be, above the root as below it."""
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
    with explained("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _say(folder: str, count: int, kept: dict[str, bytes]) -> None:
    enter = [] if folder == "." else [f"  cd {folder}"]
    guide = "docs/ci.md" if README in kept else README
    lines = [
        f"{count} files are written.{_left_alone(kept)} Next:",
        "",
        *enter,
        "  reconciler validate",
        "  reconciler plan sandbox",
        "  reconciler apply sandbox",
        "",
        f"{guide} says what to do before production: account, bucket, secrets, teams, protected branch.",
    ]
    click.echo("\n".join(lines))


def _left_alone(kept: dict[str, bytes]) -> str:
    lines = kept.get(IGNORED, b"").decode().splitlines()
    ignored = " ".join(line for line in lines if not line.startswith("#"))
    names = f" Left as they were: {', '.join(kept)}." if kept else ""
    return names + (f" Add to {IGNORED}: {ignored}." if ignored else "")
