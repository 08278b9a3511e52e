"""Where in a manifest a character of a value stands."""

from reconciler.core.model import SourceLocation

_QUOTES, _BLOCKS = "\"'", "|>"


def place_within(place: SourceLocation, written: str, value: str, index: int) -> SourceLocation:
    """The place of `value[index]`, whose value begins at `place` and is `written` there as YAML.

    White space and escapes may be written otherwise than they are read, so all other characters are looked
    for one after the other. `place` itself if they can't be found.
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
    """Where the text begins: behind the opening quote, or below the line of a block."""
    if written[:1] and written[0] in _BLOCKS:
        return written.find("\n") + 1
    return 1 if written[:1] and written[0] in _QUOTES else 0
