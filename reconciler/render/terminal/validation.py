"""The result of `validate` for valid manifests."""

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from reconciler.core.desired_state import DesiredState
from reconciler.render.numbers import counted
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.text import name, sentence


def print_validated(environments: Iterable[DesiredState], out: Console) -> None:
    show((line for desired in environments for line in _lines(desired, out)), out)


def _lines(desired: DesiredState, out: Console) -> Iterator[Text]:
    audiences = counted(len(desired.audiences), "audience")
    segments = counted(len(desired.segments), "segment")
    yield Text(f"✓ {name(desired.environment.name)}: {audiences}, {segments}, no problems", "green")
    for note in desired.notes:
        yield from wrapped(f"note: {sentence(note)}", "dim", 2, out, hang=2)
