"""Templates and example data → every file of a new repository, by its path."""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from pathlib import Path

from reconciler import __version__
from reconciler.scaffold.example import example

TEMPLATES = Path(__file__).parent / "templates"


class Automation(StrEnum):
    """What runs plans and applies; each has a folder of templates."""

    GITHUB = "github"
    GITLAB = "gitlab"


CODEOWNERS = {Automation.GITHUB: ".github/CODEOWNERS", Automation.GITLAB: "CODEOWNERS"}
"""Where it is looked for, and administrators own it."""
REQUEST = {Automation.GITHUB: "pull request", Automation.GITLAB: "merge request"}
"""What a change is called that awaits review."""


INSTALLED = {
    Automation.GITHUB: ".github/actions/reconciler/",
    Automation.GITLAB: ".gitlab/reconciler/",
}
"""The folder of what jobs install."""


def repository(automation: Automation, schemas: Path, today: date) -> dict[str, bytes]:
    """All but CODEOWNERS, which is made from the manifests."""
    files = dict(_rendered("common", automation)) | dict(_rendered(automation.value, automation))
    files |= {f"schemas/{file.name}": file.read_bytes() for file in schemas.glob("*.json")}
    return files | {f"data/{name}": text.encode() for name, text in example(today).items()}


def _rendered(folder: str, automation: Automation) -> Iterator[tuple[str, bytes]]:
    """`dot_name` becomes `.name`: what begins with a dot would act on this repository."""
    for template in (TEMPLATES / folder).rglob("*"):
        if template.is_file() and template.suffix != ".pyc":
            path = template.relative_to(TEMPLATES / folder)
            name = "/".join(
                part.replace("dot_", ".", 1) if part.startswith("dot_") else part for part in path.parts
            )
            text = template.read_text(encoding="utf-8")
            for mark, word in _words(automation).items():
                text = text.replace(mark, word)
            yield name, text.encode()


def _words(automation: Automation) -> dict[str, str]:
    return {
        "@version@": __version__,
        "@codeowners@": CODEOWNERS[automation],
        "@request@": REQUEST[automation],
        "@automation@": f"`{INSTALLED[automation]}`",
    }
