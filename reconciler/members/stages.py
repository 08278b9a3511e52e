"""Where the rows of an environment are read: here, or in a cluster that is opened once in a run."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.core.erasure import ErasureList
from reconciler.core.model import Environment
from reconciler.core.secret import Secret
from reconciler.members.data_root import DataRoot

if TYPE_CHECKING:
    from reconciler.members.group_rows import Stage
    from reconciler.members.member_changes import Compare
    from reconciler.members.spark.session import SparkCluster
    from reconciler.members.spark.workplace import Workplace


@dataclass(slots=True)
class Stages:
    """`spark` is `local` or the URL of a server, "" for this machine. `open` closes the cluster.

    `token` is the reference of a token for that server, "" if it needs none. `fetch` reads it.
    """

    spark: str
    token: str
    fetch: Callable[[str], Secret]
    check: Callable[[], None]
    open: ExitStack
    _cluster: "SparkCluster | None" = None

    @classmethod
    def of(
        cls,
        environment: Environment,
        fetch: Callable[[str], Secret],
        check: Callable[[], None],
        open_: ExitStack,
    ) -> "Stages":
        """Return where the rows of an environment are read."""
        return cls(environment.spark, environment.spark_token, fetch, check, open_)

    def here(self) -> "Stages":
        """Return the same without a cluster, for a few rows."""
        return replace(self, spark="")

    def choose(self, root: DataRoot, erasures: ErasureList) -> "tuple[Stage, Compare]":
        """Return where rows are read and sets compared. A cluster is opened only when it gets work."""
        from reconciler.members.group_rows import RowsHere
        from reconciler.members.member_changes import changed_here

        if not self.spark:
            return RowsHere, changed_here
        from reconciler.members.spark.changes import ClusterChanges
        from reconciler.members.spark.staging import ClusterStage

        stage = ClusterStage(self._opened, root.folder, erasures)
        return stage, ClusterChanges(stage)

    def _opened(self, place: "Workplace") -> "SparkCluster":
        from reconciler.members.spark.session import NO_TOKEN, open_cluster, prove

        if self._cluster is None:
            token = self.fetch(self.token) if self.token else NO_TOKEN
            opened = open_cluster(self.spark, place.scratch, self.check, token)
            self._cluster = self.open.enter_context(opened)
        prove(self._cluster, place)
        return self._cluster
