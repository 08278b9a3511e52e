"""A document as Markdown for a comment on GitHub: counts first, then risks, then everything else folded."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from reconciler.core.errors import Finding
from reconciler.render.document import document_text
from reconciler.render.document.apply_report import Failure
from reconciler.render.document.blocked import BlockedGroup
from reconciler.render.document.exclusion_lists import by_kind
from reconciler.render.document.model import NOTHING, Document, Totals
from reconciler.render.document.statement_text import note_text
from reconciler.render.markdown.escape import cell, code, label, remedy, words
from reconciler.render.markdown.rows import rest, risks
from reconciler.render.markdown.truncate import IN_FULL, fitted, in_short, joined, more
from reconciler.render.numbers import minus, plus
from reconciler.render.text import name

LONGEST = 60_000
"""Characters. GitHub allows 65,536, and a workflow may add its own text."""

_PART = 0.3
"""The share of the room for each of estimate, error, outcome and notes."""

_SLACK = 4_000
"""Characters for the text about what is cut."""


def markdown(document: Document, digest: str = "") -> str:
    """Return at most LONGEST characters, with the number of cut items. `digest` is that of the saved plan."""
    said, summary, foot = _title(document), _summary(document), _foot(document, digest)
    room = LONGEST - _SLACK - len(foot)
    for part in (_notice, _outcome, _verdict):
        said += part(document, int(_PART * (room - len(said) - len(summary))))
    said += summary
    for part in (_cost, _problems, _trouble):
        said += part(document, int(_PART * (room - len(said))))
    notes = _lists(document, int(_PART * (room - len(said))))
    notes += _notes(document, int(_PART * (room - len(said) - len(notes))))
    said += risks(document, int(0.7 * (room - len(said) - len(notes)))) + notes
    said += rest(document, room - len(said))
    return said + foot


def _title(document: Document) -> str:
    header = document.header
    lines = [f"<!-- reconciler: {label(header.environment)} -->"]
    lines += [f"## {document_text.heading(header)} **{words(header.environment)}**\n"]
    where = [f"on {document_text.endpoint(header)}", *document_text.seats(header)] if header.endpoint else []
    return joined([*lines, f"{' · '.join(map(words, where))}\n"] if where else lines)


def _summary(document: Document) -> str:
    counts = _counts(document.totals) if document.totals != NOTHING else ()
    rounding = document_text.precision(document)
    precision = [f"{words(rounding)}\n"] if rounding else []
    return joined([*_one_line(document), *counts, *precision])


def _one_line(document: Document) -> Iterator[str]:
    """Yield the summary. It is bold unless a graver headline states it."""
    summary = words(document_text.summary(document))
    if not document.failed:
        yield f"**{summary}**\n"
    elif not document.undecided:
        yield f"{summary}\n"


def _counts(totals: Totals) -> Iterator[str]:
    cells = [(f"{code(kind.symbol)} {kind}", f"{count:,}") for kind, count in totals.kinds]
    cells += [("`=` unchanged", f"{totals.unchanged:,}")] if totals.unchanged else []
    moved = (("members in", plus(totals.adds)), ("members out", minus(totals.removes)))
    cells += [(what, words(count)) for what, count in moved if count]
    heads, counts = zip(*cells, strict=True)
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --: |' * len(heads)}"
    yield f"| {' | '.join(map(cell, counts))} |\n"


def _cost(document: Document, room: int) -> str:
    lines = document_text.estimate(document)
    if lines and not document.applicable:
        return _alert("CAUTION", lines, room)
    return joined(fitted(lines, lambda line: f"{words(line)}\n", room, more))


def _alert(kind: str, lines: Sequence[str], room: int) -> str:
    """Return a coloured note of GitHub. Its first line is bold."""
    said = [f"> [!{kind}]", f"> **{words(lines[0])}**"]
    room -= len(joined(said)) + 1
    said += fitted(
        lines[1:], lambda line: f">\n> {words(line)}", room, lambda lacking: f">\n> {in_short(lacking)}"
    )
    return joined([*said, ""])


def _problems(document: Document, room: int) -> str:
    return _list([partial(_finding, one) for one in document.problems], room)


def _trouble(document: Document, room: int) -> str:
    trouble = document.error
    if not trouble or document.failed:
        return ""
    said = f"### {words(trouble.problem)}\n\n"
    items = [partial(remedy, trouble.remedy)] if trouble.remedy else []
    return said + _list([*items, *(partial(_finding, one) for one in trouble.findings)], room - len(said))


def _notice(document: Document, room: int) -> str:
    lines = document_text.notice(document)
    return _alert("WARNING", lines, room) if lines else ""


def _verdict(document: Document, room: int) -> str:
    """Return the headline of a failed plan or apply and its fix."""
    if not (document.error and document.failed):
        return ""
    said, advice = _alert("CAUTION", [document_text.failure_headline(document)], room), document.error.remedy
    if advice:
        lines = ("", *remedy(advice).splitlines())
        said = said.rstrip("\n") + "".join(f"\n{f'> {line}'.rstrip()}" for line in lines) + "\n\n"
    return said + _list([partial(_finding, one) for one in document.error.findings], room - len(said))


def _list(items: Sequence[Callable[[], str]], room: int) -> str:
    return joined([*fitted(items, lambda item: item(), room, more), ""] if items else [])


def _finding(finding: Finding) -> str:
    where = f"{code(finding.where)}: " if finding.where else ""
    return _advised(f"- {where}{words(finding.problem)}", finding.remedy)


def _advised(item: str, text: str) -> str:
    return f"{item}\n{remedy(text, '  ')}" if text else item


_ALERTS = {"bad": "CAUTION", "risky": "WARNING", "good": "NOTE"}


def _outcome(document: Document, room: int) -> str:
    report = document.outcome
    if not report:
        return ""
    lines = [one for one in (report.headline, report.members, report.live, report.in_time) if one]
    lines += [f"Next: {report.next_step}"] if report.next_step else []
    said = _alert(_ALERTS[report.look], lines, room)
    items = [partial(_failure, one) for one in report.failures]
    items += [partial(_left, "interrupted", address) for address in report.interrupted]
    items += [partial(_left, "skipped", address) for address in report.skipped]
    items += [partial(_blocked, group) for group in report.blocked]
    return said + _list(items, room - len(said))


def _blocked(group: BlockedGroup) -> str:
    return _advised(f"- {words(group.heading)}: {words(group.message)}", group.remedy)


def _left(how: str, address: str) -> str:
    return f"- {how}: {code(address)}"


def _failure(failure: Failure) -> str:
    return _advised(f"- failed: **{code(failure.address)}**: {words(failure.problem)}", failure.remedy)


def _notes(document: Document, room: int) -> str:
    """Return the notes under a heading of their own, so that Markdown does not join them to a list above."""
    if not document.notes:
        return ""
    title = "**Notes**\n\n"
    return title + _list([partial(_note, note_text(one)) for one in document.notes], room - len(title))


def _lists(document: Document, room: int) -> str:
    """Return the lists, of each kind under a heading of its own."""
    said = ""
    for kind, rows in by_kind(document.lists):
        title = f"**{kind}s**\n\n"
        said += title + _list([partial(_note, one.text) for one in rows], room - len(said) - len(title))
    return said


def _note(note: str) -> str:
    return f"- {words(note)}"


def _foot(document: Document, digest: str) -> str:
    header = document.header
    approvals = [f"by approval of {name(one)}" for one in document.approvals]
    digests = [f"digest {name(digest)}"] if digest else []
    facts = [*document_text.origin(header), *digests, *approvals]
    lines = ["---\n", " · ".join(map(words, facts))]
    return joined(lines if document.empty else [*lines, f"\nIn full: {IN_FULL}"])
