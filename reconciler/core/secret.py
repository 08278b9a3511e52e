"""A value that only one explicit call can turn into text."""

from typing import NoReturn


class Secret:
    """A secret or a token: can't be printed, formatted, pickled, copied or encoded; `reveal()` is the way."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value, for the one caller that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled or copied")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret is never pickled or copied")
