"""Sources that are queries, and the databases that they are asked of."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.core.database import Driver, TlsMode
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.suggestions import choices, printable_names
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument

_OF_SERVERS = ("host", "port", "tls", "plan")
_OF_DATABASES = ("database", "caFile", "user", "password", "plan.user", "plan.password")
_OF_FLIGHT_SQL = ("token", "dialect", "plan.token")
_OF_BIGQUERY = (
    *("project", "dataset", "location", "serviceAccountKey"),
    *("plan.serviceAccountKey", "plan.maxBytesBilled"),
)
_OF_SNOWFLAKE = (
    *("warehouse", "role", "privateKey"),
    *("plan.warehouse", "plan.role", "plan.privateKey"),
)
_OF_DATABRICKS = (
    *("host", "port", "tls", "plan", "token", "clientId", "clientSecret", "warehouseId", "catalog", "schema"),
    *("plan.token", "plan.clientId", "plan.clientSecret", "plan.warehouseId"),
)
_KEYS: Mapping[Driver, tuple[str, ...]] = {
    Driver.SQLITE: ("file",),
    Driver.DUCKDB: ("file",),
    Driver.POSTGRESQL: (*_OF_SERVERS, *_OF_DATABASES),
    Driver.MYSQL: (*_OF_SERVERS, *_OF_DATABASES),
    Driver.FLIGHTSQL: (*_OF_SERVERS, *_OF_DATABASES, *_OF_FLIGHT_SQL),
    Driver.BIGQUERY: (*_OF_SERVERS, *_OF_BIGQUERY),
    Driver.SNOWFLAKE: (
        *(one for one in (*_OF_SERVERS, *_OF_DATABASES) if one != "caFile"),
        *_OF_SNOWFLAKE,
    ),
    Driver.DATABRICKS: _OF_DATABRICKS,
}
"""The keys that some drivers have, and which have them. All have the others."""
_SOME = tuple(dict.fromkeys(key for keys in _KEYS.values() for key in keys))
_LOGINS: tuple[tuple[str, ...], ...] = ((), ("plan",))
_ENDPOINT = re.compile(r"bigquery([.-][a-z0-9.-]+)?\.googleapis\.com")
_WORKSPACE = re.compile(
    r"[a-z0-9.-]+\.(databricks\.com|azuredatabricks\.net|databricks\.us|databricks\.azure\.(us|cn))"
)
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def check(inventory: ManifestIndex) -> Iterator[Issue]:
    """Everything that no schema states."""
    for one in inventory.declared["Connection"]:
        yield from _connection(one)
    for audience in inventory.declared["Audience"]:
        yield from _source(inventory, audience)


def _connection(one: ManifestDocument) -> Iterator[Issue]:
    """A key of another driver, and a password that anybody on the way could read."""
    driver = one.text_of("driver")
    if driver not in set(Driver):
        return
    yield from _foreign(one, Driver(driver))
    if driver == Driver.FLIGHTSQL:
        yield from _beside_token(one, ("user", "password"))
    mode = one.text_of("tls") or TlsMode.VERIFY_FULL
    if mode != TlsMode.VERIFY_FULL and one.text_of("caFile"):
        problem = f"`caFile` is not used with `tls: {mode}`"
        yield _flaw(one, ("caFile",), problem, "remove it, or write `tls: verify-full`")
    if driver == Driver.BIGQUERY:
        yield from _bigquery(one)
    if driver == Driver.SNOWFLAKE:
        yield from _snowflake(one)
    if driver == Driver.DATABRICKS:
        yield from _databricks(one)
    if one.text_of("tls") == TlsMode.DISABLE and one.text_of("host") not in _HERE | {""}:
        problem = "without TLS, the password and the members can be read on the way to this host"
        yield _flaw(one, ("tls",), problem, "write verify-full or require; disable is for localhost")


def _foreign(one: ManifestDocument, driver: Driver) -> Iterator[Issue]:
    """A key that only other drivers have."""
    known = _KEYS[driver]
    for key in _SOME:
        path = tuple(key.split("."))
        is_stated = one.value(*path) is not None and (len(path) == 1 or path[0] in known)
        if is_stated and key not in known:
            remedy = "remove it, or choose another `driver`"
            yield _flaw(one, path, f"the driver {driver} has no `{path[-1]}`", remedy)


def _bigquery(one: ManifestDocument) -> Iterator[Issue]:
    """A host that is not Google's: it would get the credentials."""
    host = one.text_of("host")
    if host and host not in _HERE and not _ENDPOINT.fullmatch(host):
        problem = "this is not an endpoint of BigQuery, and would get the credentials"
        remedy = "remove it, or write an endpoint of Google, such as bigquery.europe-west3.rep.googleapis.com"
        yield _flaw(one, ("host",), problem, remedy)
    if one.text_of("tls") == TlsMode.REQUIRE or (one.text_of("tls") == TlsMode.DISABLE and not host):
        problem = "the driver bigquery verifies the certificate of the server"
        yield _flaw(one, ("tls",), problem, "remove it; disable is for localhost")


