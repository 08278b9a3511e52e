"""The location of one character of a value in a manifest."""

from reconciler.core.model import SourceLocation

_QUOTES, _BLOCKS = "\"'", "|>"


def place_within(place: SourceLocation, written: str, value: str, index: int) -> SourceLocation:
    """Return the location of `value[index]`. The value begins at `place`, and `written` is its YAML text.

    White space and escapes can differ between text and value, so all other characters are matched one after
    the other. Returns `place` if they do not match.
    """
    at = _first(written) - 1
    for one in value[: index + 1]:
        if one.isspace():
            continue
        at = written.find(one, at + 1)
        if at < 0:
            return place
    at = max(at, 0)
    before = written[:at]
    lines = before.count("\n")
    column = at - before.rfind("\n") if lines else place.column + at
    return SourceLocation(place.file, place.line + lines, column)


def _first(written: str) -> int:
    """Return where the text begins: behind the opening quote, or below the first line of a block."""
    if written[:1] and written[0] in _BLOCKS:
        return written.find("\n") + 1
    return 1 if written[:1] and written[0] in _QUOTES else 0
