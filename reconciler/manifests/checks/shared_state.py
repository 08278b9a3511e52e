"""Whether environments share a state, which they must not."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from reconciler.core.errors import Finding
from reconciler.core.model import SourceLocation
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.load import check_documents
from reconciler.manifests.project import environments, home
from reconciler.manifests.syntax.files import read


def shared_states(root: Path, names: Iterable[str]) -> Iterator[Finding]:
    """A state is one environment's: each of `names` that keeps its own where another one does; pairs once."""
    states = {name: state for name in environments(root) if (state := _state(root, name))}
    reported = set()
    for name in names:
        url, place = states.get(name, ("", None))
        for other, (others, there) in states.items():
            pair = frozenset((name, other))
            where = _shared(url, others)
            if name != other and where and pair not in reported:
                reported.add(pair)
                problem = f"the state of {other} is kept {where} ({there})"
                yield Finding(str(place), problem, "give each environment a `state.url` of its own")


def _shared(url: str, others: str) -> str:
    """Return how the folders of both states overlap; "" if they are separate."""
    if url == others:
        return "there too"
    if others.startswith(f"{url}/"):
        return "in a folder of this one"
    return "in a folder around this one" if url.startswith(f"{others}/") else ""


def _state(root: Path, environment: str) -> tuple[str, SourceLocation] | None:
    """Return the normalised state URL and its position in the manifests; None if it is unknown."""
    _, documents = check_documents(read(root, [home(environment)]))
    written = ManifestIndex.of(environment, documents, {}, complete=True).home
    url = written.value("state", "url") if written else None
    if not written or not isinstance(url, str):
        return None
    return _plain(root, url), written.place("state", "url")


def _plain(root: Path, url: str) -> str:
    scheme, _, rest = url.partition(":")
    if scheme == "file":
        return os.path.normpath(root / rest.removeprefix("//"))
    return url.rstrip("/")
