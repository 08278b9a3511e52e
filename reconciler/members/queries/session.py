"""What a driver offers: a session that reads, whichever database it is of."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from reconciler.core.errors import CancelledError
from reconciler.core.secret import Secret
from reconciler.members.queries.problems import QueryError, QueryProblem

if TYPE_CHECKING:  # the guard loads a parser
    from reconciler.members.queries.guard import Statement

STREAM = "incoming"
"""What a stream is called in the query that keeps its rows."""
_NOTHING = Secret("")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a query: `stream` has batches of Arrow, in which `columns` are called `c0`…

    `unfit` are the database's types, by the number of a column, that Arrow has as text and that hold no text.
    `filtered` is the condition of the rows that count. `failure` tells why the stream ended early: the reader
    of a stream learns no more than that it did.
    """

    stream: object
    columns: tuple[str, ...]
    unfit: dict[int, str]
    failure: Callable[[], QueryError | None]
    filtered: str = "true"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a session may take: time for each statement, and whether a user asks to stop (`check` raises).

    `rows` is how many rows a query may return, and `bytes` how many bytes it may read; None for any number.
    """

    time: timedelta
    check: Callable[[], None]
    rows: int | None = None
    bytes: int | None = None

    @property
    def clause(self) -> str:
        """Return the end of a statement that brings one row too many at most."""
        return "" if self.rows is None else f" LIMIT {self.rows + 1}"

    def require(self, rows: int) -> None:
        """Raise QueryError if there are more rows than allowed."""
        if self.rows is not None and rows > self.rows:
            raise QueryError(QueryProblem.MANY, limit=self.rows)

    def are_to_end(self) -> bool:
        """Return whether a user asks to stop."""
        try:
            self.check()
        except CancelledError:
            return True
        return False


@dataclass(frozen=True, slots=True)
class Account:
    """Who reads: a user with a password, the bearer of a token, or a service account with a key."""

    user: Secret = _NOTHING
    password: Secret = _NOTHING
    token: Secret = _NOTHING
    key: Secret = _NOTHING


class Session(Protocol):
    """A read-only session. Every method raises QueryError; no text of the database is in it.

    `rows` brings one row too many at most.
    """

    @property
    def limits(self) -> Limits: ...

    def columns(self, statement: "Statement", today: date) -> tuple[str, ...]:
        """Return the names of the columns of a query, which does not run."""
        ...

    def described(self, statement: "Statement", today: date) -> AbstractContextManager[Rows]:
        """Return the columns of a query, and no row."""
        ...

    def rows(self, statement: "Statement", today: date) -> AbstractContextManager[Rows]:
        """Run a query. The rows are brought as the stream is read."""
        ...

    def moment(self, statement: "Statement", today: date) -> datetime:
        """Return the one date or time that a query returns; a time without a zone is UTC."""
        ...

    def missing_rights(self, tables: tuple[str, ...], /) -> tuple[str, ...]:
        """Return the tables that the user may not read, as the query names them."""
        ...

    def close(self) -> None: ...
