"""Text as YAML that the parser reads back unchanged."""

import re

import yaml

_PLAIN = re.compile(r"(?!(?:true|false|null|yes|no|on|off|y|n)$)[a-z][a-z0-9-]*")
"""Names that no YAML reader takes for a boolean, a number, a date or no value."""


def quoted(text: str) -> str:
    """Return the text in double quotes, on one line, with escapes where YAML needs them."""
    written: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=float("inf"))
    return written.rstrip("\n")


def name(text: str) -> str:
    """Return a valid name, in quotes only if another YAML reader could take it for another value."""
    return text if _PLAIN.fullmatch(text) else quoted(text)
