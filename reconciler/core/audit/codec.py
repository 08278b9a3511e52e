"""Entries of the audit log as JSON: one form for one entry, so that any other byte is found."""

from reconciler.core.audit.model import FORMAT, AuditEntry, StoredEntry
from reconciler.core.errors import StorageError
from reconciler.core.state.codec import UnsupportedFormatError, decode_value, dump, encode_value, parse


def entry_bytes(entry: AuditEntry) -> bytes:
    return dump(encode_value(entry))


def read_entry(stored: StoredEntry) -> AuditEntry:
    """Return the entry. StorageError unless its content is exactly what reconciler wrote."""
    data = parse(stored.content)
    version = data.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise UnsupportedFormatError(
            f"format {version}: a newer reconciler wrote it, this one reads {FORMAT}"
        )
    entry = decode_value(data, AuditEntry, "entry")
    if (entry.begin is None) == (entry.end is None) or entry_bytes(entry) != stored.content:
        raise StorageError("it is not in the form that reconciler writes")
    return entry
