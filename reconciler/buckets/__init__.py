"""Object stores, for state and for sources; independent of both, without I/O on import."""

SCHEMES = ("s3://", "gs://", "az://")


def is_bucket(place: str) -> bool:
    """Return whether a location is in an object store."""
    return place.startswith(SCHEMES)


def is_elsewhere(place: str) -> bool:
    """Return whether sources are in an object store or on a web server, and not in a folder."""
    return place.startswith((*SCHEMES, "https://"))
