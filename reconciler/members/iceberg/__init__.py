"""Iceberg tables as sources: their metadata states which files have the rows of the current snapshot."""

METADATA_FOLDER = "metadata"
METADATA_SUFFIX = ".metadata.json"


def metadata_pattern(table: str) -> str:
    """Return what matches all files that state the current snapshot of a table."""
    return table if is_metadata(table) else f"{table}/{METADATA_FOLDER}/*"


def is_metadata(table: str) -> bool:
    """Return whether a table is named by a metadata file, and not by its folder."""
    return table.endswith(METADATA_SUFFIX)
