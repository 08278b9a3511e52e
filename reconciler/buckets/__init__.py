"""Object stores, for state and for sources; independent of both, without I/O on import."""

SCHEMES = ("s3://", "gs://", "az://")


def is_bucket(place: str) -> bool:
    """Return whether a location is in an object store."""
    return place.startswith(SCHEMES)
