"""The saved formats of a document: JSON, Markdown and HTML. They are written on success and on failure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import click

from reconciler import __version__
from reconciler.commands.support.failures import as_known
from reconciler.commands.support.options import STANDARD_OUTPUT, AsJson
from reconciler.core.approval.model import ApprovedPlan
from reconciler.core.errors import StorageError
from reconciler.disk.atomic import check_room, os_errors, replace_file
from reconciler.render.document.apply_report import ApplyReport
from reconciler.render.document.model import Document, DocumentType, error_document, with_error
from reconciler.settings import Settings


@dataclass(frozen=True, slots=True)
class FormOptions:
    """The saved forms of a document, and whether it is printed as JSON."""

    out: Annotated[
        str | None,
        click.option(
            "--out",
            metavar="FILE",
            help="Save the document as JSON. A saved plan can be approved and applied.",
        ),
    ]
    markdown: Annotated[
        str | None,
        click.option(
            "--markdown",
            metavar="FILE",
            help="Save the document as Markdown, for a comment or a job summary.",
        ),
    ]
    html: Annotated[
        str | None, click.option("--html", metavar="FILE", help="Save the document as one HTML page.")
    ]
    as_json: AsJson

    def named(self) -> dict[str, str]:
        """Return the file of each form that is to be saved."""
        forms = {"out": self.out, "markdown": self.markdown, "html": self.html}
        return {form: file for form, file in forms.items() if file}


class OutputFiles:
    """The document to save, as far as it is known, and its files.

    `outcome` returns the report of an apply. `code` is the exit code of the command.
    """

    def __init__(
        self,
        forms: FormOptions,
        settings: Settings,
        subject: DocumentType,
        environment: str,
        others: Iterable[str],
    ) -> None:
        named = forms.named()
        check_named(named.values())
        self._files = {form: settings.directory / file for form, file in named.items()}
        self._as_json = forms.as_json
        self._subject, self._environment = subject, environment
        self.document: Document | None = None
        self.approved: ApprovedPlan | None = None
        self.outcome: Callable[[], ApplyReport] | None = None
        self.code = 0
        check(self._files, [settings.directory / file for file in others])

    def save(self) -> None:
        """StorageError when a form can't be written and nothing graver has happened."""
        if self.document is not None:
            self._write(self._with_outcome(self.document), self.approved, grave=self.code != 0)

    def fail(self, error: BaseException) -> None:
        """Save the document with the error that ended the command."""
        known = as_known(error)
        if self.document is None:
            document = error_document(self._subject, self._environment, known, datetime.now(UTC))
        else:
            document = with_error(self._with_outcome(self.document), known)
        self._write(document, None, grave=True)

    def _with_outcome(self, document: Document) -> Document:
        return replace(document, outcome=self.outcome()) if self.outcome else document

    def _write(self, document: Document, approved: ApprovedPlan | None, *, grave: bool) -> None:
        """Each form by itself: one that can't be written keeps none of the others away."""
        if not (self._files or self._as_json):
            return
        # Declaring the codec takes longer than laying out a plan.
        from reconciler.render.json.document import dump, encoded

        content = encoded(document, approved, __version__)
        lost = [
            error for form, file in self._files.items() if (error := _written(form, file, document, content))
        ]
        if self._as_json:
            with suppress(BrokenPipeError):  # who reads it has left; what was done is done
                print(dump(content).decode(), end="", flush=True)  # noqa: T201 - JSON, not text for a console
        for error in lost if grave else ():
            click.echo(f"Warning: {error.problem}", err=True)
        if lost and not grave:
            raise StorageError(
                "; ".join(error.problem for error in lost),
                remedy="what the command did is done; name another file, and run it again",
            )


def _written(form: str, file: Path, document: Document, content: dict[str, Any]) -> StorageError | None:
    from reconciler.render.json.document import DIGEST, dump

    digest = content[DIGEST] if content["approval"] else ""
    try:
        replace_file(file, dump(content) if form == "out" else LAYOUTS[form](document, digest).encode())
    except StorageError as error:
        return error
    return None


@contextmanager
def output_files(
    forms: FormOptions,
    settings: Settings,
    subject: DocumentType,
    environment: str,
    others: Iterable[str] = (),
) -> Iterator[OutputFiles]:
    """Save the document at the end, in all requested formats.

    `others` are other files of the command. Before the work starts, two uses of one file raise UsageError. A
    file that is not writable, or that this tool did not write, raises StorageError.
    """
    page = OutputFiles(forms, settings, subject, environment, others)
    try:
        yield page
    except BaseException as error:
        page.fail(error)
        raise
    page.save()


def save(document: Document, digest: str, files: Mapping[str, Path]) -> None:
    """Write the Markdown and HTML files."""
    for form, file in files.items():
        replace_file(file, LAYOUTS[form](document, digest).encode())


def check_named(names: Iterable[str]) -> None:
    """UsageError for standard output in place of a file."""
    if STANDARD_OUTPUT in names:
        raise click.UsageError("each form needs a file; --json prints the JSON")


def check(files: Mapping[str, Path], others: Iterable[Path]) -> None:
    """UsageError for one file for two things; StorageError for one that can't or must not be written."""
    taken = [file.resolve() for file in (*files.values(), *others)]
    if len(set(taken)) < len(taken):
        raise click.UsageError(
            "each form and --events need a file of their own, and none may be one that is read"
        )
    for form, file in files.items():
        if file.is_dir() or not file.parent.is_dir():
            what = "it is a folder" if file.is_dir() else "its folder is not there"
            raise StorageError(f"can't write {file}: {what}", remedy="name a file in a folder that exists")
        if file.exists() and not _is_ours(form, file):
            raise StorageError(
                f"can't write {file}: what is there was not saved by reconciler", remedy="name another file"
            )
        check_room(file, _LEAST)


def _is_ours(form: str, file: Path) -> bool:
    """An empty file, or an earlier one of the same form: nothing else is replaced."""
    if not file.is_file() or file.is_symlink():
        return False
    with os_errors("read", file), file.open("rb") as content:
        start = content.read(len(_STARTS[form]))
    return start in {b"", _STARTS[form]}


_LEAST = 1 << 16
_STARTS = {
    "out": b'{\n  "digest": "sha256:',
    "markdown": b"<!-- reconciler: ",
    "html": b"<!doctype html>\n<!-- reconciler -->",
}


def _markdown(document: Document, digest: str) -> str:
    from reconciler.render.markdown.document import markdown

    return markdown(document, digest)


def _html(document: Document, digest: str) -> str:
    from reconciler.render.html.document import html

    return html(document, digest)


LAYOUTS: Mapping[str, Callable[[Document, str], str]] = {"markdown": _markdown, "html": _html}
