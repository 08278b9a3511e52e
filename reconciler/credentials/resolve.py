"""Which backend a reference speaks of; adding one is a file and a line here."""

from collections.abc import Mapping
from pathlib import Path

from reconciler.core.errors import ConfigurationError
from reconciler.core.secret import Secret
from reconciler.credentials.backend import Backend
from reconciler.credentials.env import EnvironmentVariables
from reconciler.credentials.file import Files

LATER = frozenset({"command", "state", "vault", "aws-sm"})


def resolve(reference: str, environ: Mapping[str, str], root: Path) -> Secret:
    """The secret behind `env:NAME` or `file:PATH`; paths are relative to the project root."""
    backends: dict[str, Backend] = {"env": EnvironmentVariables(environ), "file": Files(root)}
    kind, colon, name = reference.partition(":")
    if kind in backends and name:
        return backends[kind].fetch(name)
    raise ConfigurationError(_problem(kind, colon, backends), remedy="use env:NAME or file:PATH")


def _problem(kind: str, colon: str, backends: Mapping[str, Backend]) -> str:
    """Never quotes what is not surely a reference: someone may have pasted the secret itself."""
    if colon and kind in backends:
        return f"the reference `{kind}:` names nothing"
    if colon and kind in LATER:
        return f"`{kind}:` is not supported by this version"
    return "a credential holds a reference to a secret, and this is none"
