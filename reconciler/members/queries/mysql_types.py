"""Columns of MySQL: each arrives as text, and becomes the type that the server states."""

from dataclasses import dataclass
from typing import Any

_BINARY = 63
"""The character set of values that are no text."""
_UNSIGNED = 32
_TEXTS = {15, 247, 248, 249, 250, 251, 252, 253, 254}
_ARROW = {
    **dict.fromkeys((1, 2, 3, 8, 9, 13), "int64"),
    **dict.fromkeys((4, 5), "float64"),
    **dict.fromkeys((10, 14), "date32"),
    **dict.fromkeys((7, 12), "timestamp[us]"),
}
"""The types of columns of the protocol that have one in Arrow."""
_UNFIT = {0: "DECIMAL", 246: "DECIMAL", 11: "TIME", 16: "BIT", 255: "GEOMETRY"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a query. `value` is its text, for a statement; `unfit` a type that holds no text, or ""."""

    name: str
    value: str
    item: str
    kind: str
    unfit: str

    def arrow(self) -> Any:
        import pyarrow

        return pyarrow.type_for_alias(self.kind)


def column(index: int, field: Any) -> Column:
    """Return what a column of the protocol is read as."""
    quoted = "`{}`".format(field.name.replace("`", "``"))
    kind, unfit = _ARROW.get(field.type_code, "string"), _UNFIT.get(field.type_code, "")
    if field.type_code in _TEXTS and field.charsetnr == _BINARY:
        unfit = "BINARY"
    if kind == "int64" and field.flags & _UNSIGNED:
        kind = "uint64"
    bare = unfit and unfit not in ("DECIMAL", "TIME")
    value = f"HEX({quoted})" if bare else f"CAST({quoted} AS CHAR)"
    return Column(field.name, value, f"{value} AS c{index}", kind, unfit)
