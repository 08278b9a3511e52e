"""Sources that are queries, and the databases that they are asked of."""

from collections.abc import Iterator
from typing import Any

from reconciler.core.database import Driver, TlsMode
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.suggestions import choices, printable_names
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument

_OF_FILES = ("file",)
_OF_SERVERS = ("host", "port", "database", "tls", "caFile", "user", "password", "plan")
_OF_FLIGHT_SQL: tuple[tuple[str, ...], ...] = (("token",), ("dialect",), ("plan", "token"))
_LOGINS: tuple[tuple[str, ...], ...] = ((), ("plan",))
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
    others: list[tuple[str, ...]] = [
        (key,) for key in (_OF_SERVERS if Driver(driver).is_a_file else _OF_FILES)
    ]
    if driver != Driver.FLIGHTSQL:
        others += _OF_FLIGHT_SQL
    for path in others:
        if one.value(*path) is not None:
            remedy = "remove it, or choose another `driver`"
            yield _flaw(one, path, f"the driver {driver} has no `{path[-1]}`", remedy)
    for login in _LOGINS if driver == Driver.FLIGHTSQL else ():
        named = [key for key in ("user", "password") if one.value(*login, key) is not None]
        if named and one.value(*login, "token") is not None:
            problem = f"`token` and `{named[0]}` are two logins"
            yield _flaw(one, (*login, "token"), problem, "keep one of the two")
    mode = one.text_of("tls") or TlsMode.VERIFY_FULL
    if mode != TlsMode.VERIFY_FULL and one.text_of("caFile"):
        problem = f"`caFile` is not used with `tls: {mode}`"
        yield _flaw(one, ("caFile",), problem, "remove it, or write `tls: verify-full`")
    if one.text_of("tls") == TlsMode.DISABLE and one.text_of("host") not in _HERE | {""}:
        problem = "without TLS, the password and the members can be read on the way to this host"
        yield _flaw(one, ("tls",), problem, "write verify-full or require; disable is for localhost")


def _source(inventory: ManifestIndex, audience: ManifestDocument) -> Iterator[Issue]:
    source = audience.value("source")
    if not isinstance(source, dict):
        return
    kinds = [one for one in ("files", "delta", "query", "table") if one in source]
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
