"""The official SDK in the version on the path, with all its checks of input and output enabled."""

import importlib
import json
import pkgutil
import re
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

PREFIX = "criteo_api_retailmedia_v"
APIS = {
    "AudienceApi": "audience_api",
    "GatewayApi": "gateway_api",
    "AccountsApi": "accounts_api",
    "CampaignApi": "campaign_api",
}
OMITTED = {
    "CommonProblem": {"stack_trace", "trace_identifier"},
    "AudienceError": {"stack_trace"},
    "RmAlgebraNodeV1": {"_and", "_not", "_or", "audience_segment_id"},
}
"""Declared and rightly left out: the old twin of the trace id, stacks, and all but one kind of node."""


def installed() -> str:
    """The package's name holds the version of the API."""
    (name,) = {module.name for module in pkgutil.iter_modules() if module.name.startswith(PREFIX)}
    return name


@dataclass(frozen=True)
class Answer:
    """What a call of the SDK gives: the typed body, the status and the headers."""

    body: Any
    status: int
    headers: dict[str, str]


class Sdk:
    """One client of one application."""

    def __init__(self, url: str, client_id: str, client_secret: str) -> None:
        self._package = installed()
        builder = self._module("api_client_builder").ApiClientBuilder
        self._client = builder.WithClientCredentials(client_id, client_secret, host=url)
        self._apis = [getattr(self._module(f"api.{file}"), name)(self._client) for name, file in APIS.items()]
        self.errors = self._module("exceptions")
        self.version = self._package.removeprefix(PREFIX).replace("_", "-")

    def close(self) -> None:
        self._client.rest_client.pool_manager.clear()
        self._client.close()

    def audience_calls(self) -> set[str]:
        """Every call on audiences and segments that this version of the SDK has."""
        return {name.removesuffix("_endpoint") for name in dir(self._apis[0]) if name.endswith("_endpoint")}

    def call(self, operation: str, *path: str, body: Any = None, **query: Any) -> Answer:
        """`body` is plain data in the SDK's own names; the SDK builds and checks its models from it."""
        api = next(api for api in self._apis if hasattr(api, operation))
        endpoint = getattr(api, f"{operation}_endpoint")
        given = list(path)
        if body is not None:
            (name,) = [key for key, place in endpoint.location_map.items() if place == "body"]
            given.append(build(endpoint.openapi_types[name][0], body))
        checks = {"_check_input_type": True, "_check_return_type": True, "_return_http_data_only": False}
        return Answer(*getattr(api, operation)(*given, **query, **checks))

    def problems(self, error: Any) -> list[Any]:
        """The entries of a refusal. Its body is declared for no call: it must have the shape of a problem."""
        body = json.loads(error.body)
        assert set(body) == {"errors"}
        entries = SimpleNamespace(data=json.dumps(body["errors"]))
        kind = self.model("CommonProblem")
        typed: list[Any] = self._client.deserialize(entries, ([kind],), _check_type=True)
        for problem in typed:
            complete(problem)
        return typed

    def model(self, name: str) -> Any:
        return getattr(self._module("models"), name)

    def _module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self._package}.{name}")


def build(kind: Any, data: dict[str, Any]) -> Any:
    """A model of the SDK, made the way its users make one, so that it checks what it is given."""
    types = kind.openapi_types
    return kind(**{name: _built(types[name][0], value) for name, value in data.items()})


def _built(kind: Any, value: Any) -> Any:
    if isinstance(kind, list):
        return [_built(kind[0], item) for item in value]
    return build(kind, value) if _is_model(kind) and isinstance(value, dict) else value


def complete(value: Any) -> None:
    """Every field that the SDK declares is there, and none that it doesn't, all the way down."""
    if isinstance(value, list):
        for item in value:
            complete(item)
    elif _is_model(type(value)):
        held, name = value._data_store, type(value).__name__
        declared = set(value.openapi_types)
        assert held.keys() <= declared, f"{name} has {sorted(held.keys() - declared)}, which no SDK declares"
        missing = declared - held.keys() - OMITTED.get(name, set())
        assert not missing, f"{name} lacks {sorted(missing)}"
        complete(list(held.values()))


def _is_model(kind: Any) -> bool:
    return hasattr(kind, "openapi_types")


def pythonic(name: str) -> str:
    """An operation's id as the SDK calls its method."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
