"""Findings at their lines of a pull request, where commands run as jobs of GitHub Actions."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import click

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import SegmentSpec
from reconciler.core.plan import Blocked
from reconciler.manifests import find_root
from reconciler.render.annotations import annotations
from reconciler.settings import repository_on_github


def annotate(findings: Iterable[Finding], directory: Path) -> None:
    """`directory`: where the command was started, or `-C`. Anywhere but on GitHub nothing is said."""
    if repository := repository_on_github():
        for line in annotations(findings, _project(directory, repository.resolve())):
            click.echo(line, err=True)


def at_their_manifests(blocked: Iterable[Blocked], segments: Iterable[SegmentSpec]) -> tuple[Finding, ...]:
    """What stands against a plan, where the address is written."""
    places = {spec.address: str(spec.place) for spec in segments}
    return tuple(
        replace(
            one.finding, where=places.get(one.address, ""), problem=f"{one.address}: {one.finding.problem}"
        )
        for one in blocked
    )


def started_in(arguments: Sequence[str]) -> Path:
    """What `-C` names; an error may come before there are settings."""
    for index, word in enumerate(arguments):
        if word.startswith("-C"):
            return Path(word[2:] or "".join(arguments[index + 1 : index + 2]))
    return Path()


def _project(directory: Path, repository: Path) -> PurePosixPath:
    """The project as seen from the repository."""
    try:
        root = find_root(directory)
    except ConfigurationError:
        return PurePosixPath()
    return PurePosixPath(root.relative_to(repository) if root.is_relative_to(repository) else root)
