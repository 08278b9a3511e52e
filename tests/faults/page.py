"""docs/reference/errors.md, written from the rows."""

from collections.abc import Iterator, Sequence

from faults.case import Case, Group

INTRO = """\
# Bad input and faults

What you saw, what it means, what to do. Each row is a case of the test suite, which breaks the thing on a
project that works, runs the real command, and proves that the exit code and the words are these; that no
person, secret or token is shown; that nothing was lost; and that once the cause is removed, the next `apply`
brings exactly the right people to Criteo, after which `plan` has nothing left to do.

The third column says what a command has left behind when it ends so: *nothing* (nothing was sent, and the
state is the same to the byte), *noted* (nothing took effect at Criteo; the state says what was tried), *part*
(what Criteo took is written down, and is not sent again), *all* (it went through).

This page is generated: `pytest --update tests/e2e/test_bad_input_and_faults_lose_nothing.py`.
"""


def page(groups: Sequence[Group]) -> str:
    return INTRO + "".join(_section(group) for group in groups)


def _section(group: Group) -> str:
    head = "| when | exit | leaves | you see | what to do |\n|---|---|---|---|---|\n"
    return f"\n## {group.heading}\n\n{group.intro}\n\n{head}" + "".join(map(_row, group.cases))


def _row(case: Case) -> str:
    cells = (case.name, str(case.code), case.leaves.name.lower(), *_words(case))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _words(case: Case) -> Iterator[str]:
    yield f"… {case.says} …" if case.says else ""
    yield f"… {case.hint} …" if case.hint else ""
