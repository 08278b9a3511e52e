"""Templates and example data → every file of a new repository, by its path."""

from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path

from reconciler.scaffold.installation import Installation
from reconciler.scaffold.sample_data import example

TEMPLATES = Path(__file__).parent / "templates"


class CiProvider(StrEnum):
    """What runs plans and applies; each has a folder of templates."""

    GITHUB = "github"
    GITLAB = "gitlab"


class Sandbox(StrEnum):
    """Who answers the calls of a new repository's sandbox."""

    EMULATOR = "emulator"
    CRITEO = "criteo"


CODEOWNERS = {CiProvider.GITHUB: ".github/CODEOWNERS", CiProvider.GITLAB: "CODEOWNERS"}
"""Where it is looked for, and administrators own it."""
REQUEST = {CiProvider.GITHUB: "pull request", CiProvider.GITLAB: "merge request"}
"""What a change is called that awaits review."""


INSTALLED = {
    CiProvider.GITHUB: ".github/actions/reconciler/",
    CiProvider.GITLAB: ".gitlab/reconciler/",
}
"""The folder of what jobs install."""


OVER = {Sandbox.EMULATOR: (), Sandbox.CRITEO: ("sandbox_criteo",)}
"""The folders of templates that replace common files."""
_WORDS = {
    Sandbox.EMULATOR: {
        "@try@": "reconciler plan sandbox      # on an emulator: no account, no network\n"
        "reconciler apply sandbox",
        "@places@": "`environments/production/environment.yaml`",
        "@examples@": "the sandbox. **Never commit real customers**: production reads a bucket.",
    },
    Sandbox.CRITEO: {
        "@try@": "reconciler plan sandbox --emulate --data-root data  # no account, no network",
        "@places@": "each `environment.yaml`",
        "@examples@": "a first plan. **Never commit real customers**: environments read a bucket.",
    },
}
"""What README.md says of each."""


def repository(
    automation: CiProvider,
    schemas: Path,
    today: date,
    installation: Installation,
    sandbox: Sandbox = Sandbox.EMULATOR,
) -> dict[str, bytes]:
    """All but CODEOWNERS, which is made from the manifests."""
    words = _words(automation, sandbox, installation)
    files = dict[str, bytes](installation.files)
    for folder in ("common", automation.value, *OVER[sandbox]):
        files |= dict(_rendered(folder, words))
    files |= {f"schemas/{file.name}": file.read_bytes() for file in schemas.glob("*.json")}
    return files | {f"data/{name}": text.encode() for name, text in example(today).items()}


def _rendered(folder: str, words: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """`dot_NAME` becomes `.NAME`: a name that begins with a dot would act on this repository."""
    for template in (TEMPLATES / folder).rglob("*"):
        if template.is_file() and template.suffix != ".pyc":
            path = template.relative_to(TEMPLATES / folder)
            name = "/".join(
                part.replace("dot_", ".", 1) if part.startswith("dot_") else part for part in path.parts
            )
            text = template.read_text(encoding="utf-8")
            for mark, word in words.items():
                text = text.replace(mark, word)
            yield name, text.encode()


def _words(automation: CiProvider, sandbox: Sandbox, installation: Installation) -> dict[str, str]:
    return {
        "@comment@": installation.comment,
        "@requirement@": installation.requirement,
        "@hook@": installation.hook,
        "@requirements@": f"{INSTALLED[automation]}requirements.txt",
        "@codeowners@": CODEOWNERS[automation],
        "@request@": REQUEST[automation],
        "@automation@": f"`{INSTALLED[automation]}`",
        **_WORDS[sandbox],
    }
