"""The saved forms of a document: JSON, Markdown and HTML, written on every path, also when all fails."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from reconciler import __version__
from reconciler.core.approval import Approved
from reconciler.core.errors import CancelledError, ReconcilerError, StorageError
from reconciler.disk.atomic import replace_file
from reconciler.failures import known
from reconciler.render.document import Document, Subject, trouble_of, troubled
from reconciler.render.saved import DIGEST, dump, encoded
from reconciler.settings import Settings

FORMS = (
    click.option(
        "--out", metavar="FILE", help="Save it as JSON; a plan can be approved and applied from it."
    ),
    click.option("--markdown", metavar="FILE", help="Save it as Markdown, for a comment or a job's summary."),
    click.option("--html", metavar="FILE", help="Save it as one HTML page, readable anywhere."),
    click.option("--json", "as_json", is_flag=True, help="Print the JSON instead of text."),
)


class Page:
    """What is to be saved, as far as it is known, and where."""

    def __init__(self, flags: dict[str, Any], settings: Settings, subject: Subject, environment: str) -> None:
        forms = (form for form in ("out", "markdown", "html") if flags.get(form))
        self._files = {form: settings.directory / flags[form] for form in forms}
        self._as_json = bool(flags.get("as_json"))
        self._subject, self._environment = subject, environment
        self.document: Document | None = None
        self.approved: Approved | None = None
        for file in self._files.values():
            _check(file)

    def save(self) -> None:
        if self.document is not None:
            _save(self.document, self.approved, self._files, self._as_json)

    def fail(self, error: BaseException) -> None:
        """What is known, and what ended it."""
        told = _told(error)
        if self.document is None:
            document = troubled(self._subject, self._environment, told, datetime.now(UTC))
        else:
            document = replace(self.document, trouble=trouble_of(told))
        _save(document, None, self._files, self._as_json)


@contextmanager
def published(
    flags: dict[str, Any], settings: Settings, subject: Subject, environment: str
) -> Iterator[Page]:
    """Saves whatever the page holds at the end, in all forms that were asked for.

    StorageError, before anything is done, where a file could not be written.
    """
    page = Page(flags, settings, subject, environment)
    try:
        yield page
    except BaseException as error:
        page.fail(error)
        raise
    page.save()


def save(document: Document, digest: str, files: dict[str, Path]) -> None:
    """The forms for people."""
    layouts: dict[str, Callable[[Document, str], str]] = {"markdown": _markdown, "html": _html}
    for form, layout in layouts.items():
        if form in files:
            replace_file(files[form], layout(document, digest).encode())


def _save(document: Document, approved: Approved | None, files: dict[str, Path], as_json: bool) -> None:
    content = encoded(document, approved, __version__)
    if "out" in files:
        replace_file(files["out"], dump(content))
    save(document, content[DIGEST] if approved else "", files)
    if as_json:
        sys.stdout.write(dump(content).decode())


def _told(error: BaseException) -> ReconcilerError:
    if isinstance(error, click.exceptions.Abort):
        return CancelledError("cancelled")
    return known(error) or ReconcilerError(
        "a bug in reconciler", remedy="the log says where; nothing is lost: run again, and please report it"
    )


def _check(file: Path) -> None:
    if file.is_dir() or not file.parent.is_dir():
        what = "it is a folder" if file.is_dir() else "its folder is not there"
        raise StorageError(f"can't write {file}: {what}", remedy="name a file in a folder that exists")


def _markdown(document: Document, digest: str) -> str:
    from reconciler.render.markdown import markdown

    return markdown(document, digest)


def _html(document: Document, digest: str) -> str:
    from reconciler.render.html import html

    return html(document, digest)