def _snowflake(one: ManifestDocument) -> Iterator[Issue]:
    """Two logins in place of one, and a mode of TLS that the driver lacks."""
    for login in _LOGINS:
        if {"password", "privateKey"} <= (one.value(*login) or {}).keys():
            problem = "`privateKey` and `password` are two logins"
            yield _flaw(one, (*login, "password"), problem, "keep one of the two")
    if one.text_of("tls") == TlsMode.REQUIRE:
        problem = "the driver snowflake verifies the certificate of the server"
        yield _flaw(one, ("tls",), problem, "remove it; disable is for localhost")


def _databricks(one: ManifestDocument) -> Iterator[Issue]:
    """A host that is not of Databricks: it would get the token."""
    yield from _beside_token(one, ("clientId", "clientSecret"))
    host = one.text_of("host")
    if host and host not in _HERE and not _WORKSPACE.fullmatch(host.lower()):
        problem = "this is not the host of a workspace of Databricks, and would get the token"
        yield _flaw(
            one, ("host",), problem, "write the host of its URL, such as dbc-a1b2.cloud.databricks.com"
        )
    if one.text_of("tls") == TlsMode.REQUIRE:
        problem = "the driver databricks verifies the certificate of the server"
        yield _flaw(one, ("tls",), problem, "remove it; disable is for localhost")


def _beside_token(one: ManifestDocument, keys: tuple[str, ...]) -> Iterator[Issue]:
    """Two logins in place of one."""
    for login in _LOGINS:
        named = [key for key in keys if one.value(*login, key) is not None]
        if named and one.value(*login, "token") is not None:
            problem = f"`token` and `{named[0]}` are two logins"
            yield _flaw(one, (*login, "token"), problem, "keep one of the two")


def _source(inventory: ManifestIndex, audience: ManifestDocument) -> Iterator[Issue]:
    source = audience.value("source")
    if not isinstance(source, dict):
        return
    kinds = [one for one in ("files", "delta", "iceberg", "query", "table") if one in source]
    for one in kinds[:-1]:
        problem = f"`source` has `{one}` and `{kinds[-1]}`"
        yield _flaw(audience, ("source", one), problem, "keep one of the two")
    if "table" not in source:
        for one in ("connection", "freshness"):
            if one in source:
                remedy = "move it into `query`, or remove it"
                yield _flaw(audience, ("source", one), f"`{one}` of a source goes with `table`", remedy)
    yield from _statement(audience, source.get("query"))
    path = _asked(audience)
    if path and isinstance(asked := audience.value(*path), dict):
        yield from _connected(inventory, audience, path)
        if "maxAge" in source and "freshness" not in asked:
            problem = f"`maxAge` needs a time, and the {kinds[-1]} has no `freshness`"
            remedy = "add `freshness:`, such as SELECT max(loaded_at) FROM customers"
            yield _flaw(audience, ("source", "maxAge"), problem, remedy)


def _statement(audience: ManifestDocument, query: Any) -> Iterator[Issue]:
    if isinstance(query, dict) and {"sql", "file"} <= query.keys():
        remedy = "keep one of the two"
        yield _flaw(audience, ("source", "query", "sql"), "`query` has `sql` and `file`", remedy)


def _asked(audience: ManifestDocument) -> tuple[str, ...]:
    """Return the path of what names a connection; empty if the source is files."""
    source = audience.value("source")
    if not isinstance(source, dict) or not {"query", "table"} & source.keys():
        return ()
    return ("source",) if "table" in source else ("source", "query")


def _connected(
    inventory: ManifestIndex, audience: ManifestDocument, path: tuple[str, ...]
) -> Iterator[Issue]:
    name = audience.value(*path, "connection")
    if inventory.complete and name and name not in inventory.named["Connection"]:
        here = choices(name, printable_names(inventory.named["Connection"]), call="connections here")
        file = f"environments/{inventory.environment}/connections.yaml"
        remedy = f"{here}; declare others in {file}, because promotion carries none"
        yield _flaw(audience, (*path, "connection"), "there is no Connection of that name", remedy)


def _flaw(one: ManifestDocument, path: tuple[str, ...], problem: str, remedy: str) -> Issue:
    return Issue(one.place(*path), IssueRank.SCHEMA, problem, remedy)


def notes(inventory: ManifestIndex) -> Iterator[str]:
    """Yield a note for each connection that no source uses."""
    audiences = inventory.declared["Audience"]
    used = {one.value(*path, "connection") for one in audiences if (path := _asked(one))}
    for document in inventory.declared["Connection"]:
        if document.name not in used:
            yield f"{document.place('name')}: no audience uses this connection"
