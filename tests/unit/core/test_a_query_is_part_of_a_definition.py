"""A query, its connection and where it leads are what a reviewer approves; logins are not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from golden import plan_cases as cases

from reconciler.core.database import DatabaseConnection, Driver, Login, Server
from reconciler.core.definition import parts_of
from reconciler.core.members import EMPTY_SNAPSHOT, TargetMembers
from reconciler.core.model import Query, SegmentSpec
from reconciler.core.plan.guards import stale_sources
from reconciler.core.portable_definition import portable_parts
from reconciler.core.promotion.gate import PortablePart
from reconciler.core.role_choice import READING, WRITING

SPEC = cases.LAPSED
QUERY = Query("warehouse", "SELECT email\n  FROM customers", "SELECT max(loaded_at) FROM customers")
SERVER = Server("db.example.com", 5432, "crm")
CONNECTION = DatabaseConnection("warehouse", Driver.POSTGRESQL, server=SERVER, login=Login("env:A", "env:B"))


def queried(query: Query) -> SegmentSpec:
    source = replace(SPEC.audience.source, files=(), query=query)
    return replace(SPEC, audience=replace(SPEC.audience, source=source))


def test_a_reviewer_sees_the_query_in_parts() -> None:
    parts = dict(parts_of(queried(replace(QUERY, leads_to=CONNECTION.leads_to))))
    assert parts["source.query.connection"] == "warehouse"
    assert parts["source.query.sql"] == "SELECT email FROM customers"
    assert parts["source.query.freshness"] == "SELECT max(loaded_at) FROM customers"
    assert parts["connection"] == "postgresql://db.example.com:5432/crm"
    assert "source.files" not in parts


def test_a_reviewer_sees_the_table_that_is_read_as_a_whole() -> None:
    table = Query("warehouse", "SELECT * FROM customers", table="customers")
    parts = dict(parts_of(queried(table)))
    assert (parts["source.table"], parts["source.connection"]) == ("customers", "warehouse")
    assert not [one for one in parts if one.startswith("source.query")]


@pytest.mark.parametrize(
    "changed",
    [
        replace(QUERY, connection="other"),
        replace(QUERY, sql="SELECT email FROM everybody"),
        replace(QUERY, freshness=""),
        replace(QUERY, leads_to="sqlite:other.sqlite"),
    ],
)
def test_each_part_of_a_query_is_approved(changed: Query) -> None:
    assert queried(changed).definition != queried(QUERY).definition


def test_where_a_connection_leads_belongs_to_its_environment() -> None:
    def source(query: Query) -> str:
        return portable_parts(queried(query))[PortablePart.SOURCE]

    assert source(QUERY) == source(replace(QUERY, leads_to="sqlite:other.sqlite"))
    assert source(QUERY) != source(replace(QUERY, sql="SELECT 1"))
    assert source(QUERY) != portable_parts(SPEC)[PortablePart.SOURCE]


def test_a_plan_has_a_login_of_its_own_where_one_is_declared() -> None:
    assert (READING(CONNECTION), WRITING(CONNECTION)) == (CONNECTION.writing, CONNECTION.writing)
    assert CONNECTION.roles() == (CONNECTION.writing,)
    planning = replace(CONNECTION, plan_login=Login("env:C", "env:D"))
    assert READING(planning).login.user == "env:C"
    assert [str(one) for one in planning.roles()] == ["warehouse", "warehouse (plan)"]


def test_a_file_leads_to_itself() -> None:
    file = DatabaseConnection("crm", Driver.SQLITE, file="crm.sqlite")
    assert file.leads_to == "sqlite:crm.sqlite"
    assert [one for one in Driver if one.is_a_file] == [Driver.SQLITE, Driver.DUCKDB]


def test_old_rows_are_named_as_rows() -> None:
    now = datetime(2026, 11, 30, tzinfo=UTC)
    spec = queried(QUERY)
    source = replace(spec.audience.source, max_age=timedelta(hours=36))
    spec = replace(spec, audience=replace(spec.audience, source=source))
    target = TargetMembers(EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, 0, (), newest=now - timedelta(days=3))
    [found] = stale_sources(spec, target, now)
    assert "the newest source row is" in found.problem
    assert found.remedy.startswith("deliver fresh rows")
