"""The leases of a test, and its patience with the store, in a process of the real program."""

from datetime import timedelta

MARGIN = 0.3
"""Seconds between the longest call and the end of a lease."""


def hurry(beat: int) -> None:
    """Renew leases each `beat` milliseconds, and try a request to the store for two seconds."""
    from reconciler.buckets import connection
    from reconciler.state import bucket_store, lease

    lease.MARGIN, lease.BEAT = timedelta(seconds=MARGIN), timedelta(milliseconds=beat)
    bucket_store.BEAT = lease.BEAT
    connection.RETRIES, connection.PATIENCE = 2, timedelta(seconds=2)
