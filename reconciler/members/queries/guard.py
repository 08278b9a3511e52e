"""One statement that only reads: what a parser of the database's dialect can see.

A parser can't see what functions do. The session is read-only as well, and the documentation asks for a user
with no other right than SELECT.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from reconciler.core.database import Dialect, Driver
from reconciler.members.queries.drivers import KINDS
from reconciler.members.queries.problems import QueryError, QueryProblem

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it logs statements
_TODAY = "today"
_WRITING = (exp.DML, exp.DDL, exp.Into, exp.Lock, exp.Command, exp.Copy, exp.Set, exp.Pragma, exp.Attach)
_ACTING = """
    ai_gen ai_query benchmark dblink dblink_exec external_query get_lock http_request java_method lastval
    lo_create lo_export lo_import lo_unlink load_extension load_file master_gtid_wait master_pos_wait nextval
    pg_advisory_lock pg_cancel_backend pg_ls_dir pg_notify pg_read_binary_file pg_read_file pg_reload_conf
    pg_rotate_logfile pg_sleep pg_sleep_for pg_sleep_until pg_stat_file pg_terminate_backend query query_table
    query_to_xml readfile reflect release_all_locks release_lock remote_query secret set_config setval sleep
    source_pos_wait sys_eval sys_exec sys_get sys_set table_to_xml try_reflect try_secret
    wait_for_executed_gtid_set writefile
    """


_ACTING_NAMES = frozenset(_ACTING.split())
_CHOSEN = {Dialect.ANSI: "", Dialect.POSTGRESQL: "postgres"}
"""What the parser calls a dialect, if not as we do."""
_SYSTEM = "system$"
"""How names of Snowflake's functions begin that control it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that reads, without a semicolon at its end. `spots`: where `:today` is, in order.

    `tables` are the tables that it names, as the database's SQL writes them.
    """

    text: str
    spots: tuple[int, ...]
    tables: tuple[str, ...]

    def with_today(self, parameter: str) -> str:
        """Return the text with the database's own parameter for `:today`."""
        parts, start = [], 0
        for spot in self.spots:
            parts += [self.text[start:spot], parameter]
            start = spot + len(f":{_TODAY}")
        return "".join([*parts, self.text[start:]])


@cache
def guarded(sql: str, driver: Driver, chosen: Dialect = Dialect.ANSI) -> Statement:
    """Return a statement of the driver's dialect, or of the `chosen` one. Raises QueryError for all else."""
    name = KINDS[driver].dialect
    dialect = sqlglot.Dialect.get_or_raise(_CHOSEN.get(chosen, chosen.value) if name is None else name)
    try:
        tokens = dialect.tokenize(sql)
        found = [one for one in dialect.parser().parse(tokens, sql) if one is not None]
    except ParseError as error:
        raise QueryError(QueryProblem.UNPARSED, index=_index(error, tokens)) from None
    except (SqlglotError, RecursionError, ValueError):
        raise QueryError(QueryProblem.UNPARSED) from None
    if KINDS[driver].runs_comments and (run := next(filter(_is_run, tokens), None)):
        raise QueryError(QueryProblem.COMMENT, index=run.start)
    statements = [one for one in found if not isinstance(one, exp.Semicolon)]
    if not statements:
        raise QueryError(QueryProblem.EMPTY)
    end = next((one.start for one in tokens if one.token_type is TokenType.SEMICOLON), len(sql))
    if len(statements) > 1:
        raise QueryError(QueryProblem.SEVERAL, index=end)
    [tree] = statements
    _refuse_writing(tree, tokens[0].start)
    spots = tuple(_spots(sql, tokens))
    parameters = list(tree.find_all(exp.Placeholder, exp.Parameter, exp.SessionParameter))
    if len(parameters) != len(spots) or any(one.name != _TODAY for one in parameters):
        raise QueryError(QueryProblem.PARAMETER)
    return Statement(sql[:end].rstrip(), spots, tuple(_tables(tree, dialect)))


def _is_run(token: Token) -> bool:
    """Return whether a database runs a comment beside a token, or obeys it."""
    acting = ("!", "M!", "+")
    return token.token_type is TokenType.HINT or any(one.startswith(acting) for one in token.comments)


def _refuse_writing(tree: exp.Expr, start: int) -> None:
    """Raise QueryError for a statement that begins at `start`."""
    if not isinstance(tree, exp.Query):
        raise QueryError(QueryProblem.WRITES, index=start)
    if writing := next(tree.find_all(*_WRITING), None):
        raise QueryError(QueryProblem.WRITES, index=_start(writing, start))
    for one in tree.find_all(exp.Func):
        # A function that the parser knows has its name in its class.
        names = {one.name.lower(), one.sql_name().lower()}
        if names & _ACTING_NAMES or one.name.lower().startswith(_SYSTEM):
            raise QueryError(QueryProblem.ACTS, index=_start(one, start))


def _start(node: exp.Expr, otherwise: int) -> int:
    """Return where a part of a statement begins, as far as its names show it."""
    return min((one.meta["start"] for one in node.walk() if "start" in one.meta), default=otherwise)


def _index(error: ParseError, tokens: list[Token]) -> int | None:
    """Return where the token begins that ends where the parser failed."""
    found = error.errors[0] if error.errors else {}
    ends = (found.get("line"), found.get("col"))
    return next((one.start for one in tokens if (one.line, one.col) == ends), None)


def _spots(sql: str, tokens: list[Token]) -> Iterator[int]:
    """Yield where `:today` is a parameter: neither in a text, nor in a comment, nor after another colon."""
    for colon, word in pairwise(tokens):
        named = colon.token_type is TokenType.COLON and word.start == colon.end + 1
        if named and sql[word.start : word.end + 1] == _TODAY:
            yield colon.start


def _tables(tree: exp.Expr, dialect: sqlglot.Dialect) -> Iterator[str]:
    """Yield the tables that are none of the statement's own WITH."""
    own = {one.alias_or_name for one in tree.find_all(exp.CTE)}
    named: dict[str, None] = {}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and (table.db or table.name not in own):
            parts = {key: table.args.get(key) for key in ("db", "catalog")}
            named[exp.table_(table.this, **parts).sql(dialect)] = None
    yield from named
