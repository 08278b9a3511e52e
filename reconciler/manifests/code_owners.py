"""The files that admins own in CODEOWNERS: those reserved by `access`, and those that configure Criteo's API.

Paths are relative to the root of the repository, as in CODEOWNERS. The project may be a folder in it.
"""

from collections.abc import Iterator
from pathlib import Path

from reconciler.manifests import sql_files
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.load import declared
from reconciler.manifests.project import environments, within_repository

_OWN = ("environment.yaml", "credentials.yaml", "connections.yaml", "overrides.yaml", "promotion.lock")
"""Files that belong to one environment. They are reserved before they exist, too."""
_AUTOMATION = (".github/", ".gitlab/", ".gitlab-ci.yml", "CODEOWNERS", "docs/CODEOWNERS")
"""Files that run code or name approvers.

Missing files are listed too, because a new file may override ours.
"""
_SHARED = frozenset({"Audience", "Destination"})


def manifests(root: Path) -> str:
    """The folder of all of them."""
    return f"{within_repository(root)}environments/"


def reserved(root: Path) -> tuple[str, ...]:
    """Files and folders; sorted, folders with a `/` at their end."""
    found = set(_AUTOMATION)
    for environment in environments(root):
        ours = [f"environments/{environment}/{name}" for name in _OWN]
        ours += _reserved(declared(root, environment))
        found |= {f"{within_repository(root)}{path}" for path in ours}
    return tuple(sorted(found))


def _reserved(inventory: ManifestIndex) -> Iterator[str]:
    reserved = set()
    for destination in inventory.declared["Destination"]:
        if destination.value("access", "adminOnly"):
            reserved.add(destination.name)
            yield destination.file
    for audience in inventory.declared["Audience"]:
        if reserved.intersection(name for _, name in audience.texts("destinations")):
            yield audience.file
            if file := sql_files.path_of(audience):
                yield file
    for kind in inventory.declared.keys() - _SHARED:
        yield from (document.file for document in inventory.declared[kind])
