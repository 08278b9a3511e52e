"""Object stores, for state and for sources; knows nothing of either, and asks nothing on import."""

SCHEMES = ("s3://", "gs://", "az://")


def is_bucket(place: str) -> bool:
    """Whether a place is in an object store, and not on a disk."""
    return place.startswith(SCHEMES)
