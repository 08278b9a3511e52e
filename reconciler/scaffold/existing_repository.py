"""A new project in an existing repository: existing files stay, and the output states what to add to them."""

from collections.abc import Iterator

from reconciler.scaffold.templates import CODEOWNERS, INSTALLED, CiProvider

README, IGNORED, HOOKS = "README.md", ".gitignore", ".pre-commit-config.yaml"
GUIDE, OUR_GUIDE = "docs/ci.md", "docs/reconciler-ci.md"
"""The second name is used if the first file exists."""
PIPELINES = ".gitlab-ci.yml"
KEPT = (README, IGNORED, HOOKS, PIPELINES)
"""What many repositories have, and can hold what we need beside what is theirs."""
OWNED = {
    CiProvider.GITHUB: (CODEOWNERS[CiProvider.GITHUB], "CODEOWNERS", "docs/CODEOWNERS"),
    CiProvider.GITLAB: (CODEOWNERS[CiProvider.GITLAB], "docs/CODEOWNERS", ".gitlab/CODEOWNERS"),
}
"""Where CODEOWNERS is looked for: the first that is there counts."""
AT_THE_ROOT = {
    CiProvider.GITHUB: (".github/", HOOKS),
    CiProvider.GITLAB: (PIPELINES, ".gitlab/", "CODEOWNERS", HOOKS),
}
"""What is read at the root of a repository and nowhere else."""


def placed(files: dict[str, bytes], automation: CiProvider, owners: str) -> dict[str, bytes]:
    """The same, where jobs and hooks check the CODEOWNERS that is there."""
    ours = f"--check {CODEOWNERS[automation]}".encode()
    return {name: one.replace(ours, f"--check {owners}".encode()) for name, one in files.items()}


def guided(files: dict[str, bytes], guide: str) -> dict[str, bytes]:
    """The same with the guide under that name."""
    return {
        guide if name == GUIDE else name: one.replace(GUIDE.encode(), guide.encode())
        for name, one in files.items()
    }


def additions(name: str, ours: str, theirs: str) -> Iterator[str]:
    """What to add to a file that was left alone, line by line; nothing where it is there already."""
    if name == IGNORED:
        there = theirs.splitlines()
        yield from (one for one in ours.splitlines() if one not in there and not one.startswith("#"))
    elif name == HOOKS and "id: reconciler-" not in theirs:
        yield from ours.partition("repos:\n")[2].splitlines()
    elif name == PIPELINES and INSTALLED[CiProvider.GITLAB] not in theirs:
        yield from ours.splitlines()
        yield "stages: [plan, label, apply]  # among yours, if it names any"


def to_move(automation: CiProvider, root: str, within: str) -> Iterator[str]:
    """What a project in a folder of a repository has to have moved; `within` ends with a slash."""
    folder, up = within.rstrip("/"), "../" * within.count("/")
    yield f"WARNING: this is the folder {folder} of the repository {root}, and"
    yield f"  {', '.join(AT_THE_ROOT[automation])}"
    yield "are read at a repository's root only. As they are, nothing is planned, applied or reviewed. Run"
    yield f"`reconciler init` in {root} instead, or in a repository of its own; or move them to"
    yield f"{root}, and write there"
    if automation is CiProvider.GITHUB:
        yield f"  in each workflow    defaults: {{run: {{shell: bash, working-directory: {folder}}}}}"
        yield f"  in each `run:`      {up}.github/ for .github/"
        yield f"  in each `path:`     {within} before names of files; `uses:` and action.yml stay as they are"
    else:
        yield f"  in each job         `cd {folder}`, after the installation and first in `after_script`"
        yield f"  in each script      {up}.gitlab/ for .gitlab/, {up}CODEOWNERS for CODEOWNERS"
        yield f"  in each `paths:`    {within} before names of files"
    yield f"  in each hook        `-C {folder}` after the command, and `files: ^{within}environments/`"
