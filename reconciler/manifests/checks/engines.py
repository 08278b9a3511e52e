"""`engine` of an environment: what a cluster can't do is known before a run."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.syntax.nodes import Issue, IssueRank

LOCAL, TLS = "local", "/;use_ssl=true"


def check(inventory: ManifestIndex) -> Iterator[Issue]:
    """Yield what is wrong with the engine of the environment."""
    home = inventory.home
    if home and home.value("engine") is not None and home.value("sample") is not None:
        problem = "an engine in a cluster takes no sample"
        yield Issue(home.place("engine"), IssueRank.SCHEMA, problem, "remove `engine`, or `sample`")
    if home and home.value("engine", "token") is not None:
        spark = str(home.value("engine", "spark"))
        if spark == LOCAL:
            problem, remedy = "Spark on this machine takes no token", "remove `token`"
            yield Issue(home.place("engine", "token"), IssueRank.SCHEMA, problem, remedy)
        elif not spark.endswith(TLS) and urlsplit(spark).hostname != "localhost":
            problem = "without TLS, the token and the members can be read on the way to this server"
            yield Issue(home.place("engine", "spark"), IssueRank.SCHEMA, problem, f"append {TLS} to the URL")
