"""One DuckDB database in memory, locked: no network, no extensions, no file outside two folders."""

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import duckdb

from reconciler.core.errors import StorageError

FULL = {
    errno.ENOSPC: "the disk of the working folder is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a working file is larger than this process may write (`ulimit -f`)",
}
ROOM = "make room where .reconciler/cache is, and run again: what was sent is written down"
CHECK = "check the disk, and run again: what was sent is written down"


def connect(
    folders: Sequence[Path], spill: Path, memory_limit: str = "1GB", threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection that reads and writes only under `folders`. Take a cursor for each piece of work."""
    connection = duckdb.connect(":memory:")
    settings = {
        "memory_limit": literal(memory_limit),
        "temp_directory": literal(str(spill)),
        "allowed_directories": f"[{', '.join(map(literal, _allowed(folders)))}]",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "TimeZone": "'UTC'",
        **({"threads": str(threads)} if threads else {}),
        "enable_external_access": "false",
        "lock_configuration": "true",
    }
    connection.execute("; ".join(f"SET GLOBAL {name} = {value}" for name, value in settings.items()))
    return connection


def _allowed(folders: Iterable[Path]) -> list[str]:
    """Each folder as it is called, and as `paths` writes it: DuckDB compares texts."""
    return sorted({f"{form}/" for folder in folders for form in (folder, _pattern(folder))})


def literal(text: str) -> str:
    """A text as an SQL literal."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def paths(files: Iterable[Path]) -> str:
    """Files as an SQL list of what matches them alone: DuckDB would read some characters as a pattern."""
    return f"[{', '.join(literal(_pattern(file)) for file in files)}]"


def _pattern(file: Path) -> str:
    return re.sub(r"([*?[])", r"[\1]", str(file))


IN_FILE = "hive_partitioning = false"
"""For each function that reads files: a folder called `email=x` would replace the column of that name."""


def name(text: str) -> str:
    """A quoted SQL identifier."""
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def blob(content: bytes) -> str:
    """Bytes as an SQL literal."""
    return "'" + "".join(f"\\x{byte:02X}" for byte in content) + "'::BLOB"


def number(cursor: duckdb.DuckDBPyConnection, query: str) -> int:
    """The one number that a query answers with; nothing is 0."""
    row = cursor.execute(query).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


BUGS = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.NotImplementedException,
    duckdb.TransactionException,
)
"""Errors of a statement, whatever the disk and the files hold."""


@contextlib.contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Replace DuckDB's own message, which may quote a row, by what DuckDB was doing."""
    try:
        yield
    except (duckdb.InterruptException, *BUGS):
        raise  # somebody asked to stop, as `stopping` says; or a statement of ours is wrong
    except duckdb.OutOfMemoryException:
        raise StorageError(
            f"{doing}: more memory or disk is needed than is allowed",
            remedy="free disk space for the working folder, or raise the memory limit",
        ) from None
    except (duckdb.Error, OSError) as foreign:
        full = _full(foreign)
        problem = full or f"the disk or a snapshot can't be read or written ({kind(foreign)})"
        raise StorageError(f"{doing}: {problem}", remedy=ROOM if full else CHECK) from None


READ_ERRORS = (duckdb.Error, UnicodeDecodeError)
"""What reading a file raises: DuckDB's own message may quote bytes that are no text."""


def is_ours(error: Exception) -> bool:
    """Our memory or disk is used up, or we asked to stop: whatever it was reading is not to blame."""
    return isinstance(error, duckdb.OutOfMemoryException | duckdb.InterruptException) or bool(_full(error))


def _full(error: Exception) -> str:
    """Why there is no room, or "". DuckDB tells the reason of the operating system in its text only."""
    if isinstance(error, OSError):
        return FULL.get(error.errno or 0, "")
    return next((why for code, why in FULL.items() if os.strerror(code) in str(error)), "")


def kind(error: Exception) -> str:
    """What kind of foreign error it is; never its text."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return type(error).__name__
