"""Text from manifests and Criteo, made safe to print, and text in aligned columns.

Safe text contains no escape sequence, control character or line break. It cannot change a terminal or a
table. Widths are in terminal cells.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

LONGEST_NAME = 120
LONGEST_SENTENCE = 600
"""Characters."""
GAP = "  "
"""Between two columns."""

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\|$)|[@-Z\\-_])|\x9b[0-?]*[ -/]*[@-~]", re.DOTALL
)
_STRIPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_BREAKS = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029")


def sanitize(text: str, limit: int) -> str:
    """Return one line of visible characters, at most `limit`: no control, escape or direction characters."""
    bare = _ESCAPES.sub("", text)
    visible = "".join(
        " " if one in _BREAKS else one
        for one in bare
        if one in _BREAKS or unicodedata.category(one) not in _STRIPPED
    )
    visible = visible.replace(
        "##[", "## ["
    )  # what begins so is an order to a runner of CI, wherever it stands
    return visible if len(visible) <= limit else visible[: limit - 1] + "…"


def name(text: str) -> str:
    """Return a name or a description as safe text."""
    return sanitize(text, LONGEST_NAME)


def sentence(text: str) -> str:
    """Return a problem, a reason or a remedy as safe text."""
    return sanitize(text, LONGEST_SENTENCE)


def where_they_differ(before: str, after: str, limit: int = LONGEST_SENTENCE) -> tuple[str, str]:
    """Return two values as safe text. If one is too long, both begin shortly before they differ."""
    if max(len(before), len(after)) > limit:
        pairs = enumerate(zip(before, after, strict=False))
        same = next((index for index, (old, new) in pairs if old != new), min(len(before), len(after)))
        start = same - limit // 4
        if start > 0:
            before, after = (f"…{one[start:]}" for one in (before, after))
    return sanitize(before, limit), sanitize(after, limit)


def quoted(text: str) -> str:
    return f"“{name(text)}”"


def widths(rows: Iterable[Sequence[str]]) -> tuple[int, ...]:
    """Return the width of the widest entry of each column."""
    return tuple(max(map(cell_len, column)) for column in zip(*rows, strict=True))


def left(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def right(text: str, width: int) -> str:
    return " " * (width - cell_len(text)) + text
