"""The CI files of this repository, laid out from the templates that `init` writes: `make ci-files`.

The templates are the only source. What this repository keeps of its own (requirements, CODEOWNERS) is
neither written nor compared.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path, PurePosixPath

from reconciler.manifests.schema import folder
from reconciler.scaffold import CiProvider, repository
from reconciler.scaffold.installation import from_index

REPOSITORY = Path(__file__).parents[1]
GITHUB, GITLAB = ".github/", ".gitlab/reconciler/"
ACTION = ".github/actions/reconciler/action.yml"
OWN = frozenset({"requirements.txt", "CODEOWNERS"})


def new_repository(provider: CiProvider) -> dict[str, bytes]:
    """Return the files of a new repository."""
    return repository(provider, folder(), date(2026, 11, 24), from_index())


def expected() -> dict[str, bytes]:
    """Return the files that this repository has in common with new ones, by their path here."""
    github, gitlab = new_repository(CiProvider.GITHUB), new_repository(CiProvider.GITLAB)
    files = {name: content for name, content in github.items() if name.startswith(GITHUB)}
    files |= {
        name.replace(GITLAB, "gitlab/"): content
        for name, content in gitlab.items()
        if name.startswith(GITLAB)
    }
    files["action.yml"] = github[ACTION]
    return {name: content for name, content in files.items() if PurePosixPath(name).name not in OWN}


def present(root: Path = REPOSITORY) -> Iterator[str]:
    """Yield the files that are laid out now, also those that no template has any more."""
    for pattern in ("action.yml", ".github/workflows/*", ".github/actions/*/*", "gitlab/*"):
        for file in root.glob(pattern):
            if file.is_file() and file.name not in OWN:
                yield file.relative_to(root).as_posix()


def lay_out(root: Path = REPOSITORY) -> None:
    """Write every file, and remove those that no template has any more."""
    files = expected()
    for name in set(present(root)) - files.keys():
        (root / name).unlink()
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


if __name__ == "__main__":
    lay_out()
