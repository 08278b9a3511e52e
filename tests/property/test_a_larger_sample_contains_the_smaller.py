"""A sample depends on the identifiers alone: a larger one contains each smaller one, in every destination."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.source_project import CUSTOMER, EMAIL, make

from reconciler.core.model import Hashing

pytestmark = pytest.mark.promise("members")

KINDS = ((EMAIL, Hashing.SHA256), (EMAIL, Hashing.NONE), (CUSTOMER, Hashing.NONE))

emails = st.one_of(st.integers(0, 30).map("p{}@example.com".format), st.sampled_from(["", "no address"]))
customers = st.one_of(st.integers(0, 30).map(str), st.just(""))
rows = st.lists(st.tuples(emails, customers), min_size=1, max_size=60)


def written(content: list[tuple[str, str]]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows([("email", "id"), *content])
    return file.getvalue()


@settings(max_examples=12, deadline=None)
@given(content=rows, listed=st.lists(emails, max_size=6), small=st.integers(1, 40), more=st.integers(0, 40))
def test_a_larger_sample_contains_each_smaller_one(
    content: list[tuple[str, str]], listed: list[str], small: int, more: int
):
    with TemporaryDirectory() as folder:
        project = make(Path(folder))
        project.write("a.csv", written(content))
        project.write("list.csv", written([(one, "") for one in ["x@example.com", *listed]]))
        project.reads("a.csv").excludes("list.csv").sample_rows = small
        smaller = project.build(*KINDS)
        project.sample_rows = small + more
        larger = project.build(*KINDS)
        project.sample_rows = None
        everyone = project.build(*KINDS)
    for (few, _), (many, _), (everything, _) in zip(smaller, larger, everyone, strict=True):
        assert few <= many <= everything


@settings(max_examples=8, deadline=None)
@given(content=rows, added=rows, size=st.integers(1, 40))
def test_more_rows_never_let_a_member_into_a_sample_that_was_outside(
    content: list[tuple[str, str]], added: list[tuple[str, str]], size: int
):
    """New members push others out; none of the earlier ones takes a place."""
    with TemporaryDirectory() as folder:
        project = make(Path(folder))
        project.sample_rows = size
        project.write("a.csv", written(content))
        before = project.reads("a.csv", columns={EMAIL: "email"}).emails()
        project.write("a.csv", written([*content, *added]))
        after = project.emails()
    assert not (after - before) & {email for email, _ in content}
