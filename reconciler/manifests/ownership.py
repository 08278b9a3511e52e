"""Which files only administrators may change: what `access` reserves, and what says how Criteo is reached."""

from collections.abc import Iterator
from pathlib import Path

from reconciler.manifests.inventory import Inventory
from reconciler.manifests.loading import declared
from reconciler.manifests.project import environments

_OWN = ("environment.yaml", "credentials.yaml", "overrides.yaml")
"""What an environment does not share with others; reserved before it is there, too."""
_AUTOMATION = (".github/", ".gitlab/", ".gitlab-ci.yml", "CODEOWNERS")
_SHARED = frozenset({"Audience", "Destination"})


def reserved(root: Path) -> tuple[str, ...]:
    """Files and folders, relative to the project; sorted, folders with a `/` at their end."""
    found = {path for path in _AUTOMATION if (root / path).exists()}
    for environment in environments(root):
        found |= {f"environments/{environment}/{name}" for name in _OWN}
        found |= set(_reserved(declared(root, environment)))
    return tuple(sorted(found))


def _reserved(inventory: Inventory) -> Iterator[str]:
    reserved = set()
    for destination in inventory.declared["Destination"]:
        if destination.value("access", "adminOnly"):
            reserved.add(destination.name)
            yield destination.file
    for audience in inventory.declared["Audience"]:
        if reserved.intersection(name for _, name in audience.texts("destinations")):
            yield audience.file
    for kind in inventory.declared.keys() - _SHARED:
        yield from (document.file for document in inventory.declared[kind])
