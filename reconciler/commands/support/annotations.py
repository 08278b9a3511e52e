"""Findings at their lines of a pull request, where commands run as jobs of GitHub Actions."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import click

from reconciler.commands.support.options import started_in
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import SegmentSpec
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.model import Blocked
from reconciler.manifests import find_root
from reconciler.render.annotations import Level, annotations
from reconciler.render.document.model import Document
from reconciler.render.document.statement_text import statement_text
from reconciler.settings import repository_on_github
from reconciler.system_errors import known_error


def annotate(findings: Iterable[Finding], directory: Path, level: Level = Level.ERROR) -> None:
    """Print findings as annotations, on GitHub only.

    `directory` is the working directory, or that of `-C`.
    """
    if repository := repository_on_github():
        for line in annotations(findings, _project(directory, repository.resolve()), level):
            click.echo(line, err=True)


def annotate_error(error: Exception, context: click.Context) -> None:
    """An error may come before there are settings: only click knows then what `-C` names."""
    if known := known_error(error):
        annotate(known.findings, started_in(context))


def at_their_manifests(blocked: Iterable[Blocked], segments: Iterable[SegmentSpec]) -> tuple[Finding, ...]:
    """What blocks addresses, where it is written: each once, though several addresses share a source."""
    places = {spec.address: str(spec.place) for spec in segments}
    return tuple(dict.fromkeys(_placed(one, places.get(one.address, "")) for one in blocked))


def _placed(blocked: Blocked, place: str) -> Finding:
    finding = blocked.finding
    if blocked.cause is Cause.SOURCE:
        return finding
    return replace(finding, where=place, problem=f"{blocked.address}: {finding.problem}")


def drifted(document: Document, segments: Iterable[SegmentSpec]) -> tuple[Finding, ...]:
    """Each address that was changed outside reconciler, where it is written."""
    places = {str(spec.address): str(spec.place) for spec in segments}
    return tuple(
        Finding(
            places.get(row.address, ""),
            f"{row.address}: changed outside reconciler",
            "\n".join(statement_text(line.statement) for line in row.lines),
        )
        for row in document.rows
    )


def _project(directory: Path, repository: Path) -> PurePosixPath:
    """The project as seen from the repository."""
    try:
        root = find_root(directory)
    except ConfigurationError:
        return PurePosixPath()
    return PurePosixPath(root.relative_to(repository) if root.is_relative_to(repository) else root)
