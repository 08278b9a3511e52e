"""Every check of `doctor` on one line."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from reconciler.core.doctor.checks import Check, CheckName, CheckStatus
from reconciler.render.numbers import counted
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.text import GAP, left, name, sentence

MARKS = {CheckStatus.OK: "✓", CheckStatus.WARNING: "!", CheckStatus.FAILURE: "✗", CheckStatus.SKIPPED: "·"}
STYLES = {
    CheckStatus.OK: "green",
    CheckStatus.WARNING: "yellow",
    CheckStatus.FAILURE: "bold red",
    CheckStatus.SKIPPED: "dim",
}
WIDTH = max(cell_len(link) for link in CheckName)
INDENT = 4 + WIDTH + len(GAP)


def print_checkup(environment: str, checks: Sequence[Check], out: Console) -> None:
    show(checkup_lines(environment, checks, out), out)


def checkup_lines(environment: str, checks: Sequence[Check], out: Console) -> Iterator[Text]:
    yield Text.assemble("Checks of ", (name(environment), "bold"))
    for credential, group in groupby(checks, lambda one: one.credential):
        yield Text()
        if credential:
            yield Text(name(credential), "bold")
        for unreached, lines in groupby(group, lambda one: one.result.status is CheckStatus.SKIPPED):
            if unreached:
                yield from _unreached(lines, out)
            else:
                for check in lines:
                    yield from _lines(check, out)
    yield Text()
    yield from wrapped(_summary(checks), "bold", 0, out)


def _lines(check: Check, out: Console) -> Iterator[Text]:
    result = check.result
    message = f"{name(check.item)}: {sentence(result.message)}" if check.item else sentence(result.message)
    style = STYLES[result.status]
    plain = result.status is CheckStatus.OK
    first, *others = wrapped(message, "" if plain else style, INDENT, out)
    yield Text.assemble(
        "  ", (MARKS[result.status], style), f" {left(check.name, WIDTH)}{GAP}", first[INDENT:]
    )
    yield from others
    for number, line in enumerate(result.remedy.splitlines()):
        yield from wrapped(f"{'  ' if number else '→ '}{sentence(line)}", "", INDENT, out, hang=2)


def _unreached(checks: Iterable[Check], out: Console) -> Iterator[Text]:
    """Yield one line for all skipped checks of a group."""
    links = dict.fromkeys(check.name.value for check in checks)
    mark = MARKS[CheckStatus.SKIPPED]
    yield from wrapped(f"{mark} skipped: {', '.join(links)}", STYLES[CheckStatus.SKIPPED], 2, out, hang=2)


def _summary(checks: Iterable[Check]) -> str:
    seen = Counter(check.result.status for check in checks)
    failures, warnings, unreached = (
        seen[status] for status in (CheckStatus.FAILURE, CheckStatus.WARNING, CheckStatus.SKIPPED)
    )
    if not failures and not warnings:
        return "All checks passed."
    parts = [
        counted(failures, "failure") if failures else "",
        counted(warnings, "warning") if warnings else "",
        f"{unreached:,} skipped" if unreached else "",
    ]
    return f"{', '.join(filter(None, parts))}."
