"""One JSON document on standard output, also when the command fails."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import click

from reconciler.commands.support.failures import as_known
from reconciler.render.json.values import DocumentKind, Json, document, dump


@dataclass(slots=True)
class JsonOutput:
    """The values known so far. They are printed at the end."""

    content: Json = field(default_factory=dict)


@contextmanager
def json_output(kind: DocumentKind, *, wanted: bool) -> Iterator[JsonOutput]:
    """Prints what the page holds at the end, with the error that ends the command if there is one.

    Prints nothing unless it is wanted, or if the command line is wrong.
    """
    page = JsonOutput()
    try:
        yield page
    except click.ClickException:
        raise
    except BaseException as error:
        if wanted:
            _print(document(kind, page.content, as_known(error)))
        raise
    if wanted:
        _print(document(kind, page.content))


def _print(content: Json) -> None:
    with suppress(BrokenPipeError):  # who reads it has left
        print(dump(content), flush=True)  # noqa: T201 - JSON, not text for a console
