"""When a source file was last written, and whether it is still the same; never reads one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What tells one content of a file from another, as far as its directory entry knows.

    Not its inode: mounted buckets give a file another one each time they are asked.
    """

    file: Path
    size: int
    modified: int

    @property
    def written_at(self) -> datetime:
        """Of a file that claims to be older or newer than any calendar, the end of the calendar."""
        try:
            return datetime.fromtimestamp(self.modified / 1e9, UTC)
        except (ValueError, OverflowError, OSError):
            return datetime(9999 if self.modified > 0 else 1, 12, 31, tzinfo=UTC)

    def holds(self) -> bool:
        """The file is there, and as it was."""
        try:
            return stamp(self.file) == self
        except OSError:
            return False


def stamp(file: Path) -> FileStamp:
    found = file.stat()
    return FileStamp(file, found.st_size, found.st_mtime_ns)
