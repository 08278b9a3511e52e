"""Why sources can't be read, in our words."""

import duckdb

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.members.prepare import PreparedAudience
from reconciler.members.sources import unreadable
from reconciler.members.time_limit import READING

CONVERSIONS = (duckdb.ConversionException, duckdb.OutOfRangeException)


def refusal(name: str, problem: Finding) -> ConfigurationError:
    return ConfigurationError(f"{name}: its sources can't be read", findings=(problem,))


def is_of_condition(error: Exception) -> bool:
    """Whether a `where` fails on a value, and no file is damaged.

    DuckDB raises one type for a value that doesn't convert and for a damaged file, and has no code: its
    readers begin their texts with the format.
    """
    return isinstance(error, CONVERSIONS) or (
        isinstance(error, duckdb.InvalidInputException)
        and "CSV" not in str(error)
        and "JSON" not in str(error)
    )


def explained(error: Exception, prepared: PreparedAudience) -> Finding:
    """A file that can't be read, or a `where` that fails on a value of it. DuckDB's text names the file."""
    if is_of_condition(error):
        named = ", ".join(prepared.condition.columns)
        remedy = "use try_cast or try_strptime for values that may not convert"
        return Finding(str(prepared.condition.place), f"`where` fails on a value of {named}", remedy)
    one = next(
        (one for one in prepared.lists if any(str(file.path) in str(error) for file in one.table.files)), None
    )
    table = one.table if one else prepared.table
    return unreadable(error, table.called, table.place)


def overdue(prepared: PreparedAudience) -> Finding:
    problem = f"reading the rows of this `where` takes more than {READING // 60} minutes"
    return Finding(str(prepared.condition.place), problem, "prepare the column in the source")
