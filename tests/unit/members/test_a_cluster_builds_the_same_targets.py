"""Targets that are built in a cluster are those of one machine: same members, digests, counts and drops.

The cluster is a fake: tasks are pickled, and run here. tests/e2e has the same with a real one.
"""

from pathlib import Path

import pytest
from support.fakes.cluster import ClusterHere
from support.nasty_project import KINDS, nasty_project
from support.source_project import CUSTOMER, EMAIL, make

from reconciler.core.errors import ConfigurationError
from reconciler.core.members import DropReason
from reconciler.core.model import Hashing

pytestmark = pytest.mark.promise("members")


def test_nasty_identifiers_lists_and_erased_people(tmp_path: Path) -> None:
    project, cluster = nasty_project(tmp_path), ClusterHere()
    alone = project.build(*KINDS)
    project.cluster = cluster
    assert project.build(*KINDS) == alone
    reasons = {reason for _, target in alone for reason, _ in target.drops}
    assert reasons >= set(DropReason) - {DropReason.NOT_SAMPLED, DropReason.SUPPRESSED}
    assert not any(key * 32 in one for one in cluster.travelled for key in (b"k", b"e", b"f"))


def test_each_task_reads_some_of_the_files(tmp_path: Path) -> None:
    project, cluster = nasty_project(tmp_path), ClusterHere()
    project.cluster = cluster
    project.build((EMAIL, Hashing.SHA256))
    assert sum(b"ReadShare" in one for one in cluster.travelled) == 4


def test_a_value_that_stops_an_audience_is_reported_as_on_one_machine(tmp_path: Path) -> None:
    project = make(tmp_path).reads("*.csv", where="visits > 3")
    project.write("a.csv", "email,id,visits\nanna@example.com,1,4\n")
    project.write("b.csv", "email,id,visits\nbert@example.com,2,many\n")
    alone = project.refusal()
    project.cluster = ClusterHere()
    assert project.refusal() == alone


def test_a_cluster_takes_no_sample(tmp_path: Path) -> None:
    project = make(tmp_path).reads("a.csv")
    project.write("a.csv", "email,id\nanna@example.com,1\n")
    project.cluster, project.sample_rows = ClusterHere(), 10
    with pytest.raises(ConfigurationError, match="takes no sample"):
        project.build((CUSTOMER, Hashing.NONE))
