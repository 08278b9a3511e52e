"""An object store in memory that holds a data root, and the members that are read from it."""

from pathlib import Path

from support import source_project
from support.fakes.clock import NOON
from support.fakes.tagged_objects import TaggedObjects, of_write
from support.source_project import CUSTOMER, Project, build, look

from reconciler.buckets.connection import BucketLocation
from reconciler.buckets.source_objects import SourceBucket
from reconciler.core.model import Hashing
from reconciler.members.bucket_mirror import Mirror
from reconciler.members.engine import DuckDbEngine
from reconciler.members.identities import identify

KIND = (CUSTOMER, Hashing.NONE)
AT = BucketLocation("s3://acme/exports", "create it", "ask for rights", "look at the network")


class Bucket(TaggedObjects):
    """Objects in memory. `read` are the keys that were read."""

    def __init__(self) -> None:
        super().__init__(of_write, lambda: NOON)
        self.read: set[str] = set()

    def get(self, path: str, **how: object) -> object:
        self.read.add(path)
        return super().get(path, **how)

    def holds(self, folder: Path) -> None:
        """Have the files of a folder, and no others."""
        for key in [one["path"] for some in self.list(None) for one in some]:
            self.delete(key)
        for file in (one for one in folder.rglob("*") if one.is_file()):
            self.put(file.relative_to(folder).as_posix(), file.read_bytes())


def root(bucket: Bucket, folder: Path) -> Mirror:
    folder.mkdir(parents=True)
    return Mirror(SourceBucket(bucket, AT), folder, lambda: None, AT.url)


def members(bucket: Bucket, project: Project, folder: Path) -> frozenset[str]:
    files = root(bucket, folder / "brought")
    with DuckDbEngine(files, folder / "work", source_project.never, b"k" * 32, None) as engine:
        return look(engine, build(engine, project.audience, [KIND])[KIND].members)


def identity(bucket: Bucket, project: Project, folder: Path) -> object:
    """Return what identifies the source of a project while the bucket holds its files."""
    bucket.holds(project.root)
    return identify(root(bucket, folder), [project.audience], None).files["a"]
