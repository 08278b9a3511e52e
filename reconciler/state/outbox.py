"""Resource states acknowledged while their store was unreachable: kept here, written by the next run.

They are not essential: without them, the batches that they acknowledge are sent again.
"""

from dataclasses import dataclass
from pathlib import Path

from reconciler.core.errors import StorageError
from reconciler.core.state.codec import decode_resource, dump, encode_resource, parse
from reconciler.core.state.resource import ResourceState
from reconciler.disk.atomic import names_in, read_file, remove_file, remove_temporary_files, replace_file
from reconciler.disk.private_dir import private_directory
from reconciler.state.local_layout import resource_name


@dataclass(frozen=True, slots=True)
class PendingWrite:
    """`before` is the content of the store as last known; `after` is written only over that content."""

    before: ResourceState | None
    after: ResourceState


class Outbox:
    """A folder on this machine, with one file per address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, leftover: PendingWrite) -> None:
        """Keep the newest state of an address; `before` stays that of the first."""
        file = private_directory(self._folder) / resource_name(leftover.after.address)
        earlier = self._read(file)
        before = earlier.before if earlier else leftover.before
        plain: dict[str, object] = {
            "before": encode_resource(before) if before else None,
            "after": encode_resource(leftover.after),
        }
        replace_file(file, dump(plain))

    def all(self) -> list[PendingWrite]:
        """Return the readable entries."""
        found = (self._read(self._folder / name) for name in sorted(names_in(self._folder)))
        return [one for one in found if one is not None]

    def forget(self) -> None:
        if self._folder.is_dir():
            remove_temporary_files(self._folder)
        for name in names_in(self._folder):
            remove_file(self._folder / name)

    def _read(self, file: Path) -> PendingWrite | None:
        content = read_file(file)
        try:
            if content is None:
                return None
            data = parse(content)
            before = decode_resource(data["before"]) if data["before"] is not None else None
            return PendingWrite(before, decode_resource(data["after"]))
        except (StorageError, KeyError):
            return None
