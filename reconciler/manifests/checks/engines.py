"""`engine` of an environment: what a cluster can't do is known before a run."""

from collections.abc import Iterator

from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.syntax.nodes import Issue, IssueRank


def check(inventory: ManifestIndex) -> Iterator[Issue]:
    """Yield what is wrong with the engine of the environment."""
    home = inventory.home
    if home and home.value("engine") is not None and home.value("sample") is not None:
        problem = "an engine in a cluster takes no sample"
        yield Issue(home.place("engine"), IssueRank.SCHEMA, problem, "remove `engine`, or `sample`")
