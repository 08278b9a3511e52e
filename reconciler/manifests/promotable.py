"""Which files of an environment promotion carries: manifests by the kinds of their documents, and all SQL."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.manifests.project import is_manifest, is_sql
from reconciler.manifests.sql_files import path_of
from reconciler.manifests.suggestions import choices
from reconciler.manifests.syntax.files import decode
from reconciler.manifests.syntax.nodes import findings

BOUND = frozenset({"Environment", "Credential", "Connection", "Override", "Adopt", "Moved", "Removed"})
"""Kinds that belong to one environment. All other kinds are promoted."""


QUERY = "Query"
"""The kind of what a file of SQL is to an audience that names it."""


@dataclass(frozen=True, slots=True)
class Named:
    """A document of a file that can be promoted. A `QUERY` has the name of its audience."""

    kind: str
    name: str

    def matches(self, selector: str) -> bool:
        """Return whether a name, a pattern or an address selects it; an address selects its audience."""
        _, _, audience = selector.rpartition("/")
        wanted = audience if self.kind == "Audience" else selector
        return fnmatchcase(self.name, wanted)


Promotable = Mapping[str, tuple[Named, ...]]
"""The documents of each file that can be promoted, by its path in the folder of the environment."""


def promotable(contents: Mapping[str, bytes], folder: str) -> dict[str, tuple[Named, ...]]:
    """Return the files that are promoted. `contents` are the files of one environment.

    ConfigurationError for each file that is not YAML, and for each that mixes these kinds with others.
    """
    found: dict[str, tuple[Named, ...]] = {}
    queries: dict[str, list[Named]] = {
        path: [] for path in sorted(contents) if _is_visible(path) and is_sql(path)
    }
    flaws: list[Finding] = []
    for path, content in sorted(contents.items()):
        if not _is_visible(path) or not is_manifest(path):
            continue
        reading = decode(content, f"{folder}/{path}")
        flaws += findings(reading.flaws)
        kinds = {one.kind for one in reading.documents}
        if kinds & BOUND and kinds - BOUND:
            flaws.append(_mixed(f"{folder}/{path}", kinds))
        elif not kinds & BOUND:
            found[path] = tuple(Named(one.kind, one.name) for one in reading.documents)
            for one in reading.documents:
                queries.get(path_of(one).removeprefix(f"{folder}/"), []).append(Named(QUERY, one.name))
    if flaws:
        raise ConfigurationError(f"{folder} cannot be promoted from or to", findings=flaws)
    return found | {path: tuple(named) for path, named in queries.items()}


def _is_visible(path: str) -> bool:
    return not any(part.startswith(".") for part in PurePosixPath(path).parts)


def select(selectors: Sequence[str], known: Sequence[Promotable], changed: frozenset[str]) -> frozenset[str]:
    """Return the paths that selectors choose in any of `known`; all paths without a selector.

    A selector is the name of an audience or a destination, an address, a path, or a pattern of one of these.
    A manifest brings the files of SQL that it names, if they are among the `changed` paths.
    ConfigurationError for a selector that chooses nothing, and for a file with other documents.
    """
    paths = {path for files in known for path in files}
    if not selectors:
        return frozenset(paths)
    flaws = list(_unknown(selectors, known))
    chosen = {path for path in paths if any(_chosen(selectors, path, files.get(path, ())) for files in known)}
    for files in known:
        flaws += _shared(selectors, files, chosen)
    brought = (_named_by(chosen, known) & changed) - chosen
    for files in known:
        flaws += _asked_by_others(files, chosen, brought)
    if flaws:
        raise ConfigurationError("--only does not choose whole files", findings=list(dict.fromkeys(flaws)))
    return frozenset(chosen | brought)


def _mixed(where: str, kinds: set[str]) -> Finding:
    bound, free = ", ".join(sorted(kinds & BOUND)), ", ".join(sorted(kinds - BOUND))
    return Finding(
        where,
        f"the file has kinds that belong to one environment ({bound}), and kinds that are promoted ({free})",
        "move one of them to a file of its own",
    )


def _by_path(selectors: Sequence[str], path: str) -> bool:
    return any(fnmatchcase(path, one) for one in selectors)


def _chosen(selectors: Sequence[str], path: str, documents: Sequence[Named]) -> bool:
    """Return whether a selector chooses a path; a file of SQL comes with its manifest."""
    named = () if is_sql(path) else documents
    return _by_path(selectors, path) or any(one.matches(by) for one in named for by in selectors)


def _unknown(selectors: Sequence[str], known: Sequence[Promotable]) -> Iterator[Finding]:
    """Yield a finding for each selector that chooses nothing. What was typed is not repeated."""
    documents = {one for files in known for named in files.values() for one in named}
    paths = {path for files in known for path in files}
    names = sorted({document.name for document in documents})
    for one in selectors:
        found = any(document.matches(one) for document in documents)
        if not found and not any(fnmatchcase(path, one) for path in paths):
            problem = "one selector matches no audience, destination or file of the source"
            yield Finding("--only", problem, choices(one, names, call="names here"))


def _shared(selectors: Sequence[str], files: Promotable, chosen: set[str]) -> Iterator[Finding]:
    for path in sorted(chosen & files.keys()):
        if is_sql(path):
            continue
        others = [one.name for one in files[path] if not any(one.matches(by) for by in selectors)]
        if others and not _by_path(selectors, path):
            yield Finding(
                path,
                f"the file also has {', '.join(others[:3])}{' and others' if len(others) > 3 else ''}",
                f"promote the whole file with `--only {path}`, or move the document to a file of its own",
            )


def _named_by(chosen: set[str], known: Sequence[Promotable]) -> set[str]:
    """Return the files of SQL that chosen manifests name."""
    return {
        path
        for files in known
        for path, named in files.items()
        if is_sql(path) and not _queries_of(chosen, files).isdisjoint(named)
    }


def _queries_of(chosen: set[str], files: Promotable) -> set[Named]:
    """Return what files of SQL are to the audiences of chosen manifests."""
    return {Named(QUERY, one.name) for path in chosen & files.keys() for one in files[path]}


def _asked_by_others(files: Promotable, chosen: set[str], brought: set[str]) -> Iterator[Finding]:
    """Yield a finding for each file of SQL that an audience names which is not promoted."""
    ours = _queries_of(chosen, files)
    for path in sorted(brought & files.keys()):
        if others := [one.name for one in files[path] if one not in ours]:
            yield Finding(
                path,
                f"the query in this file is also that of {', '.join(others[:3])}"
                f"{' and others' if len(others) > 3 else ''}",
                f"promote them together with `--only {others[0]}`",
            )
