"""Where the files of sources lie: in a folder, or in an object store, from which they are brought to one."""

import errno
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from reconciler.buckets import is_bucket, is_elsewhere
from reconciler.core.errors import ConfigurationError
from reconciler.core.reuse import FileIdentity, SourceIdentity
from reconciler.members.byte_ranges import Range

CHECKED = "reconciler-checked-"
"""What folders begin with that hold what was packed in sources."""


def is_outside(pattern: str) -> bool:
    """Return whether a pattern names files outside the data root."""
    return "://" in pattern or Path(pattern).is_absolute() or ".." in Path(pattern).parts


def is_source(path: Path) -> bool:
    """Return whether a file that matches is read: tools hide unfinished files behind `.` or `_`."""
    return not path.name.startswith((".", "_"))


class SourceChangedError(Exception):
    """A file is not what it was when it was first looked at."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file


class NoListingError(Exception):
    """A pattern has a wildcard, and the files of this place can't be listed."""


class DataRoot(Protocol):
    """`folder` is absolute and without links in it; all files are below it. `name` is what people call it."""

    name: str

    @property
    def folder(self) -> Path: ...

    def matching(self, pattern: str) -> list[Path]:
        """Files as `Path.glob` finds them. What lies in an object store can't be read yet.

        Raises NoListingError, StorageError.
        """
        ...

    def bring(self, files: Sequence[Path]) -> None:
        """Makes files that matched readable; of large Parquet files in an object store, the footer only.

        Raises SourceChangedError, StorageError.
        """
        ...

    def is_whole(self, file: Path) -> bool:
        """Return whether all bytes of a file that was brought are there."""
        ...

    def bring_ranges(self, file: Path, ranges: Iterable[Range]) -> None:
        """Make ranges of bytes of a file readable that is not whole. Raises as `bring` does."""
        ...

    def identities(self, pattern: str) -> tuple[SourceIdentity, ...]:
        """Return what identifies the source files that match now; empty if any has no identity.

        No content is read. An object store is asked for a listing only. Raises StorageError if it fails.
        """
        ...


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, folder: Path, name: str = "") -> None:
        self.folder = folder.resolve()
        self.name = name or str(folder)

    def matching(self, pattern: str) -> list[Path]:
        try:
            return [path for path in self.folder.glob(pattern) if path.is_file()]
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # no file has such a name
                return []
            raise

    def bring(self, files: Sequence[Path]) -> None:
        """They are there already."""

    def is_whole(self, file: Path) -> bool:  # noqa: ARG002 - part of the protocol
        return True

    def bring_ranges(self, file: Path, ranges: Iterable[Range]) -> None:
        """They are there already."""

    def identities(self, pattern: str) -> tuple[SourceIdentity, ...]:
        if is_outside(pattern):
            return ()
        try:
            return tuple(_identity(path) for path in self.matching(pattern) if is_source(path))
        except OSError:
            return ()


def _identity(path: Path) -> FileIdentity:
    """A link is identified by the file that it leads to."""
    found = path.stat()
    return FileIdentity(
        str(path), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    )


def open_root(
    data_root: str,
    scratch: Callable[[], Path],
    check: Callable[[], None],
    where: str = "",
    project: Path = Path(),
) -> DataRoot:
    """A folder, `s3://BUCKET/PREFIX`, `gs://…`, `az://…`, or `https://HOST/FOLDER`.

    `scratch` is where files are brought that are not in a folder. `check` is called time and again while they
    are, and raises when somebody asks to stop. `where` a bucket is named, for messages. A folder is relative
    to `project`. ConfigurationError for what is neither.
    """
    if is_bucket(data_root):
        from reconciler.members.bucket_mirror import mirror

        return mirror(data_root, scratch(), check, where)
    if is_elsewhere(data_root):
        from reconciler.members.https_files import https_root

        return https_root(data_root, scratch(), check, where)
    return local(data_root, project)


def local(data_root: str, project: Path = Path()) -> LocalFolder:
    """The same where no object store is meant."""
    path = data_root.removeprefix("file://")
    if "://" in path:
        raise ConfigurationError(
            f"data.root: {path.partition('://')[0]}:// can't be read",
            remedy="name a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or https://HOST/FOLDER",
        )
    return LocalFolder(project / path, path)
