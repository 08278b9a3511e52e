"""`file:PATH`: a file that its owner alone can read; relative paths start at the project root."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from reconciler.core.errors import AuthenticationError
from reconciler.core.secret import Secret
from reconciler.credentials.backends.base import MissingSecretError
from reconciler.disk.atomic import check_room, remove_temporary_files, replace_file
from reconciler.disk.file_lock import file_lock

OTHERS = stat.S_IRWXG | stat.S_IRWXO
LARGEST = 65_536
ROOM = 16_384
"""Bytes, more than any consent needs: there must be room for them before a token is spent."""


class FileBackend:
    """Secrets in files, one each; a line end at the end is not part of the secret."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def fetch(self, name: str) -> Secret:
        try:
            with (self._root / name).open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(LARGEST)
        except OSError as error:
            kind = MissingSecretError if isinstance(error, FileNotFoundError) else AuthenticationError
            raise kind(
                f"the secret file {name} can't be read: {os.strerror(error.errno or 0)}",
                remedy=f"create it, or change the reference file:{name} in the manifest",
            ) from None
        if mode & OTHERS:
            raise AuthenticationError(
                f"the secret file {name} is open to others (mode {stat.S_IMODE(mode):04o})",
                remedy=f"chmod 600 {name}",
            )
        return Secret(_text(name, content))

    def store(self, name: str, secret: Secret) -> None:
        replace_file(self._place(name), secret.reveal().encode())

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """A file beside it, which stays. What a killed writer left unfinished is removed."""
        path = self._place(name)
        taken = f"another run holds file:{name}"
        with file_lock(path.with_name(f".{path.name}.lock"), taken, "renewing", datetime.now(UTC)):
            remove_temporary_files(path.parent, path.name)
            check_room(path, ROOM)
            yield

    def _place(self, name: str) -> Path:
        """Return the path with links resolved, so that all users of the file share its lock."""
        path = (self._root / name).resolve()
        if not path.parent.is_dir():
            raise AuthenticationError(
                f"there is no folder for the secret file {name}", remedy=f"mkdir -p {Path(name).parent}"
            )
        return path


def _text(name: str, content: bytes) -> str:
    try:
        value = content.decode().strip()
    except UnicodeDecodeError:
        value = ""
    if not value:
        raise AuthenticationError(
            f"the secret file {name} holds no text", remedy=f"write the secret into {name}, and nothing else"
        )
    return value
