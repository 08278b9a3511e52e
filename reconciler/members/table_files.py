"""Files of a table, which its log or its metadata names: all lie in the data root, as they were written."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import SourceLocation
from reconciler.members.data_root import DataRoot
from reconciler.members.intake import UnusableError
from reconciler.members.sources import shown_in

AGAIN = "copy the whole table again, or let its owner repair it"


def require_inside(root: DataRoot, found: Sequence[Path]) -> Sequence[Path]:
    """Return the same files. Raises UnusableError if a link leads one out of the data root."""
    if not all(path.resolve().is_relative_to(root.folder) for path in found):
        remedy = "copy the table, or make the folder it is in the data root"
        raise UnusableError("leads out of the data root by a link", remedy)
    return found


def check_sizes(
    root: DataRoot, sizes: Mapping[Path, int], files: Sequence[Path], stated_by: str, place: SourceLocation
) -> None:
    """Raise ConfigurationError for a file of another size than is stated. The files were brought."""
    findings = []
    for file in files:
        try:
            is_sound = file.stat().st_size == sizes[file]
        except OSError:
            is_sound = False
        if not is_sound:
            problem = f"{shown_in(root.folder, file)} has another size than {stated_by} says"
            findings.append(Finding(str(place), problem, AGAIN))
    if findings:
        raise ConfigurationError("a table can't be used", findings=findings)
