"""Identifiers on standard input, one on each line. An error names a line by its number, never its content."""

import sys
from collections.abc import Iterator

import click

from reconciler.core.errors import ConfigurationError

MOST = 10_000
"""Lines of one run: they are held in memory."""
LONGEST_LINE = 4_096


def read_lines() -> list[str]:
    """Return the lines of standard input. ConfigurationError with the number of a line that is no text."""
    if sys.stdin.isatty():
        raise click.UsageError("Standard input is a terminal. Pass a file: `reconciler find ENV < FILE`.")
    return list(_lines())


def _lines() -> Iterator[str]:
    for number, line in enumerate(sys.stdin.buffer, 1):
        if number > MOST:
            raise ConfigurationError(
                f"standard input has more than {MOST:,} lines",
                remedy="split the input, and run the command once for each part",
            )
        if len(line) > LONGEST_LINE:
            raise ConfigurationError(
                f"line {number} of standard input has more than {LONGEST_LINE:,} bytes",
                remedy="write one identifier on each line",
            )
        try:
            yield line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise ConfigurationError(
                f"line {number} of standard input is not UTF-8", remedy="convert the input to UTF-8"
            ) from None
