"""Generates docs/reference/errors.md from the cases."""

from collections.abc import Iterator, Sequence

from faults.case import Case, Group

INTRO = """\
# Errors

Each row is a fault that the test suite creates in a working project. The test runs the real command and
checks its exit code and message. It also checks that no identifier, secret or token is shown, and that
nothing is lost. After the fix, the next `apply` sends exactly the right members, and `plan` shows no changes.

The column *effect* states what the command left behind:

- *nothing*: nothing was sent, and the state is unchanged to the byte;
- *noted*: nothing took effect at Criteo, and the state records the attempt;
- *part*: the state records what Criteo acknowledged, and reconciler does not send it again;
- *all*: the command succeeded.

This page is generated: `pytest --update tests/e2e/test_bad_input_and_faults_lose_nothing.py`.
[Exit codes](exit-codes.md) explains the codes, and [Troubleshoot](../how-to/troubleshoot.md) the frequent
messages.
"""


def page(groups: Sequence[Group]) -> str:
    return INTRO + "".join(_section(group) for group in groups)


def _section(group: Group) -> str:
    head = "| fault | exit code | effect | message | fix |\n|---|---|---|---|---|\n"
    return f"\n## {group.heading}\n\n{group.intro}\n\n{head}" + "".join(map(_row, group.cases))


def _row(case: Case) -> str:
    cells = (case.name, str(case.code), case.leaves.name.lower(), *_words(case))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _words(case: Case) -> Iterator[str]:
    yield f"… {case.says} …" if case.says else ""
    yield f"… {case.hint} …" if case.hint else ""
