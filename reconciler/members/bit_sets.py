"""Sets of numbered things as bits: a row states in a few 64-bit columns which audiences want it.

The columns of a set have one prefix: `k0` holds the bits of the first 64 things, `k1` of the next.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

SIZE = 64


@dataclass(frozen=True, slots=True)
class BitSets:
    """SQL over sets of so many things, which are numbered from 0."""

    things: int

    def columns(self, prefix: str) -> list[str]:
        return [f"{prefix}{word}" for word in range(-(-self.things // SIZE))]

    def listed(self, prefix: str) -> str:
        return ", ".join(self.columns(prefix))

    def any(self, prefix: str) -> str:
        """Whether a set has anything in it."""
        return f"({' | '.join(self.columns(prefix))}) <> 0"

    def column_and_bit(self, prefix: str, thing: int) -> tuple[str, str]:
        """Return the column that states whether a set has the thing, and its bit as a constant."""
        word, bit = divmod(thing, SIZE)
        return f"{prefix}{word}", number(1 << bit)

    def has(self, prefix: str, thing: int) -> str:
        column, bit = self.column_and_bit(prefix, thing)
        return f"({column} & {bit}) <> 0"

    def united(self, prefix: str, named: str = "") -> str:
        """Select-list items of a query with groups: the union of the sets of a group."""
        pairs = zip(self.columns(prefix), self.columns(named or prefix), strict=True)
        return ", ".join(f"bit_or({one}) AS {name}" for one, name in pairs)

    def where(self, tests: Collection[str]) -> list[str]:
        """The set of the things whose test is true, one expression for each column."""
        words: list[list[str]] = [[] for _ in self.columns("")]
        for thing, test in enumerate(tests):
            word, bit = divmod(thing, SIZE)
            words[word].append(f"CASE WHEN {test} THEN {number(1 << bit)} ELSE {number(0)} END")
        return [f"({' | '.join(bits)})" for bits in words]

    def masks(self, things: Iterable[int]) -> list[str]:
        """A set as constants, one for each column."""
        words = [0] * len(self.columns(""))
        for thing in things:
            word, bit = divmod(thing, SIZE)
            words[word] |= 1 << bit
        return [number(word) for word in words]

    def each(self, relation: str, prefix: str, items: str) -> Iterator[str]:
        """Queries that together give `items`, with groups, for each thing, whose number comes first.

        There is one query for each column: each row of the relation counts for all things of its set.
        """
        for word, column in enumerate(self.columns(prefix)):
            first = word * SIZE
            bits = ", ".join(
                f"({first + bit}, {number(1 << bit)})" for bit in range(min(SIZE, self.things - first))
            )
            yield (
                f"SELECT thing, {items} FROM {relation} AS counted CROSS JOIN (VALUES {bits}) "
                f"AS things(thing, bit) WHERE ({column} & bit) <> 0 GROUP BY ALL"
            )


def empty() -> str:
    """No thing, as a constant."""
    return number(0)


def number(word: int) -> str:
    """A constant of the type of a column."""
    return f"{word}::UBIGINT"
