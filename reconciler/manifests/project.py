"""The location of a project, its environments, and the files of each."""

import os
from collections.abc import Callable
from pathlib import Path

from reconciler.core.errors import ConfigurationError
from reconciler.manifests.suggestions import choices

_FOLDER = "environments"


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that holds `environments/`."""
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / _FOLDER).is_dir():
            return folder
    raise ConfigurationError(
        f"no `{_FOLDER}/` folder here or above",
        remedy="run inside a project, name one with `-C DIR`, or make one with `reconciler init`",
    )


def within_repository(root: Path) -> str:
    """Where a project is in its repository: as `audiences/`, "" where it is all of it, or in none."""
    within = root.resolve().relative_to(repository_of(root)).as_posix()
    return "" if within == "." else f"{within}/"


def repository_of(root: Path) -> Path:
    """The root of the repository that a project is in; its own, where it is in none."""
    here = root.resolve()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)


def environments(root: Path) -> tuple[str, ...]:
    """Names of the environments, sorted."""
    folder = root / _FOLDER
    names = [entry.name for entry in os.scandir(folder) if entry.is_dir()] if folder.is_dir() else []
    return tuple(sorted(name for name in names if not name.startswith(".")))


def files(root: Path, environment: str) -> list[str]:
    """All manifests of an environment, relative to the root, sorted; hidden ones are left out."""
    known = environments(root)
    if environment not in known:
        remedy = choices(environment, known, call="environments here")
        raise ConfigurationError("there is no environment of that name", remedy=remedy)
    return _found(root, environment, is_manifest)


def sql_files(root: Path, environment: str) -> list[str]:
    """All files of SQL of an environment, as `files` returns manifests."""
    return _found(root, environment, is_sql)


def _found(root: Path, environment: str, wanted: Callable[[str], bool]) -> list[str]:
    found: list[str] = []
    for folder, folders, names in os.walk(root / _FOLDER / environment):
        folders[:] = [name for name in folders if not name.startswith(".")]
        within = Path(folder).relative_to(root).as_posix()
        found += [f"{within}/{name}" for name in names if wanted(name)]
    return sorted(found)


def home(environment: str) -> str:
    """The one file that may hold the kind Environment."""
    return f"{_FOLDER}/{environment}/environment.yaml"


def is_manifest(name: str) -> bool:
    """Return whether a file of this name is read as a manifest."""
    return not name.startswith(".") and name.lower().endswith((".yaml", ".yml"))


def is_sql(name: str) -> bool:
    """Return whether a file of this name may contain the query of an audience."""
    return not name.startswith(".") and name.endswith(".sql")


def is_read(name: str) -> bool:
    """Return whether a file of this name is a manifest, or may be read for one."""
    return is_manifest(name) or is_sql(name)
