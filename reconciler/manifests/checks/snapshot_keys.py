"""The key of snapshots, which must not be the key of tokens."""

from collections.abc import Iterator

from reconciler.core.model import SEALING_KEY
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.syntax.nodes import Issue, IssueRank


def check(inventory: ManifestIndex) -> Iterator[Issue]:
    """Yield an issue if a job that only reads snapshots would get the key of tokens."""
    home = inventory.home
    if home is None or not (key := home.value("state", "snapshotKey")):
        return
    if key == (home.value("state", "sealingKey") or SEALING_KEY):
        yield Issue(
            home.place("state", "snapshotKey"),
            IssueRank.SCHEMA,
            "this is the key of `state:` secrets too: a job that plans would be able to read tokens",
            "make another key with `openssl rand -base64 32`, and name that",
        )
