"""The one date or time of a `freshness` query."""

from datetime import UTC, date, datetime

from reconciler.members.queries.problems import QueryError, QueryProblem


def moment(rows: list[tuple[object, ...]]) -> datetime:
    """Return it in UTC. Raises QueryError for all else."""
    if len(rows) != 1 or len(rows[0]) != 1:
        raise QueryError(QueryProblem.NO_TIME)
    value = rows[0][0]
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise QueryError(QueryProblem.NO_TIME) from None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise QueryError(QueryProblem.NO_TIME)
