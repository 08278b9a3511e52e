"""Text as Markdown without effect: no markup, HTML, link, mention, reference or emoji results from it.

GitHub looks for mentions and references after it decodes entities, so only code is safe from them. Plain
words stay as they are, every other word becomes a span of code.
"""

import re
from html import escape

from reconciler.render.markdown.truncate import fitted
from reconciler.render.remedies import divided, pieces

_WORD = r"[(“‘'\"]*[^\W\d_]+\d{0,3}(?:['’-][^\W\d_]+)*[)”’'\"]*[.,;:!?]?"
_NUMBER = r"\(?[+−]?<?(?:\d{1,3}(?:,\d{3})+|\d{1,6})(?:\.\d{1,2})?%?\)?[.,;:]?"
_TIME = r"\(?\d{4}-\d\d-\d\d\)?[.,;]?|\(?\d\d:\d\d\)?[.,;]?"
_PLAIN = re.compile(rf"{_WORD}|{_NUMBER}|{_TIME}|[→·…–—.,;:]|%[).,;:]*")
_HASH = re.compile(r"[0-9a-f]{7}", re.IGNORECASE)
_ORDERED = re.compile(r"\d+[.)]+")
_TOKEN = re.compile(r"\S+")
_TICKS = re.compile("`+")
_LONGEST_SNIPPET = 3_000


def words(text: str) -> str:
    """Prose on one line. What it holds that isn't a plain word, number or time becomes code."""
    parts = pieces(text.strip())
    return "".join(code(part.text) if part.code else _TOKEN.sub(_word, part.text) for part in parts)


def _word(found: re.Match[str]) -> str:
    word = found[0]
    listed = found.start() == 0 and _ORDERED.fullmatch(word)
    if _PLAIN.fullmatch(word) and not _HASH.search(word) and not listed:
        return escape(word, quote=False)
    core = word.lstrip("(“").rstrip(")”.,;:") or word
    start, _, end = word.partition(core)
    return f"{start}{code(core)}{end}"


def code(text: str) -> str:
    """A span of code around one line; a dash where there is nothing to show."""
    text = text.strip() or "–"
    fence = "`" * (_longest(text) + 1)
    pad = " " if "`" in {text[0], text[-1]} else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def cell(markdown: str) -> str:
    """Markdown of one line, fit for a table."""
    return markdown.replace("|", r"\|")


def remedy(text: str, indent: str = "") -> str:
    """Return a fix as a list item, with a snippet to paste below it."""
    prose, snippet = divided(text)
    item = f"{indent}- → {words(prose)}"
    return f"{item}\n{_fenced(snippet, f'{indent}  ')}" if snippet else item


def _fenced(lines: list[str], indent: str) -> str:
    shown = fitted(lines, str, _LONGEST_SNIPPET, lambda lacking: f"# … {lacking:,} more lines")
    fence = "`" * max(3, 1 + max(map(_longest, shown)))
    return "\n".join(f"{indent}{line}".rstrip() for line in (f"{fence}yaml", *shown, fence))


def _longest(text: str) -> int:
    return max(map(len, _TICKS.findall(text)), default=0)


def label(environment: str) -> str:
    """A name fit for a comment in HTML; names from manifests stay as they are."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", environment)
